//! The program itself: arguments, exit codes, sockets.

use std::process::Stdio;

use agcluster_tests::system::needed;
use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::harness::soon;

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
