//! Running the cases.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};

use super::{
    Context, Failed, Report, Row, Verdict, endpoint, inside, lifecycle, listing, optional, workspace,
};

/// A case by name.
struct Case {
    name: &'static str,
    run: for<'a> fn(&'a Context) -> BoxFuture<'a, Verdict>,
}

macro_rules! cases {
    ($($module:ident :: { $($case:ident),+ $(,)? })+) => {
        &[$($(Case { name: stringify!($case), run: |context| $module::$case(context).boxed() }),+),+]
    };
}

const CASES: &[Case] = cases! {
    lifecycle::{
        info_does_not_change,
        probe_answers,
        create_makes_a_container_that_answers,
        create_twice_adopts,
        create_starts_what_stands_still,
        creates_of_one_container_at_once_agree,
        creates_of_five_containers_at_once_all_answer,
        a_dropped_create_can_be_repeated,
        an_image_is_used_or_refused,
        stop_keeps_the_container_and_is_idempotent,
        destroy_leaves_nothing_and_is_idempotent,
        destroy_takes_a_container_in_any_state,
        a_container_outlives_its_provider,
    }
    listing::{
        labels_survive_the_platform,
        lists_are_filtered_by_cluster_and_session,
        what_is_unknown_is_not_found,
        a_lifetime_is_told,
    }
    endpoint::{
        a_stopped_container_has_no_endpoint,
        only_the_right_token_is_taken,
    }
    workspace::{
        a_workspace_is_kept_for_the_next_generation,
        a_workspace_is_removed_with_its_container,
        two_containers_do_not_share,
    }
    optional::{
        start_is_as_claimed,
        pause_is_as_claimed,
        snapshot_is_as_claimed,
        fork_is_as_claimed,
        extend_is_as_claimed,
        logs_are_as_claimed,
        stats_are_as_claimed,
    }
    inside::{
        exec_is_as_claimed,
        exec_is_bounded,
        archives_are_as_claimed,
        environment_reaches_the_container,
        limits_are_as_claimed,
    }
};

/// The names of all cases, in the order in which reports list them.
pub fn case_names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// No case takes longer, or it hangs.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs every case. Whatever happens in one, the others run, and everything it made is removed.
///
/// Dropping the future ends the cases that run and leaves their containers behind, labelled with clusters that begin
/// with the run's name.
pub async fn run_all(context: &Context) -> Report {
    let mut rows: Vec<(usize, Row)> = stream::iter(CASES.iter().enumerate())
        .map(|(number, case)| async move { (number, run_one(case, context.for_case(number)).await) })
        .buffer_unordered(context.concurrency())
        .collect()
        .await;
    rows.sort_by_key(|(number, _)| *number);
    Report {
        platform: context.provider().info().platform,
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
}

async fn run_one(case: &Case, context: Context) -> Row {
    let begun = Instant::now();
    let verdict = bounded((case.run)(&context)).await;
    let cleaned = bounded(context.clean_up().boxed()).await;
    // What went wrong first is what to look at.
    let verdict = verdict.and_then(|outcome| cleaned.map(|()| outcome));
    Row { case: case.name, verdict, took: begun.elapsed() }
}

/// The same, ending also when it hangs or panics.
async fn bounded<T>(work: BoxFuture<'_, Result<T, Failed>>) -> Result<T, Failed> {
    match tokio::time::timeout(LONGEST, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
            Err(Failed(format!("it panicked: {text}")))
        }
        Err(_) => Err(Failed(format!("it did not end within {LONGEST:?}"))),
    }
}
