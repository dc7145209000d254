//! Interrupts and limits.

use agcluster_tests::system::{Provider, System};
use anyhow::ensure;
use serde_json::json;

use super::{KEY, agent, outputs, said, terminal, turn};

pub(crate) async fn an_interrupt_ends_a_turn_that_streams(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    let mut chat = session.chat("@@gate half A sentence that will not be finished.").await?;
    chat.until("content_delta").await?;
    system.model().reached("half").await;
    ensure!(session.post("interrupt", json!({})).await?.status.is_success());
    let frames = chat.rest().await?;
    ensure!(terminal(&frames)["status"] == "interrupted", "{frames:#?}");
    let next = turn(&session, "@@text Still here.").await?;
    ensure!(said(&next) == "Still here.", "{next:#?}");
    system.stop().await
}

pub(crate) async fn an_interrupt_ends_a_command_that_runs(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    let mut chat = session.chat("@@bash sleep 987654\n@@text never said").await?;
    chat.until("tool_use").await?;
    ensure!(session.post("interrupt", json!({})).await?.status.is_success());
    let frames = chat.rest().await?;
    ensure!(terminal(&frames)["status"] == "interrupted", "{frames:#?}");
    let look = "@@bash for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $p 2>/dev/null | grep -a '^sleep 98765[4]' ; done; echo looked";
    let frames = turn(&session, look).await?;
    let output = outputs(&frames);
    ensure!(output.contains("looked") && !output.contains("sleep 987654"), "the command goes on: {output}");
    system.stop().await
}

pub(crate) async fn a_turn_ends_at_its_limit_of_model_calls(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let mut config = agent(&["Bash"]);
    config["max_turns"] = 2.into();
    let session = system.api(KEY).launch(config).await?;
    let frames = turn(&session, "@@bash echo 1\n@@bash echo 2\n@@bash echo 3\n@@text never said").await?;
    ensure!(
        *terminal(&frames) == json!({ "type": "complete", "status": "limit", "limit": "max_turns" }),
        "{frames:#?}"
    );
    let next = turn(&session, "@@text Next.").await?;
    ensure!(said(&next) == "Next.", "{next:#?}");
    system.stop().await
}
