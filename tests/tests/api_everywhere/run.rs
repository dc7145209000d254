//! Running the cases on a provider.

use std::time::{Duration, Instant};

use agcluster_core::conformance::{Failed, Outcome, Report, Row, Verdict};
use agcluster_tests::git_host::GitHost;
use agcluster_tests::ground::Provider;
use agcluster_tests::system::System;
use anyhow::Context;
use futures::future::{FutureExt, LocalBoxFuture};
use futures::stream::{self, StreamExt};

use crate::place::{Place, SCRIPTED, TOKEN};
use crate::{agent_server, configs, container, files, git, models, sessions, terminal, turns};

/// A case by name.
struct Case {
    name: &'static str,
    run: for<'a> fn(&'a Place<'a>) -> LocalBoxFuture<'a, anyhow::Result<Outcome>>,
}

macro_rules! cases {
    ($($module:ident :: { $($case:ident),+ $(,)? })+) => {
        &[$($(Case { name: stringify!($case), run: |place| $module::$case(place).boxed_local() }),+),+]
    };
}

const CASES: &[Case] = cases! {
    sessions::{
        a_session_is_launched_talked_to_and_removed,
        a_stream_goes_on_where_it_stopped,
        a_restarted_session_has_its_conversation,
    }
    files::{
        a_tree_is_made_read_renamed_and_deleted,
        uploads_come_in_and_archives_go_out,
        changes_are_told_as_they_happen,
    }
    git::{
        a_repository_is_cloned_changed_and_pushed,
    }
    terminal::{
        a_terminal_is_typed_into_resized_and_found_again,
        a_token_opens_one_terminal_once,
    }
    container::{
        a_command_streams_its_output_and_says_how_it_ended,
        variables_are_told_to_be_there,
        what_a_container_uses_is_measured,
        what_a_container_wrote_is_streamed,
    }
    turns::{
        a_turn_is_a_job_that_can_be_followed_and_cancelled,
        an_approval_is_answered_once,
        a_question_is_answered,
    }
    models::{
        openai_s_chat_answers_and_streams,
        openai_s_responses_answer_stream_and_go_on,
        anthropic_s_messages_answer_and_stream,
    }
    agent_server::{
        prompts_of_earlier_clients_are_answered_followed_and_stopped,
        the_workspace_of_earlier_clients_is_the_session_s,
    }
    configs::{
        a_configuration_is_tried_saved_launched_changed_and_removed,
    }
};

/// No case takes longer, or it hangs.
const LONGEST: Duration = Duration::from_secs(180);
/// How many run at a time.
const AT_A_TIME: usize = 4;

/// The names of all cases, in the order in which reports list them.
pub(crate) fn case_names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Runs every case on a provider, and looks for what they may have left there.
///
/// # Errors
/// When the provider cannot be had, or something is left. A case that fails is in the report.
pub(crate) async fn on(provider: Provider) -> anyhow::Result<Report> {
    let default = format!("--container-provider={}", provider.name());
    let system = System::start_with(provider, &["--git-plain-http", &default]).await?;
    std::fs::write(system.agent_configs().join("scripted.yaml"), SCRIPTED)?;
    system.configs().files().reload().await;
    let (repositories, host) = (GitHost::start(TOKEN).await?, system.host().await?);
    let mut rows: Vec<(usize, Row)> = stream::iter(CASES.iter().enumerate())
        .map(|(number, case)| {
            let place = Place::new(&system, &repositories, &host, case.name);
            async move { (number, run_one(case, &place).await) }
        })
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    rows.sort_by_key(|(number, _)| *number);
    system.stop().await?;
    repositories.stop().await?;
    Ok(Report { platform: provider.name(), rows: rows.into_iter().map(|(_, row)| row).collect() })
}

async fn run_one(case: &Case, place: &Place<'_>) -> Row {
    let begun = Instant::now();
    let ran = async {
        let outcome = (case.run)(place).await?;
        place.clear().await?;
        anyhow::Ok(outcome)
    };
    let ran = tokio::time::timeout(LONGEST, ran).await.context("it hangs").flatten();
    let verdict: Verdict = ran.map_err(|error: anyhow::Error| Failed(format!("{error:#}")));
    Row { case: case.name, verdict, took: begun.elapsed() }
}
