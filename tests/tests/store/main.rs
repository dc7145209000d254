//! Stores: one behaviour suite over memory, SQLite and a real PostgreSQL, and what can go wrong with each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this is test code, also what is shared by tests"
)]

mod behaviour;
mod crash;
mod make;
mod model;
mod place;
mod postgres;
mod sqlite;

/// Makes a test of every case on memory and on SQLite, and a list of all cases for PostgreSQL, which runs one server for
/// all of them.
macro_rules! on_every_store {
    ($($case:ident)*) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $case() {
                crate::behaviour::$case(crate::place::Place::memory()).await;
            })*
        }
        mod on_sqlite {
            $(#[tokio::test]
            async fn $case() {
                crate::behaviour::$case(crate::place::Place::sqlite().await).await;
            })*
        }
        #[tokio::test]
        async fn all_behaviour_on_postgres() {
            let server = agcluster_tests::postgres::Postgres::start().await.unwrap();
            $(eprintln!("on PostgreSQL: {}", stringify!($case));
            crate::behaviour::$case(crate::place::Place::postgres(&server).await).await;)*
        }
    };
}

on_every_store! {
    a_commit_is_made_whole_or_not_at_all
    the_same_commit_again_changes_nothing
    a_gap_is_refused
    what_belongs_to_no_session_is_refused
    events_come_in_pages_of_so_many_and_so_many_bytes
    an_event_comes_back_byte_for_byte
    a_session_knows_the_ends_of_its_events
    events_may_come_before_their_session
    old_events_are_trimmed_by_number
    old_events_are_trimmed_by_size
    old_events_are_trimmed_by_age
    the_newest_of_the_agent_server_is_never_trimmed
    many_events_are_trimmed
    a_removed_session_leaves_only_its_audit
    a_session_can_be_removed_and_made_again_at_once
    a_session_takes_the_place_of_what_was_kept_of_it
    turns_come_in_pages
    open_turns_come_oldest_first
    a_key_is_one_request_of_its_owner
    a_conversation_is_in_order_and_never_doubled
    configurations_are_kept_by_owner
    audit_rows_come_in_pages_and_never_twice
    values_of_the_installation_are_kept
    a_large_commit_is_made
    everything_is_there_after_opening_again
    random_changes_do_what_the_model_does
}
