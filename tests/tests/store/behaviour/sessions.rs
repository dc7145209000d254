//! Sessions, turns and keys of requests.

use agcluster_core::session::SessionId;
use agcluster_core::store::{Change, Extent, StoreError, TurnState};

use crate::make::{audit, chunk, events, key, owner, put, put_turn, said, session, turn};
use crate::place::Place;

/// A session with one of everything.
fn full(name: &str) -> Vec<Change> {
    let record = session(name);
    vec![
        put(&record),
        events(&record.id, 1..=5),
        put_turn(&turn(&record, TurnState::Running)),
        said(&record.id, 2, name),
        Change::Idempotency(key(&record.id, name, "1")),
        Change::Audit(audit(&record.id, 1)),
    ]
}

pub(crate) async fn a_removed_session_leaves_only_its_audit(mut place: Place) {
    let (a, b) = (SessionId::from_text("a"), SessionId::from_text("b"));
    place.store.commit(&full("a")).await.unwrap();
    place.store.commit(&full("b")).await.unwrap();
    place.store.commit(&[Change::RemoveSession(a.clone())]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(place.store.sessions().await.unwrap().len(), 1);
        assert_eq!(place.store.extent(&a).await.unwrap(), Extent::default());
        assert!(place.store.events(&a, 0, 10, usize::MAX).await.unwrap().is_empty());
        assert!(place.store.transcript(&a).await.unwrap().is_empty());
        assert_eq!(place.store.idempotency(&owner("a"), "a").await.unwrap(), None);
        let turns = place.store.turns(&owner("a"), None, None, 10).await.unwrap();
        assert!(turns.len() == 1 && turns[0].session == b);
        assert_eq!(place.store.open_turns().await.unwrap(), turns);
        assert_eq!(place.store.audit(&owner("a"), None, 10).await.unwrap().len(), 2);
        assert_eq!(place.store.extent(&b).await.unwrap().head, 5);
        assert_eq!(place.store.transcript(&b).await.unwrap(), [chunk("b")]);
        place.reopen().await;
    }
}

pub(crate) async fn a_session_can_be_removed_and_made_again_at_once(mut place: Place) {
    let a = SessionId::from_text("a");
    place.store.commit(&full("a")).await.unwrap();
    let again = [
        events(&a, 6..=6),
        Change::RemoveSession(a.clone()),
        put(&session("a")),
        events(&a, 1..=2),
        Change::Idempotency(key(&a, "a", "another")),
    ];
    for _ in 0..2 {
        place.store.commit(&again).await.unwrap();
        assert_eq!(place.store.extent(&a).await.unwrap().head, 2);
        assert_eq!(place.store.events(&a, 0, 10, usize::MAX).await.unwrap().len(), 2);
        assert!(place.store.transcript(&a).await.unwrap().is_empty());
        assert!(place.store.open_turns().await.unwrap().is_empty());
        let kept = place.store.idempotency(&owner("a"), "a").await.unwrap().unwrap();
        assert_eq!(kept.fingerprint, "another");
        place.reopen().await;
    }
}

pub(crate) async fn a_session_takes_the_place_of_what_was_kept_of_it(mut place: Place) {
    let mut a = session("a");
    place.store.commit(&[put(&a), events(&a.id, 1..=2)]).await.unwrap();
    a.provider = "first".to_owned();
    let first = put(&a);
    a.provider = "second".to_owned();
    place.store.commit(&[first, put(&a)]).await.unwrap();
    place.reopen().await;
    assert_eq!(place.store.sessions().await.unwrap(), [a.clone()]);
    assert_eq!(place.store.extent(&a.id).await.unwrap().head, 2);
}

