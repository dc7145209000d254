use std::sync::Arc;

use super::super::fake::{Fake, id, spec};
use super::super::{CIRCUIT_OPEN, Operation};
use super::*;
use crate::provider::CapacityScope;

struct Two {
    first: Fake,
    second: Fake,
    both: Failover,
}

fn two() -> Two {
    let (first, second) = (Fake::new(), Fake::new());
    let both = Failover::new([("near", first.provider()), ("far", second.provider())]).unwrap();
    Two { first, second, both }
}

const FULL: ErrorKind = ErrorKind::Capacity(CapacityScope::Region);

#[tokio::test]
async fn the_first_is_taken_without_a_word() {
    let Two { first, second, both } = two();
    let made = both.create(spec("a")).await.unwrap();
    assert_eq!((made.id, made.warnings), (id("near:agc-a-g1"), vec![]));
    assert_eq!((first.calls().len(), second.calls().len()), (1, 0));
}

#[tokio::test]
async fn the_next_is_taken_with_the_reason() {
    let open =
        Error::new(ErrorKind::Unavailable, "fake", "create", "come back later").with_code(CIRCUIT_OPEN);
    let plain = |kind| Error::new(kind, "fake", "create", "details");
    for (error, why) in [
        (plain(FULL), "near has no room (details)"),
        (plain(ErrorKind::Quota), "near has reached the account's limit (details)"),
        (plain(ErrorKind::Timeout), "near took too long (details)"),
        (plain(ErrorKind::Unavailable), "near does not answer (details)"),
        (open, "near did not answer the last calls (come back later)"),
    ] {
        let Two { first, both, .. } = two();
        first.fail_with(error);
        let made = both.create(spec("a")).await.unwrap();
        assert_eq!(made.id, id("far:agc-a-g1"));
        assert_eq!(made.warnings, [format!("it runs on far, because {why}")]);
    }
}

#[tokio::test]
async fn what_must_be_mended_is_not_passed_over() {
    for kind in [ErrorKind::Auth, ErrorKind::Precondition, ErrorKind::Invalid, ErrorKind::AlreadyExists] {
        let Two { first, second, both } = two();
        first.fail(kind);
        assert_eq!(both.create(spec("a")).await.unwrap_err().kind(), kind);
        assert_eq!(second.calls(), []);
    }
}

#[tokio::test]
async fn no_room_anywhere_is_said_of_each() {
    let Two { first, second, both } = two();
    first.fail(FULL);
    second.fail(ErrorKind::Quota);
    let error = both.create(spec("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity(CapacityScope::Platform));
    assert_eq!(error.message().matches("a test lets this call fail").count(), 2, "{error}");
    second.fail(ErrorKind::Timeout);
    first.fail(FULL);
    let error = both.create(spec("a")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn a_lost_answer_leaves_no_second_container() {
    let Two { first, second, both } = two();
    first.plant(&spec("a"));
    first.fail(ErrorKind::Timeout);
    both.create(spec("a")).await.unwrap();
    assert_eq!((first.ids(), second.ids()), (vec![], vec!["agc-a-g1".to_owned()]));
}

#[tokio::test]
async fn what_could_not_be_cleared_is_cleared_with_the_session() {
    let Two { first, second, both } = two();
    first.plant(&spec("a"));
    first.fail(ErrorKind::Timeout).fail(ErrorKind::Unavailable);
    let made = both.create(spec("a")).await.unwrap();
    assert_eq!(first.ids().len(), 1);
    both.destroy(&made.id, DestroyOptions::default()).await.unwrap();
    assert_eq!((first.ids().len(), second.ids().len()), (0, 0));
}

#[tokio::test]
async fn a_repeated_create_finds_its_container_where_it_went() {
    let Two { first, second, both } = two();
    first.fail(FULL);
    let made = both.create(spec("a")).await.unwrap();
    assert_eq!(both.create(spec("a")).await.unwrap(), made);
    assert_eq!((first.ids().len(), second.ids().len()), (0, 1));
    both.destroy(&made.id, DestroyOptions::default()).await.unwrap();
    assert_eq!(both.create(spec("a")).await.unwrap().id, id("near:agc-a-g1"));
}

#[tokio::test]
async fn an_error_in_between_does_not_lead_a_repeated_create_elsewhere() {
    let Two { first, second, both } = two();
    first.fail(FULL);
    let made = both.create(spec("a")).await.unwrap();
    second.fail(ErrorKind::RateLimited { retry_after: None });
    both.create(spec("a")).await.unwrap_err();
    assert_eq!(both.create(spec("a")).await.unwrap(), made);
    assert_eq!(first.ids().len(), 0);
}

#[tokio::test]
async fn every_other_call_goes_to_the_one_that_has_the_container() {
    let Two { first, second, both } = two();
    assert_eq!(both.inspect(&id("far:x:y")).await.unwrap().id, id("far:x:y"));
    both.stop(&id("far:x"), StopOptions::default()).await.unwrap();
    both.exec(&id("far:x"), ExecOptions::new(["true"])).await.unwrap();
    assert_eq!(both.fork(&id("far:x"), spec("copy")).await.unwrap().id, id("far:agc-copy-g1"));
    assert_eq!(second.calls(), [Operation::Inspect, Operation::Stop, Operation::Exec, Operation::Fork]);
    assert_eq!(first.calls(), []);
}

#[tokio::test]
async fn an_id_of_nobody_is_gone_and_one_of_a_former_member_is_not() {
    let Two { both, .. } = two();
    assert_eq!(both.inspect(&id("never")).await.unwrap_err().kind(), ErrorKind::NotFound);
    both.destroy(&id("never"), DestroyOptions::default()).await.unwrap();
    let former = id("former:x");
    assert_eq!(both.endpoint(&former).await.unwrap_err().kind(), ErrorKind::Precondition);
    let error = both.destroy(&former, DestroyOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let Two { first, second, both } = two();
    first.plant(&spec("a"));
    second.plant(&spec("b"));
    let ids: Vec<_> = both.list(ListFilter::default()).await.unwrap().into_iter().map(|c| c.id.0).collect();
    assert_eq!(ids, ["near:agc-a-g1", "far:agc-b-g1"]);
    second.fail(ErrorKind::Unavailable);
    assert_eq!(both.list(ListFilter::default()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn it_is_well_if_one_is() {
    let Two { first, second, both } = two();
    first.fail(ErrorKind::Unavailable);
    assert_eq!(both.probe().await.unwrap().warnings, ["near: a test lets this call fail"]);
    first.fail(ErrorKind::Unavailable);
    second.fail(ErrorKind::Auth);
    assert_eq!(both.probe().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn what_one_cannot_do_none_does() {
    let (able, unable) = (Fake::new(), Fake::new().without_exec());
    let both = Failover::new([("able", able.provider()), ("unable", unable.provider())]).unwrap();
    assert_eq!(both.info().capabilities.exec, None);
    let error = both.exec(&id("able:x"), ExecOptions::new(["true"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(able.calls(), []);
}

#[test]
fn a_list_of_providers_names_each_once() {
    let provider = || Fake::new().provider();
    let none: [(&str, Arc<dyn ContainerProvider>); 0] = [];
    assert_eq!(Failover::new(none).unwrap_err().kind(), ErrorKind::Invalid);
    for names in [["a", "a"], ["a", ""], ["a:b", "c"]] {
        let error = Failover::new(names.map(|name| (name, provider()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
