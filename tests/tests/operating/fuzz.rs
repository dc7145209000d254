//! The server against its own description, with requests that a program makes up, and its events against theirs.

use std::path::Path;
use std::time::Duration;

use agcluster_tests::system::{Provider, System, needed};
use anyhow::Context;
use serde_json::{Value, json};
use tokio::process::Command;

const KEY: &str = "a-key-of-the-fuzz";
/// Not among them: whether every request that fits its schema is taken and none that does not, since requests have rules that no schema says; and whether a
/// made-up key is refused, since any key is that of somebody who has no session yet; and whether `Allow` has no other method than the description of a path,
/// since a file may be called as something that is done with files.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
     response_schema_conformance,missing_required_header,unsupported_method";

/// A run takes some twenty seconds.
const LIMIT: Duration = Duration::from_secs(300);
/// Streams in which nothing happens, so that there is no event to stop at.
const SILENT: &str = "^(stream_(approvals|tools)|watch_(files|resources)|get_logs|connect_terminal.*)$";
/// What is not asked of the session that is there: its commands would run on this machine, since it has no container.
const DANGEROUS: &str = "^(exec|delete_session)$";

pub(super) async fn python(arguments: &[&str], folder: &Path) -> anyhow::Result<()> {
    let python = needed("AGCLUSTER_PYTHON")?;
    let running = Command::new(python).args(arguments).current_dir(folder).kill_on_drop(true).output();
    let output = tokio::time::timeout(LIMIT, running).await.context("it does not come to an end")??;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), "{said}");
    Ok(())
}

async fn fuzz(system: &System, settings: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), settings).unwrap();
    let description = system.api(KEY).url("/openapi.json");
    let arguments = ["-m", "schemathesis.cli", "--no-color", "run", &description, "--checks", CHECKS];
    python(&arguments, folder.path()).await.unwrap_or_else(|said| panic!("{said}"));
}

/// What both runs have in common. Streams are read for some events only; the seed makes a finding come again.
fn settings(examples: u32) -> String {
    format!(
        "seed = 1\ncontinue-on-failure = true\nmax-stream-events = 3\nrequest-timeout = 20\nwarnings = false\n\
         headers = {{ Authorization = \"Bearer {KEY}\" }}\n\
         [generation]\nmax-examples = {examples}\n\
         [phases.stateful]\nenabled = false\n\
         [[operations]]\ninclude-operation-id-regex = \"{SILENT}\"\nenabled = false\n"
    )
}

#[tokio::test]
async fn requests_for_what_is_not_there_get_no_answer_that_is_not_described() {
    let system = System::start(Provider::Memory).await.unwrap();
    fuzz(&system, &settings(8)).await;
    system.stop().await.unwrap();
}

#[tokio::test]
async fn requests_for_a_session_and_its_jobs_get_no_answer_that_is_not_described() {
    let system = System::start(Provider::Memory).await.unwrap();
    let session = system.api(KEY).launch(json!({ "driver": "scripted" })).await.unwrap();
    let chat = format!("/api/agents/{}/chat", session.id);
    let begun = json!({ "message": "@@say hello", "background": true });
    let job = system.api(KEY).post(&chat, begun).await.unwrap().body["job_id"].as_str().unwrap().to_owned();
    let settings = format!(
        "{}[[operations]]\ninclude-tag-regex = \"^(Sessions|Chat|Git|Files|Terminal|Resources)$\"\nparameters = {{ \"path.id\" = \"{}\" }}\n\
         [[operations]]\ninclude-tag = \"Jobs\"\nparameters = {{ \"path.id\" = \"{job}\" }}\n\
         [[operations]]\ninclude-operation-id-regex = \"{DANGEROUS}\"\nenabled = false\n",
        settings(8),
        session.id
    );
    fuzz(&system, &settings).await;
    system.stop().await.unwrap();
}

#[tokio::test]
async fn every_event_is_as_it_is_described() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let golden = std::fs::read_to_string(root.join("agcluster-protocol/tests/golden/events.snap")).unwrap();
    let events: Value = serde_json::from_str(golden.splitn(3, "---\n").nth(2).unwrap()).unwrap();
    assert!(events.as_array().unwrap().len() > 30);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.json"), events.to_string()).unwrap();
    let description = root.join("docs/api/openapi.json").canonicalize().unwrap().display().to_string();
    python(&["-c", include_str!("fuzz/events.py"), &description, "events.json"], folder.path())
        .await
        .unwrap();
}
