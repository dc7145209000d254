//! The record forgets the oldest, and wakes who waits.

use super::*;

fn add(record: &Arc<Record>, body: &'static str) -> Ticket {
    record.add(Method::POST, "/v1/messages".to_owned(), HeaderMap::new(), Bytes::from_static(body.as_bytes()))
}

fn numbers(record: &Record) -> Vec<u64> {
    record.requests().iter().map(|request| request.number()).collect()
}

#[test]
fn it_is_bounded_in_number_and_in_bytes() {
    let record = Arc::new(Record::new(3, 10));
    for _ in 0..5 {
        add(&record, "1");
    }
    assert_eq!(numbers(&record), [3, 4, 5]);
    add(&record, "123456789");
    assert_eq!(numbers(&record), [5, 6]);
    // The newest stays, however long.
    add(&record, "1234567890123");
    assert_eq!(numbers(&record), [7]);
}

#[test]
fn a_ticket_dropped_without_a_word_is_a_client_that_left() {
    let record = Arc::new(Record::new(9, 99));
    drop(add(&record, "1"));
    let ticket = add(&record, "2");
    ticket.settle(Outcome::Answered(200));
    drop(ticket);
    let open = add(&record, "3");
    let outcomes: Vec<_> = record.requests().iter().map(|request| request.outcome()).collect();
    assert_eq!(outcomes, [Some(Outcome::Disconnected), Some(Outcome::Answered(200)), None]);
    drop(open);
}

#[tokio::test]
async fn waiting_sees_requests_and_outcomes_of_before_and_after() {
    let record = Arc::new(Record::new(9, 99));
    let first = add(&record, "1");
    assert_eq!(record.wait_for(|_| true).await.number(), 1);
    let waiting = {
        let record = Arc::clone(&record);
        tokio::spawn(async move { record.wait_for(|request| request.outcome().is_some()).await.number() })
    };
    let second = add(&record, "2");
    second.settle(Outcome::Answered(400));
    assert_eq!(waiting.await.expect("no panic"), 2);
    drop(first);
}

#[test]
fn violations_are_bounded_and_say_which_request() {
    let record = Arc::new(Record::new(9, 99));
    let ticket = add(&record, "1");
    for _ in 0..1100 {
        ticket.violation("model: a non-empty string is required".to_owned());
    }
    let violations = record.violations();
    assert_eq!(violations.len(), 1000);
    assert_eq!(violations[0].to_string(), "request 1: model: a non-empty string is required");
}
