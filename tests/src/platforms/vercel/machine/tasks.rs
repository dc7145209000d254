//! Machines that are tasks of this process: the only command in one is the agent server, and no file is in it.

use agcluster_core::protocol::TOKEN_DIGEST_ENV;
use anyhow::{Context, bail, ensure};
use futures::StreamExt;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::{Execution, Output};
use crate::platforms::agents::AgentTask;

/// The process id of the agent server, as its command announces it.
const PID: &str = "7";

/// One machine.
#[derive(Debug, Clone)]
pub(in super::super) struct Task {
    agent: AgentTask,
    /// Cancelled when its agent server was told to end.
    ended: CancellationToken,
}

impl Task {
    pub(super) async fn boot() -> anyhow::Result<Self> {
        Ok(Self { agent: AgentTask::place().await?, ended: CancellationToken::new() })
    }

    pub(super) fn end(&self) {
        self.agent.end();
    }

    pub(super) fn address(&self) -> String {
        self.agent.address().to_string()
    }

    /// The agent server. It is told apart from other commands by its token's digest.
    pub(super) async fn start(&self, env: &[String]) -> anyhow::Result<Execution> {
        let digest = env.iter().find_map(|entry| entry.strip_prefix(TOKEN_DIGEST_ENV)?.strip_prefix('='));
        self.agent.start(digest.context("only the agent server can be run in this machine")?).await?;
        let pid = stream::iter([Ok(Output::Stdout(format!("{PID}\n").into()))]);
        let ended = self.ended.clone();
        let nothing_more = stream::once(async move { ended.cancelled().await }).filter_map(async |()| None);
        Ok(Execution { id: PID.to_owned(), output: pid.chain(nothing_more).boxed() })
    }

    /// `None` while it runs: its machine ended before it did.
    pub(super) fn exit_code(&self) -> Option<i64> {
        self.ended.is_cancelled().then_some(0)
    }

    /// Only its agent server can be ended.
    pub(super) async fn run(&self, command: &[&str]) -> anyhow::Result<(i64, Vec<u8>)> {
        ensure!(command.first() == Some(&"kill") && command.last() == Some(&PID), "{command:?} in a task");
        if self.ended.is_cancelled() {
            bail!("the agent server has ended already");
        }
        self.agent.stop().await;
        self.ended.cancel();
        Ok((0, Vec::new()))
    }
}
