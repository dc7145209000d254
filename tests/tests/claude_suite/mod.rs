//! What Claude Code must do whatever it runs in. Each case is given a provider.

mod asking;
mod failing;
mod isolation;
mod stopping;
mod tools;
mod words;

pub(crate) use asking::*;
pub(crate) use failing::*;
pub(crate) use isolation::*;
pub(crate) use stopping::*;
pub(crate) use tools::*;
pub(crate) use words::*;

use agcluster_tests::system::{Frame, Session};
use serde_json::{Value, json};

/// The key of the launches; it must be found nowhere but in requests to the model API.
pub(crate) const KEY: &str = "sk-ant-test-6f1c9e0b7a";

/// A case that takes so long hangs: one takes seconds.
pub(crate) const LIMIT: std::time::Duration = std::time::Duration::from_secs(180);

/// Makes a test of each case on one provider.
#[macro_export]
macro_rules! on {
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
