//! Commits and events.

use agcluster_core::session::SessionId;
use agcluster_core::store::{Change, Extent, StoreError};

use crate::make::{all, audit, event, events, owner, put, put_turn, said, session, turn};
use crate::place::Place;

use agcluster_core::store::TurnState;

pub(crate) async fn a_commit_is_made_whole_or_not_at_all(mut place: Place) {
    let (a, b) = (session("a"), session("b"));
    place.store.commit(&[put(&a), events(&a.id, 1..=2)]).await.unwrap();
    let before = all(&*place.store).await;
    let mut changed = a.clone();
    changed.provider = "elsewhere".to_owned();
    let bad = [
        put(&b),
        put(&changed),
        events(&a.id, 3..=4),
        put_turn(&turn(&a, TurnState::Running)),
        said(&a.id, 1, "x"),
        Change::Audit(audit(&a.id, 1)),
        Change::Meta { key: "k".to_owned(), value: "v".to_owned() },
        events(&b.id, 2..=2),
    ];
    assert!(matches!(place.store.commit(&bad).await, Err(StoreError::Broken(_))));
    assert_eq!(all(&*place.store).await, before);
    assert_eq!(place.store.meta("k").await.unwrap(), None);
    place.reopen().await;
    assert_eq!(all(&*place.store).await, before);
    place.store.commit(&bad[..7]).await.unwrap();
    assert_eq!(place.store.extent(&a.id).await.unwrap().head, 4);
    place.store.commit(&[]).await.unwrap();
}

pub(crate) async fn the_same_commit_again_changes_nothing(mut place: Place) {
    let (a, gone) = (session("a"), session("gone"));
    let first = [put(&gone), events(&gone.id, 1..=3)];
    place.store.commit(&first).await.unwrap();
    let changes = [
        put(&a),
        events(&a.id, 1..=2),
        events(&a.id, 3..=5),
        events(&gone.id, 4..=4),
        put_turn(&turn(&a, TurnState::Sent)),
        said(&a.id, 3, "early"),
        Change::ClearTranscript(a.id.clone()),
        said(&a.id, 4, "late"),
        Change::Idempotency(crate::make::key(&a.id, "k", "1")),
        Change::RemoveIdempotency { owner: owner("a"), key: "k".to_owned() },
        Change::Idempotency(crate::make::key(&a.id, "k", "2")),
        Change::Audit(audit(&a.id, 1)),
        Change::Audit(audit(&a.id, 2)),
        Change::RemoveSession(gone.id.clone()),
    ];
    place.store.commit(&changes).await.unwrap();
    let once = all(&*place.store).await;
    assert!(once["a"].contains("late") && !once["a"].contains("early"));
    for _ in 0..2 {
        place.store.commit(&changes).await.unwrap();
        assert_eq!(all(&*place.store).await, once);
        place.reopen().await;
    }
    // Half of it is there: the rest is added.
    place.store.commit(&[events(&a.id, 4..=8)]).await.unwrap();
    assert_eq!(place.store.extent(&a.id).await.unwrap().head, 8);
}

pub(crate) async fn a_gap_is_refused(place: Place) {
    let a = session("a");
    assert!(matches!(place.store.commit(&[put(&a), events(&a.id, 2..=3)]).await, Err(StoreError::Broken(_))));
    assert!(place.store.sessions().await.unwrap().is_empty());
    place.store.commit(&[put(&a), events(&a.id, 1..=3)]).await.unwrap();
    for bad in [vec![events(&a.id, 5..=5)], vec![events(&a.id, 4..=4), events(&a.id, 6..=6)]] {
        let error = place.store.commit(&bad).await.unwrap_err();
        assert!(matches!(&error, StoreError::Broken(why) if why.contains("event")), "{error}");
        assert_eq!(place.store.extent(&a.id).await.unwrap().head, 3);
    }
    place.store.commit(&[events(&a.id, 4..=4)]).await.unwrap();
}

pub(crate) async fn what_belongs_to_no_session_is_refused(place: Place) {
    let a = session("a");
    for bad in [
        events(&a.id, 1..=1),
        Change::Events { session: a.id.clone(), records: Vec::new() },
        put_turn(&turn(&a, TurnState::Sent)),
        said(&a.id, 1, "x"),
        Change::Idempotency(crate::make::key(&a.id, "k", "1")),
    ] {
        let error = place.store.commit(std::slice::from_ref(&bad)).await.unwrap_err();
        assert!(matches!(error, StoreError::Broken(_)), "{bad:?}: {error}");
    }
    // Forgetting what is not there is success.
    let nothing = [Change::RemoveSession(a.id.clone()), Change::ClearTranscript(a.id.clone())];
    place.store.commit(&nothing).await.unwrap();
    assert_eq!(place.store.extent(&a.id).await.unwrap(), Extent::default());
    assert!(place.store.events(&a.id, 0, 10, 1000).await.unwrap().is_empty());
    assert!(place.store.transcript(&a.id).await.unwrap().is_empty());
    assert_eq!(place.store.trim(&a.id, &agcluster_core::store::Retention::default()).await.unwrap(), 0);
}

