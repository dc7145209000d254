//! What Claude Code must do whatever it runs in. Each case is given a provider.

mod asking;
mod failing;
mod isolation;
mod placing;
mod stopping;
mod tools;
mod words;

pub(crate) use asking::*;
pub(crate) use failing::*;
pub(crate) use isolation::*;
pub(crate) use placing::*;
pub(crate) use stopping::*;
pub(crate) use tools::*;
pub(crate) use words::*;

use agcluster_tests::system::{Frame, Session};
use serde_json::{Value, json};

/// The key of the launches; it must be found nowhere but in requests to the model API.
pub(crate) const KEY: &str = "sk-ant-test-6f1c9e0b7a";

/// A case that takes so long hangs: one takes seconds.
pub(crate) const LIMIT: std::time::Duration = std::time::Duration::from_secs(180);

/// Makes a test of every case on one provider.
#[macro_export]
macro_rules! claude_suite_on {
    ($provider:expr) => {
        $crate::claude_suite_on! { $provider =>
            text_streams_and_is_counted,
            a_stream_that_is_cut_on_the_way_goes_on_where_it_was,
            a_second_turn_remembers_the_first_and_costs_only_its_own,
            thinking_streams,
            prompts_model_and_settings_reach_the_model,
            bash_writes_a_file_that_is_in_the_workspace,
            parallel_tools_all_run_and_all_answer,
            a_tool_outside_the_allowed_ones_does_not_exist,
            todos_are_shown_as_a_list,
            a_sub_agent_of_the_team_does_work_of_its_own,
            an_mcp_server_over_stdio_works_with_credentials_of_the_launch,
            a_permission_that_is_given_lets_the_tool_run,
            a_permission_that_is_denied_keeps_the_tool_from_running,
            a_changed_input_is_what_runs,
            an_approval_is_answered_from_the_list_or_expires,
            an_approval_for_once_is_asked_again_and_one_for_the_session_is_not,
            a_question_is_asked_and_its_answer_reaches_the_agent,
            an_interrupt_ends_a_turn_that_streams,
            an_interrupt_ends_a_command_that_runs,
            a_turn_ends_at_its_limit_of_model_calls,
            errors_of_the_model_api_end_the_turn_with_a_reason,
            a_passing_error_is_retried_and_shown,
            a_program_that_dies_in_a_turn_ends_it_once_and_the_next_turn_remembers,
            a_wrong_base_url_of_the_launch_is_a_failed_turn,
            a_command_cannot_read_the_key,
            ten_sessions_work_at_once,
            a_session_runs_where_it_was_asked_for_and_leaves_nothing_there,
        }
    };
    ($provider:expr => $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let case = claude_suite::$case($provider);
                tokio::time::timeout(claude_suite::LIMIT, case).await.expect("the case hangs").unwrap();
            }
        )+
    };
}

/// A configuration with these tools, whose allowed tools run without asking.
fn agent(tools: &[&str]) -> Value {
    json!({ "allowed_tools": tools, "permission_mode": "acceptEdits", "model": "claude-sonnet-4-5" })
}

/// The same, but asking.
fn asking_agent(tools: &[&str]) -> Value {
    json!({ "allowed_tools": tools, "permission_mode": "default", "model": "claude-sonnet-4-5" })
}

/// Runs a turn to its end.
async fn turn(session: &Session, message: &str) -> anyhow::Result<Vec<Frame>> {
    session.chat(message).await?.rest().await
}

/// The data of all frames of a kind.
fn of_kind<'a>(frames: &'a [Frame], kind: &str) -> Vec<&'a Value> {
    frames.iter().filter(|frame| frame.kind() == kind).map(|frame| &frame.data["data"]).collect()
}

/// What the tools gave back, joined.
fn outputs(frames: &[Frame]) -> String {
    of_kind(frames, "tool_complete")
        .iter()
        .map(|data| format!("{}\n", data["output"].as_str().unwrap_or_default()))
        .collect()
}

/// What the agent said, joined.
fn said(frames: &[Frame]) -> String {
    of_kind(frames, "content").iter().map(|data| data["content"].as_str().unwrap_or_default()).collect()
}

/// The terminal frame.
fn terminal(frames: &[Frame]) -> &Value {
    frames.last().map_or(&Value::Null, |frame| &frame.data)
}
