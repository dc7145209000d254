//! Conversations, configurations, audit rows and values.

use agcluster_core::store::{Change, ConfigRecord, TurnState};
use serde_json::json;

use crate::make::{all, at, audit, chunk, events, key, owner, put, put_turn, said, session, turn};
use crate::place::Place;

pub(crate) async fn a_conversation_is_in_order_and_never_doubled(mut place: Place) {
    let (a, b) = (session("a"), session("b"));
    place.store.commit(&[put(&a), put(&b), said(&b.id, 1, "b"), said(&a.id, 7, "two")]).await.unwrap();
    place
        .store
        .commit(&[said(&a.id, 3, "one"), said(&a.id, 7, "changed"), said(&a.id, 11, "three")])
        .await
        .unwrap();
    place.reopen().await;
    let spoken = place.store.transcript(&a.id).await.unwrap();
    assert_eq!(spoken, [chunk("one"), chunk("two"), chunk("three")]);
    place.store.commit(&[Change::ClearTranscript(a.id.clone()), said(&a.id, 12, "anew")]).await.unwrap();
    assert_eq!(place.store.transcript(&a.id).await.unwrap(), [chunk("anew")]);
    place.store.commit(&[said(&a.id, 13, "x"), Change::ClearTranscript(a.id.clone())]).await.unwrap();
    assert!(place.store.transcript(&a.id).await.unwrap().is_empty());
    assert_eq!(place.store.transcript(&b.id).await.unwrap(), [chunk("b")]);
}

pub(crate) async fn configurations_are_kept_by_owner(mut place: Place) {
    let config = |name: &str, id: &str, value: i64| ConfigRecord {
        owner: owner(name),
        id: id.to_owned(),
        document: json!({ "value": value, "text": "ä" }),
        updated_at: at(value),
    };
    let put = |name, id, value| Change::Config(config(name, id, value));
    place.store.commit(&[put("a", "x", 1), put("b", "x", 2), put("a", "y", 3)]).await.unwrap();
    let remove = |id: &str| Change::RemoveConfig { owner: owner("a"), id: id.to_owned() };
    place.store.commit(&[put("a", "x", 4), remove("y"), put("a", "z", 5), remove("z")]).await.unwrap();
    place.store.commit(&[remove("never"), remove("w"), put("a", "w", 6)]).await.unwrap();
    place.reopen().await;
    let mut kept = place.store.configs().await.unwrap();
    kept.sort_by_key(|record| record.updated_at);
    assert_eq!(kept, [config("b", "x", 2), config("a", "x", 4), config("a", "w", 6)]);
}

pub(crate) async fn audit_rows_come_in_pages_and_never_twice(mut place: Place) {
    let a = session("a");
    let rows: Vec<_> = (0..10).map(|second| audit(&a.id, second)).collect();
    let mut of_another = audit(&a.id, 3);
    of_another.owner = owner("b");
    let mut changes: Vec<_> = rows.iter().cloned().map(Change::Audit).collect();
    changes.push(Change::Audit(of_another));
    changes.push(Change::Audit(rows[4].clone()));
    place.store.commit(&changes).await.unwrap();
    place.reopen().await;
    place.store.commit(&changes[..3]).await.unwrap();
    let newest: Vec<_> = rows.into_iter().rev().collect();
    let page = async |before: Option<u64>, limit: usize| {
        let page = place.store.audit(&owner("a"), before, limit).await.unwrap();
        let last = page.last().map(|(number, _)| *number);
        (page.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), last)
    };
    let (first, last) = page(None, 4).await;
    assert_eq!(first, newest[..4]);
    let (second, last) = page(last, 4).await;
    assert_eq!(second, newest[4..8]);
    let (third, last) = page(last, 4).await;
    assert_eq!(third, newest[8..]);
    assert_eq!(page(last, 4).await.0, []);
    assert_eq!(place.store.audit(&owner("b"), Some(u64::MAX), 4).await.unwrap().len(), 1);
    assert!(place.store.sessions().await.unwrap().is_empty(), "an audit row needs no session");
}

pub(crate) async fn values_of_the_installation_are_kept(mut place: Place) {
    let set = |value: &str| Change::Meta { key: "cluster".to_owned(), value: value.to_owned() };
    assert_eq!(place.store.meta("cluster").await.unwrap(), None);
    place.store.commit(&[set("one"), set("two")]).await.unwrap();
    place.reopen().await;
    assert_eq!(place.store.meta("cluster").await.unwrap().as_deref(), Some("two"));
    place.store.commit(&[set("three")]).await.unwrap();
    assert_eq!(place.store.meta("cluster").await.unwrap().as_deref(), Some("three"));
}

pub(crate) async fn everything_is_there_after_opening_again(mut place: Place) {
    let sessions = [session("a"), session("b")];
    for record in &sessions {
        let changes = [
            put(record),
            events(&record.id, 1..=100),
            put_turn(&turn(record, TurnState::Running)),
            put_turn(&turn(record, TurnState::Ended)),
            said(&record.id, 5, "text"),
            Change::Idempotency(key(&record.id, record.id.as_str(), "1")),
            Change::Audit(audit(&record.id, 5)),
        ];
        place.store.commit(&changes).await.unwrap();
    }
    let before = all(&*place.store).await;
    for _ in 0..3 {
        place.reopen().await;
        assert_eq!(all(&*place.store).await, before);
    }
    place.store.commit(&[events(&sessions[0].id, 101..=101)]).await.unwrap();
}
