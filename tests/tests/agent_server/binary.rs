//! The program itself: arguments, exit codes, sockets.

use std::process::Stdio;

use agcluster_tests::system::needed;
use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::harness::{below, is_root, soon};

fn binary() -> anyhow::Result<Command> {
    let mut command = Command::new(needed("AGCLUSTER_AGENT_BINARY")?);
    command.env_clear().stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Exit code and the last line of the standard error.
async fn ends(command: &mut Command) -> anyhow::Result<(i32, String)> {
    let output = soon("the end of the program", command.output()).await??;
    let text = String::from_utf8(output.stderr)?;
    let last = text.lines().last().unwrap_or_default().to_owned();
    Ok((output.status.code().context("it was killed")?, last))
}

#[tokio::test]
async fn a_bad_set_up_is_said_in_one_sentence() -> anyhow::Result<()> {
    let digest = "0".repeat(64);
    let (code, says) = ends(&mut binary()?).await?;
    ensure!(code == 2 && says.contains("set AGCLUSTER_TOKEN_SHA256"), "{code} {says}");
    let (code, says) = ends(binary()?.env("AGCLUSTER_TOKEN_SHA256", "short")).await?;
    ensure!(code == 2 && says.contains("64 hexadecimal digits"), "{code} {says}");
    let mut root = binary()?;
    let (code, says) =
        ends(root.env("AGCLUSTER_TOKEN_SHA256", &digest).env("AGCLUSTER_AGENT_UID", "0")).await?;
    ensure!(code == 2 && says.contains("AGCLUSTER_AGENT_UID"), "{code} {says}");
    let mut nowhere = binary()?;
    nowhere.env("AGCLUSTER_TOKEN_SHA256", &digest).args(["--listen", "unix:/nonexistent/socket"]);
    let (code, says) = ends(&mut nowhere).await?;
    ensure!(code == 3 && says.contains("cannot listen on unix:/nonexistent/socket"), "{code} {says}");
    let (code, _) = ends(binary()?.args(["--listen", "nonsense"])).await?;
    ensure!(code == 2, "{code}");
    let (code, says) = ends(binary()?.args(["healthcheck", "http://127.0.0.1:1"])).await?;
    ensure!(code == 3 && says.contains("no healthy agent server"), "{code} {says}");
    Ok(())
}

#[tokio::test]
async fn as_the_first_process_it_passes_signals_on_and_exits_as_the_server_does() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("socket");
    let mut unshare = Command::new("unshare");
    // A world of processes of its own, in which the first one it starts has the id 1.
    if !is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(needed("AGCLUSTER_AGENT_BINARY")?)
        .arg("--listen")
        .arg(format!("unix:{}", socket.display()))
        .env("AGCLUSTER_TOKEN_SHA256", "0".repeat(64))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let mut process = unshare.spawn().context("`unshare` cannot be run: install util-linux")?;
    let id = process.id().context("it has no id")?;
    soon("the socket", async {
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    let below = below(id);
    // The init, and the server as its child.
    ensure!(below.len() == 2, "{below:?}");
    let told = std::process::Command::new("kill").arg(below[0].to_string()).status()?;
    ensure!(told.success(), "it cannot be told to end");
    let status = soon("the end", process.wait()).await??;
    ensure!(status.code() == Some(0), "it ended with {status}");
    Ok(())
}
