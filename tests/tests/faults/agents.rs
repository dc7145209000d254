//! Containers, agent programs and agent servers that end or stand still.

use std::time::Duration;

use agcluster_core::provider::{ContainerId, ExecOptions};
use agcluster_tests::system::{Installation, Plan, Provider};
use anyhow::{Context, ensure};
use bollard::Docker;
use bollard::query_parameters::KillContainerOptions;
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{container, deltas, journal, of_type, scripted, soon, until_status};

/// How long an agent server stands still.
const STILL: Duration = Duration::from_secs(4);
/// Kills the Claude program, as the user that it runs as.
const KILL_CLAUDE: &str = r#"for p in /proc/[0-9]*; do case "$(readlink "$p/exe")" in */claude) kill -9 "${p#/proc/}" && exit 0 ;; esac; done; exit 1"#;

#[tokio::test]
async fn a_killed_container_is_said_and_a_restart_goes_on_with_the_conversation() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Docker), async |installation| {
        let session = scripted(installation).await?;
        session.ask("My word is PINEAPPLE.").await?;
        let mut chat = session.chat("@@say begun\n@@hang").await?;
        deltas(&mut chat, 1).await?;
        let id = container(installation, &session).await?;
        let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
        docker.kill_container(&id, None::<KillContainerOptions>).await?;
        let frames = soon("the end of the turn", chat.rest()).await?;
        let last = frames.last().context("no frames")?;
        ensure!(last.data["code"] == "container_lost", "{:?}", last.data);
        until_status(&session, "failed").await?;
        let look = session.get().await?.body;
        let reason = look["reason"].as_str().unwrap_or_default();
        ensure!(look["status"] == "failed" && reason.contains("its container"), "{look}");
        let refused = session.ask("hello?").await?;
        ensure!(refused.status == StatusCode::CONFLICT, "{}", refused.body);

        let restarted = session.post("restart", json!({})).await?;
        ensure!(restarted.status == StatusCode::OK, "{}", restarted.body);
        let recalled = session.ask("@@recall").await?.body;
        ensure!(recalled.to_string().contains("PINEAPPLE"), "{recalled}");
        ensure!(session.get().await?.body["generation"] == 2, "it is no new container");
        let events = journal(&session).await?;
        let failed = of_type(&events, "turn_ended").filter(|end| end["outcome"] == "failed").count();
        ensure!(failed == 1, "{failed} turns failed");
        session.delete().await?;
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn a_killed_agent_program_is_started_again_and_its_turn_fails_once() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Docker), async |installation| {
        let config = json!({ "allowed_tools": ["Bash"], "permission_mode": "acceptEdits" });
        let session = installation.api(super::KEY).launch(config).await?;
        session.ask("@@text I remember the word PINEAPPLE.").await?;
        let mut chat = session.chat("@@gate never This is not read to its end.").await?;
        soon("the gate", async {
            installation.model().reached("never").await;
            Ok(())
        })
        .await?;
        let id = ContainerId(container(installation, &session).await?);
        let kill = ExecOptions::new(["/bin/sh", "-c", KILL_CLAUDE]);
        let killed = installation.platform().await?.exec(&id, kill).await?;
        ensure!(killed.exit_code == 0, "no program was killed");
        let ended = soon("the end of the turn", async {
            while let Some(frame) = chat.next().await? {
                if matches!(frame.data["type"].as_str(), Some("error" | "complete")) {
                    return Ok(frame.data);
                }
            }
            anyhow::bail!("the chat has no end")
        })
        .await?;
        ensure!(ended["code"] == "agent_exited", "{ended}");
        installation.model().open("never");
        let again = soon("the next turn", session.ask("@@text Here I am.")).await?;
        ensure!(again.body["content"] == "Here I am.", "{}", again.body);
        let remembers =
            installation.model().requests().into_iter().rev().find(|request| request.is_messages());
        let body = remembers.map(|request| request.json().to_string()).unwrap_or_default();
        ensure!(body.contains("PINEAPPLE"), "the conversation was lost");
        let look = session.get().await?.body;
        ensure!(look["status"] == "running" && look["generation"] == 1, "{look}");
        session.delete().await?;
        Ok(())
    }))
    .await
}

#[tokio::test]
async fn an_agent_server_that_stands_still_loses_nothing() -> anyhow::Result<()> {
    Box::pin(Installation::with(Plan::on(Provider::Process), async |installation| {
        let session = scripted(installation).await?;
        let mut chat = session.chat("@@stream 150 every 20ms of 20 bytes").await?;
        deltas(&mut chat, 10).await?;
        let pid = agent_server(installation).await?;
        kill_process(pid, Signal::STOP)?;
        tokio::time::sleep(STILL).await;
        // It is only still: nothing is given up yet.
        ensure!(session.get().await?.body["status"] == "running", "it was given up");
        kill_process(pid, Signal::CONT)?;
        let frames = soon("the end of the turn", chat.rest()).await?;
        ensure!(frames.last().is_some_and(|last| last.data["type"] == "complete"), "{:?}", frames.last());
        let events = journal(&session).await?;
        let streamed = of_type(&events, "text_delta")
            .filter(|event| event["text"].as_str().is_some_and(|text| text.len() == 20));
        ensure!(streamed.count() == 150, "events were lost");
        session.delete().await?;
        Ok(())
    }))
    .await
}

/// The process of the only agent server.
async fn agent_server(installation: &Installation) -> anyhow::Result<Pid> {
    let records = installation.state_folder().context("no state folder")?.join("records");
    let record = std::fs::read_dir(records)?.next().context("no record")??.path();
    let record: Value = serde_json::from_slice(&std::fs::read(record)?)?;
    let pid = record["process"]["pid"].as_i64().with_context(|| format!("no process: {record}"))?;
    Pid::from_raw(i32::try_from(pid)?).context("no process")
}