pub(crate) async fn events_come_in_pages_of_so_many_and_so_many_bytes(place: Place) {
    let (a, b) = (session("a"), session("b"));
    place.store.commit(&[put(&a), put(&b), events(&b.id, 1..=40), events(&a.id, 1..=40)]).await.unwrap();
    let page = async |after: u64, limit: usize, bytes: usize| {
        let events = place.store.events(&a.id, after, limit, bytes).await.unwrap();
        events.iter().map(|event| event.seq()).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 3, usize::MAX).await, [1, 2, 3]);
    assert_eq!(page(37, 30, usize::MAX).await, [38, 39, 40]);
    assert_eq!(page(40, 3, usize::MAX).await, Vec::<u64>::new());
    assert_eq!(page(u64::MAX, 3, usize::MAX).await, Vec::<u64>::new());
    assert_eq!(page(3, 0, usize::MAX).await, Vec::<u64>::new());
    assert_eq!(page(3, 10, 0).await, [4], "always one");
    let length = place.store.events(&a.id, 9, 1, 1).await.unwrap()[0].json().len();
    assert_eq!(page(9, 100, length).await, [10]);
    assert_eq!(page(9, 100, length + 1).await, [10, 11]);
    assert_eq!(page(9, 100, 3 * length).await, [10, 11, 12]);
    assert_eq!(page(9, 2, 3 * length).await, [10, 11]);
}

pub(crate) async fn an_event_comes_back_byte_for_byte(mut place: Place) {
    let a = session("a");
    // Not as this program would render it, and with what it does not know.
    let strange = br#"{ "type":"text_delta", "seq":2,"at":"2026-01-02T03:04:05.123456789Z","generation":7,"block":0,"text":"\u0000 \u00e4\ud83d\ude00 'x'","turn":"00000000-0000-7000-8000-000000000001"}"#;
    let strange = agcluster_core::journal::Record::from_json(None, strange.as_slice().into()).unwrap();
    let records = vec![event(1, 5000, Some(9)), strange.into()];
    place
        .store
        .commit(&[put(&a), Change::Events { session: a.id.clone(), records: records.clone() }])
        .await
        .unwrap();
    place.reopen().await;
    let back = place.store.events(&a.id, 0, 10, usize::MAX).await.unwrap();
    assert_eq!(back.len(), 2);
    for (back, record) in back.iter().zip(&records) {
        assert_eq!(back.json(), record.json());
        assert_eq!(back.event, record.event);
        assert_eq!(back.source_seq, record.source_seq);
    }
}

pub(crate) async fn a_session_knows_the_ends_of_its_events(mut place: Place) {
    let a = session("a");
    place.store.commit(&[put(&a)]).await.unwrap();
    assert_eq!(place.store.extent(&a.id).await.unwrap(), Extent::default());
    let records = vec![event(1, 1, None), event(2, 2, Some(70)), event(3, 3, None)];
    let bytes = records.iter().map(|record| record.json().len() as u64).sum();
    place.store.commit(&[Change::Events { session: a.id.clone(), records }]).await.unwrap();
    for _ in 0..2 {
        let extent = place.store.extent(&a.id).await.unwrap();
        assert_eq!(extent, Extent { earliest: 1, head: 3, source: Some((3, 70)), bytes });
        place.reopen().await;
    }
}

pub(crate) async fn events_may_come_before_their_session(place: Place) {
    let a = session("a");
    place.store.commit(&[events(&a.id, 1..=3), put_turn(&turn(&a, TurnState::Sent)), put(&a)]).await.unwrap();
    assert_eq!(place.store.extent(&a.id).await.unwrap().head, 3);
}

pub(crate) async fn a_large_commit_is_made(mut place: Place) {
    let sessions: Vec<_> = (0..50).map(|number| session(&format!("s{number}"))).collect();
    let mut changes: Vec<_> = sessions.iter().map(put).collect();
    changes.extend(sessions.iter().map(|record| events(&record.id, 1..=123)));
    let big = SessionId::from_text("big");
    changes.push(put(&session("big")));
    let records = (1..=20).map(|seq| event(seq, 1 << 20, None)).collect();
    changes.push(Change::Events { session: big.clone(), records });
    place.store.commit(&changes).await.unwrap();
    place.reopen().await;
    for record in &sessions {
        let events = place.store.events(&record.id, 0, usize::MAX, usize::MAX).await.unwrap();
        assert!(events.iter().map(|event| event.seq()).eq(1..=123));
    }
    assert_eq!(place.store.events(&big, 0, usize::MAX, 3 << 20).await.unwrap().len(), 3);
    assert!(place.store.extent(&big).await.unwrap().bytes > 20 << 20);
}
