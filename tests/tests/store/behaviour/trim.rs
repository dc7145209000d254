//! Dropping old events.

use std::time::Duration;

use agcluster_core::store::{Change, Retention};
use jiff::Timestamp;

use crate::make::{at, event, put, session};
use crate::place::Place;

const EVERYTHING: Retention = Retention { max_bytes: u64::MAX, max_events: u64::MAX, max_age: None };

/// A session `a` with events, of which those have come from an agent server.
async fn filled(place: &Place, last: u64, from_agent: &[u64]) -> agcluster_core::session::SessionId {
    let a = session("a");
    let records = (1..=last).map(|seq| event(seq, 10, from_agent.contains(&seq).then_some(seq))).collect();
    place.store.commit(&[put(&a), Change::Events { session: a.id.clone(), records }]).await.unwrap();
    a.id
}

async fn numbers(place: &Place, session: &agcluster_core::session::SessionId) -> Vec<u64> {
    let events = place.store.events(session, 0, usize::MAX, usize::MAX).await.unwrap();
    let bytes: u64 = events.iter().map(|event| event.json().len() as u64).sum();
    let extent = place.store.extent(session).await.unwrap();
    assert_eq!(extent.bytes, bytes, "the bytes are counted right");
    assert_eq!(Some(extent.earliest), events.first().map(|event| event.seq()));
    assert_eq!(Some(extent.head), events.last().map(|event| event.seq()));
    events.iter().map(|event| event.seq()).collect()
}

pub(crate) async fn old_events_are_trimmed_by_number(mut place: Place) {
    let a = filled(&place, 10, &[]).await;
    let trim = |max_events| Retention { max_events, ..EVERYTHING };
    assert_eq!(place.store.trim(&a, &EVERYTHING).await.unwrap(), 0);
    assert_eq!(place.store.trim(&a, &trim(10)).await.unwrap(), 0);
    assert_eq!(place.store.trim(&a, &trim(7)).await.unwrap(), 3);
    assert_eq!(numbers(&place, &a).await, [4, 5, 6, 7, 8, 9, 10]);
    place.reopen().await;
    assert_eq!(numbers(&place, &a).await, [4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(place.store.trim(&a, &trim(0)).await.unwrap(), 6);
    assert_eq!(numbers(&place, &a).await, [10], "never the newest");
    assert_eq!(place.store.trim(&a, &trim(0)).await.unwrap(), 0);
    // What was trimmed is not taken again, and what follows is.
    place.store.commit(&[crate::make::events(&a, 9..=11)]).await.unwrap();
    assert_eq!(numbers(&place, &a).await, [10, 11]);
}

pub(crate) async fn old_events_are_trimmed_by_size(place: Place) {
    let a = filled(&place, 9, &[]).await;
    let bytes = place.store.extent(&a).await.unwrap().bytes;
    let trim = |max_bytes| Retention { max_bytes, ..EVERYTHING };
    assert_eq!(place.store.trim(&a, &trim(bytes)).await.unwrap(), 0);
    assert_eq!(place.store.trim(&a, &trim(bytes - 1)).await.unwrap(), 1);
    assert_eq!(place.store.trim(&a, &trim(bytes / 3)).await.unwrap(), 5);
    assert_eq!(numbers(&place, &a).await, [7, 8, 9]);
    assert_eq!(place.store.trim(&a, &trim(0)).await.unwrap(), 2);
}

pub(crate) async fn old_events_are_trimmed_by_age(place: Place) {
    let a = filled(&place, 9, &[]).await;
    // Between two events, so that the time that the test takes counts for nothing.
    let age = Duration::try_from(Timestamp::now().duration_since(at(5))).unwrap();
    let trim = |max_age| Retention { max_age: Some(max_age), ..EVERYTHING };
    assert_eq!(place.store.trim(&a, &trim(Duration::MAX)).await.unwrap(), 0);
    assert_eq!(place.store.trim(&a, &trim(age + Duration::from_secs(100))).await.unwrap(), 0);
    let dropped = place.store.trim(&a, &trim(age)).await.unwrap();
    assert!((4..=8).contains(&dropped), "{dropped}");
    assert_eq!(place.store.trim(&a, &trim(Duration::ZERO)).await.unwrap(), 8 - dropped);
    assert_eq!(numbers(&place, &a).await, [9]);
}

pub(crate) async fn the_newest_of_the_agent_server_is_never_trimmed(mut place: Place) {
    let a = filled(&place, 9, &[2, 6]).await;
    let nothing = Retention { max_events: 0, max_bytes: 0, max_age: Some(Duration::ZERO) };
    assert_eq!(place.store.trim(&a, &nothing).await.unwrap(), 5);
    assert_eq!(numbers(&place, &a).await, [6, 7, 8, 9]);
    assert_eq!(place.store.extent(&a).await.unwrap().source, Some((3, 6)));
    place.reopen().await;
    assert_eq!(place.store.trim(&a, &nothing).await.unwrap(), 0);
    let records = vec![event(10, 1, Some(10))];
    place.store.commit(&[Change::Events { session: a.clone(), records }]).await.unwrap();
    assert_eq!(place.store.trim(&a, &nothing).await.unwrap(), 4);
    assert_eq!(numbers(&place, &a).await, [10]);
}

pub(crate) async fn many_events_are_trimmed(place: Place) {
    let a = filled(&place, 7_000, &[]).await;
    assert_eq!(place.store.trim(&a, &Retention { max_events: 500, ..EVERYTHING }).await.unwrap(), 6_500);
    assert!(numbers(&place, &a).await.into_iter().eq(6_501..=7_000));
}
