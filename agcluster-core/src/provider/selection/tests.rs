use super::*;
use crate::layers::CIRCUIT_OPEN;
use crate::layers::fake::{Fake, spec};
use crate::provider::{CapacityScope, ErrorKind};

const FULL: ErrorKind = ErrorKind::Capacity(CapacityScope::Region);

struct Two {
    near: Fake,
    far: Fake,
    both: Selection,
}

fn two() -> Two {
    let (near, far) = (Fake::new(), Fake::new());
    let both = Selection::new(("near".to_owned(), near.provider()), [("far".to_owned(), far.provider())]);
    Two { near, far, both }
}

#[tokio::test]
async fn the_first_is_taken_without_a_word() {
    let Two { near, far, both } = two();
    let placed = both.create(spec("a")).await.unwrap();
    assert_eq!((placed.name.as_str(), placed.container.id.0.as_str()), ("near", "agc-a-g1"));
    assert!(placed.passed_over.is_empty() && placed.warnings().is_empty());
    assert_eq!((near.ids().len(), far.calls().len()), (1, 0));
}

#[tokio::test]
async fn the_next_is_taken_with_the_reason_and_holds_the_container_itself() {
    let Two { near, far, both } = two();
    near.fail(FULL);
    let placed = both.create(spec("a")).await.unwrap();
    assert_eq!(placed.warnings(), ["it runs on far, because near has no room (a test lets this call fail)"]);
    assert_eq!(placed.passed_over[0].0, "near");
    assert_eq!(both.current().0, "far");
    placed.provider.destroy(&placed.container.id, DestroyOptions::default()).await.unwrap();
    assert!(far.ids().is_empty());
}

#[tokio::test]
async fn what_must_be_mended_is_not_passed_over() {
    for kind in [ErrorKind::Auth, ErrorKind::Precondition, ErrorKind::Invalid] {
        let Two { near, far, both } = two();
        near.fail(kind);
        assert_eq!(both.create(spec("a")).await.unwrap_err().kind(), kind);
        assert_eq!(far.calls(), []);
    }
}

#[tokio::test]
async fn one_name_is_that_provider_and_its_own_error() {
    let near = Fake::new();
    let one = Selection::new(("near".to_owned(), near.provider()), []);
    near.fail(FULL);
    let error = one.create(spec("a")).await.unwrap_err();
    assert_eq!((error.platform(), error.kind()), ("fake", FULL));
}

#[tokio::test]
async fn no_room_anywhere_is_said_of_each() {
    let Two { near, far, both } = two();
    near.fail(FULL);
    far.fail(ErrorKind::Quota);
    let error = both.create(spec("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity(CapacityScope::Platform));
    assert_eq!(error.message().matches("a test lets this call fail").count(), 2, "{error}");
}

#[tokio::test]
async fn a_lost_answer_leaves_no_second_container() {
    let Two { near, far, both } = two();
    near.plant(&spec("a"));
    near.fail(ErrorKind::Timeout);
    let placed = both.create(spec("a")).await.unwrap();
    assert!(placed.uncleared.is_empty());
    assert_eq!((near.ids().len(), far.ids().len()), (0, 1));
}

#[tokio::test]
async fn what_could_not_be_cleared_is_named_and_can_be_cleared_later() {
    let Two { near, both, .. } = two();
    near.plant(&spec("a"));
    near.fail(ErrorKind::Timeout).fail(ErrorKind::Unavailable);
    let placed = both.create(spec("a")).await.unwrap();
    assert_eq!(placed.uncleared, ["near"]);
    both.clear_from("near", "a").await.unwrap();
    assert!(near.ids().is_empty());
}

#[tokio::test]
async fn an_open_circuit_leaves_nothing_to_clear() {
    let Two { near, both, .. } = two();
    let open =
        Error::new(ErrorKind::Unavailable, "fake", "create", "come back later").with_code(CIRCUIT_OPEN);
    near.fail_with(open);
    assert_eq!(both.create(spec("a")).await.unwrap().name, "far");
    assert_eq!(near.calls().len(), 1);
}

#[tokio::test]
async fn a_repeated_create_begins_where_the_last_one_was() {
    let Two { near, far, both } = two();
    near.fail(FULL);
    both.create(spec("a")).await.unwrap();
    assert_eq!(both.create(spec("a")).await.unwrap().name, "far");
    assert_eq!((near.ids().len(), far.ids().len()), (0, 1));
}

#[tokio::test]
async fn only_who_was_asked_is_cleared_and_all_of_them_are() {
    let Two { near, far, both } = two();
    both.clear("a").await.unwrap();
    assert!(near.calls().is_empty() && far.calls().is_empty());
    near.fail(FULL);
    both.create(spec("a")).await.unwrap();
    near.plant(&spec("a"));
    near.fail(ErrorKind::Unavailable);
    assert_eq!(both.clear("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!((near.ids().len(), far.ids().len()), (1, 0));
    both.clear("a").await.unwrap();
    assert!(near.ids().is_empty());
}