pub(crate) async fn turns_come_in_pages(mut place: Place) {
    let (a, b) = (session("a"), session("b"));
    let mut other = session("other");
    other.owner = owner("b");
    let mut changes = vec![put(&a), put(&b), put(&other)];
    let turns: Vec<_> = (0..10).map(|n| turn(if n % 2 == 0 { &a } else { &b }, TurnState::Ended)).collect();
    changes.extend(turns.iter().map(put_turn));
    changes.push(put_turn(&turn(&other, TurnState::Ended)));
    place.store.commit(&changes).await.unwrap();
    place.reopen().await;
    let store = &place.store;
    let newest: Vec<_> = turns.iter().rev().cloned().collect();
    assert_eq!(store.turns(&owner("a"), None, None, 4).await.unwrap(), newest[..4]);
    assert_eq!(store.turns(&owner("a"), None, Some(newest[3].id), 4).await.unwrap(), newest[4..8]);
    assert_eq!(store.turns(&owner("a"), None, Some(newest[9].id), 4).await.unwrap(), []);
    let of_a: Vec<_> = newest.iter().filter(|turn| turn.session == a.id).cloned().collect();
    assert_eq!(store.turns(&owner("a"), Some(&a.id), None, 99).await.unwrap(), of_a);
    assert_eq!(store.turns(&owner("a"), Some(&a.id), Some(of_a[0].id), 2).await.unwrap(), of_a[1..3]);
    assert_eq!(
        store.turns(&owner("a"), Some(&other.id), None, 9).await.unwrap(),
        [],
        "another owner's session"
    );
    assert_eq!(store.turns(&owner("b"), None, None, 9).await.unwrap().len(), 1);
    assert_eq!(store.turn(turns[3].id).await.unwrap().as_ref(), Some(&turns[3]));
    assert_eq!(store.turn(agcluster_core::protocol::TurnId::generate()).await.unwrap(), None);
}

pub(crate) async fn open_turns_come_oldest_first(place: Place) {
    let a = session("a");
    let states = [TurnState::Running, TurnState::Ended, TurnState::Sent, TurnState::Queued];
    let mut turns: Vec<_> = states.into_iter().map(|state| turn(&a, state)).collect();
    let mut changes = vec![put(&a)];
    changes.extend(turns.iter().rev().map(put_turn));
    place.store.commit(&changes).await.unwrap();
    turns.remove(1);
    assert_eq!(place.store.open_turns().await.unwrap(), turns);
    turns[0].state = TurnState::Ended;
    place.store.commit(&[put_turn(&turns[0])]).await.unwrap();
    assert_eq!(place.store.open_turns().await.unwrap(), turns[1..]);
}

pub(crate) async fn a_key_is_one_request_of_its_owner(mut place: Place) {
    let (a, b) = (session("a"), session("b"));
    let first = key(&a.id, "k", "1");
    place.store.commit(&[put(&a), put(&b), Change::Idempotency(first.clone())]).await.unwrap();
    let mut of_another = first.clone();
    of_another.owner = owner("b");
    of_another.fingerprint = "2".to_owned();
    place.store.commit(&[Change::Idempotency(of_another.clone())]).await.unwrap();
    let mut with_turn = first.clone();
    with_turn.turn = Some(agcluster_core::protocol::TurnId::generate());
    for bad in [key(&a.id, "k", "2"), key(&b.id, "k", "1"), with_turn] {
        let changes = [events(&a.id, 1..=1), Change::Idempotency(bad)];
        let error = place.store.commit(&changes).await.unwrap_err();
        assert_eq!(error, StoreError::Conflict { owner: owner("a"), key: "k".to_owned() });
        assert_eq!(place.store.extent(&a.id).await.unwrap().head, 0, "nothing of the commit was made");
        place.reopen().await;
    }
    let both = [Change::Idempotency(key(&a.id, "new", "1")), Change::Idempotency(key(&a.id, "new", "2"))];
    assert!(matches!(place.store.commit(&both).await, Err(StoreError::Conflict { .. })));
    assert_eq!(place.store.idempotency(&owner("a"), "new").await.unwrap(), None);
    let mut later = first.clone();
    later.at = crate::make::at(99);
    place.store.commit(&[Change::Idempotency(later)]).await.unwrap();
    assert_eq!(place.store.idempotency(&owner("a"), "k").await.unwrap(), Some(first));
    assert_eq!(place.store.idempotency(&owner("b"), "k").await.unwrap(), Some(of_another.clone()));
    let second = key(&b.id, "k", "2");
    let free = Change::RemoveIdempotency { owner: owner("a"), key: "k".to_owned() };
    place.store.commit(&[free.clone(), Change::Idempotency(second.clone())]).await.unwrap();
    assert_eq!(place.store.idempotency(&owner("a"), "k").await.unwrap(), Some(second));
    place.store.commit(&[free]).await.unwrap();
    assert_eq!(place.store.idempotency(&owner("a"), "k").await.unwrap(), None);
    assert_eq!(place.store.idempotency(&owner("b"), "k").await.unwrap(), Some(of_another));
}
