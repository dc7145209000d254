//! A program that does not start as it should.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agcluster_protocol::{Configure, DriverKind, ModelAccess, Secret};
use tempfile::TempDir;

use crate::driver::claude::start;
use crate::driver::{DriverError, Ready};
use crate::log::EventLog;
use crate::program::ProcessTree;
use crate::recorder::Recorder;
use crate::{ReplayLimits, ServerConfig, TokenDigest};

/// Starts a shell script as if it were the program.
async fn start_script(folder: &Path, script: &str, limit: Duration) -> Result<Ready, DriverError> {
    let mut config = ServerConfig::new(TokenDigest::of("t"));
    config.programs.claude = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/claude");
    config.workspace = folder.join("workspace");
    config.start_timeout = limit;
    let mut configure = Configure {
        session: "s".to_owned(),
        generation: 1,
        driver: DriverKind::Claude,
        options: Default::default(),
        model_access: Some(ModelAccess {
            base_url: "http://127.0.0.1:1".to_owned(),
            api_key: Secret::new("sk-the-key"),
        }),
        resume: None,
        transcript: Vec::new(),
        files: std::collections::BTreeMap::new(),
        acknowledges: false,
    };
    for (name, value) in [("TOKEN", "a-secret-token"), ("SCRIPT", script)] {
        configure.options.env.insert(name.to_owned(), Secret::new(value));
    }
    let recorder = Recorder::new(Arc::new(EventLog::new(ReplayLimits::default())), 1);
    start(Arc::new(config), ProcessTree::new(false), configure, recorder).await
}

async fn refused(script: &str, limit: Duration) -> (TempDir, DriverError) {
    let folder = tempfile::tempdir().unwrap();
    let error = start_script(folder.path(), script, limit).await.err().expect("it started");
    (folder, error)
}

fn pid(folder: &TempDir) -> PathBuf {
    let pid = std::fs::read_to_string(folder.path().join("workspace/pid")).unwrap();
    PathBuf::from("/proc").join(pid.trim())
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_program_that_ends_says_why_without_secrets() {
    let (_folder, error) = refused("echo \"bad token $TOKEN\" >&2; exit 7", LONG).await;
    let text = "Claude Code ended with code 7 before it was ready: bad token [redacted]";
    assert!(matches!(&error, DriverError::StartFailed(says) if says == text), "{error}");
}

#[tokio::test]
async fn a_program_that_refuses_is_not_started() {
    let refuses = r#"read -r line
        echo '{"type":"control_response","response":{"subtype":"error","request_id":"initialize","error":"no"}}'; cat"#;
    let (_folder, error) = refused(refuses, LONG).await;
    assert!(error.to_string().contains("refuses its configuration: no"), "{error}");
}

#[tokio::test]
async fn a_program_that_says_nothing_is_given_up_and_killed() {
    // Long enough for a busy machine to start a shell, and to have the test fail when it is not kept.
    let limit = Duration::from_secs(10);
    let (folder, error) = refused("echo $$ > pid; exec sleep 1000", limit).await;
    assert!(matches!(error, DriverError::Timeout(_)), "{error}");
    let (pid, since) = (pid(&folder), Instant::now());
    while pid.join("exe").exists() {
        assert!(since.elapsed() < LONG, "the program lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_program_that_is_ready_is_known_by_its_version() {
    let ready = r#"read -r line
        echo 'not JSON at all'
        echo '{"type":"control_response","response":{"subtype":"success","request_id":"initialize","response":{"claude_code_version":"1.2.3"}}}'
        cat > /dev/null"#;
    let folder = tempfile::tempdir().unwrap();
    let ready = start_script(folder.path(), ready, LONG).await.unwrap();
    assert_eq!(ready.agent, "claude 1.2.3");
    assert!(ready.conversation.is_some());
}

#[tokio::test]
async fn a_working_directory_that_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("workspace"), "a file").unwrap();
    let error = start_script(folder.path(), "true", LONG).await.err().unwrap();
    assert!(matches!(&error, DriverError::Invalid(text) if text.contains("cannot be made")), "{error}");
}
