//! What is special about the `process` provider: it outlives who started it, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use agcluster_core::protocol::{Configure, DriverKind};
use agcluster_core::provider::{
    Address, ContainerProvider, ContainerState, DestroyOptions, ErrorKind, ListFilter, StopOptions,
};
use agcluster_providers::process::{ProcessConfig, ProcessProvider};
use support::Session;

/// The state folder of a provider that is to be killed, for the process that plays it.
const VICTIM: &str = "AGCLUSTER_TEST_VICTIM_STATE";

fn config(state: &Path) -> ProcessConfig {
    ProcessConfig {
        agent_binary: Some(support::agent_binary()),
        state_dir: Some(state.to_owned()),
        ..ProcessConfig::default()
    }
}

fn provider(state: &Path) -> ProcessProvider {
    ProcessProvider::new(config(state)).unwrap()
}

/// This test runs itself a second time as the provider that is killed.
#[tokio::test]
async fn a_container_is_found_and_reached_after_its_provider_was_killed() {
    let session = Session::new("recovery", "survivor");
    if let Some(state) = std::env::var_os(VICTIM) {
        provider(Path::new(&state)).create(session.spec).await.unwrap();
        println!("created");
        return std::future::pending().await;
    }
    let state = support::state_dir();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_container_is_found_and_reached_after_its_provider_was_killed", "--nocapture"])
        .env(VICTIM, state.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("created")), "the other process made no container");
    victim.kill().unwrap();
    assert_eq!(victim.wait().unwrap().signal(), Some(9));

    let provider = provider(state.path());
    let found = provider.list(ListFilter::cluster("recovery")).await.unwrap();
    assert_eq!((found.len(), &found[0].state), (1, &ContainerState::Running));
    assert_eq!(found[0].labels, session.spec.labels);
    let (_, before) = session.client(&provider).await;
    let adopted = provider.create(session.spec.clone()).await.unwrap();
    let (_, after) = session.client(&provider).await;
    assert_eq!((adopted.id, after.instance), (found[0].id.clone(), before.instance));
    provider.stop(&found[0].id, StopOptions::default()).await.unwrap();
    provider.destroy(&found[0].id, DestroyOptions::default()).await.unwrap();
    assert!(provider.list(ListFilter::default()).await.unwrap().is_empty());
}

/// An agent program that starts a process of its own session, writes down both, and never gets ready.
const PROGRAM: &str = "#!/bin/sh\nsetsid sleep 100000 &\nown=$!\nsleep 100000 &\necho $$ $own $! > pids.new\nmv pids.new pids\nwait\n";

/// A container in which that program runs, and its processes: the program, the one with a session of its own, a common
/// child.
async fn busy(state: &Path) -> (ProcessProvider, Session, Vec<u32>) {
    let program = state.join("program");
    fs::write(&program, PROGRAM).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let config = ProcessConfig { claude: Some(program), ..config(state) };
    let provider = ProcessProvider::new(config).unwrap();
    let session = Session::new("busy", "busy");
    provider.create(session.spec.clone()).await.unwrap();
    let (client, _) = session.client(&provider).await;
    let configure = Configure {
        session: "busy".to_owned(),
        generation: 1,
        driver: DriverKind::Claude,
        options: Default::default(),
        model_access: Some(agcluster_core::protocol::ModelAccess {
            base_url: "http://127.0.0.1:9".to_owned(),
            api_key: agcluster_core::protocol::Secret::new("none"),
        }),
        resume: None,
        transcript: Vec::new(),
        files: std::collections::BTreeMap::new(),
        acknowledges: false,
    };
    let configuring = tokio::spawn(async move { client.configure(&configure).await });
    let pids = state.join("workspaces/agc-busy-ws/pids");
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let written = async {
        while !pids.exists() {
            look.tick().await;
            assert!(!configuring.is_finished(), "the agent server did not start the program");
        }
    };
    tokio::time::timeout(Duration::from_secs(60), written).await.unwrap();
    let text = fs::read_to_string(pids).unwrap();
    let pids = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    (provider, session, pids)
}

fn state_of(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next().filter(|state| *state != 'Z')
}

fn alive(pids: &[u32]) -> Vec<u32> {
    pids.iter().copied().filter(|pid| state_of(*pid).is_some()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_ends_every_process_also_those_with_a_session_of_their_own() {
    let state = support::state_dir();
    let (provider, session, pids) = busy(state.path()).await;
    assert_eq!(alive(&pids), pids);
    let id = provider.create(session.spec).await.unwrap().id;
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    assert_eq!(alive(&pids), Vec::<u32>::new());
    let left: Vec<PathBuf> = ["records", "run", "containers", "workspaces", "locks"]
        .iter()
        .flat_map(|folder| fs::read_dir(state.path().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_every_process_and_keeps_the_workspace() {
    let state = support::state_dir();
    let (provider, session, pids) = busy(state.path()).await;
    let id = provider.create(session.spec).await.unwrap().id;
    provider.stop(&id, StopOptions { grace: Duration::from_millis(1) }).await.unwrap();
    assert_eq!(alive(&pids), Vec::<u32>::new());
    assert!(state.path().join("workspaces/agc-busy-ws/pids").exists());
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_freezes_every_process() {
    let state = support::state_dir();
    let (provider, session, pids) = busy(state.path()).await;
    let id = provider.create(session.spec).await.unwrap().id;
    provider.pause(&id).await.unwrap();
    let states = || pids.iter().map(|pid| state_of(*pid).unwrap()).collect::<Vec<_>>();
    assert_eq!(states(), ['T'; 3]);
    provider.resume(&id).await.unwrap();
    assert!(!states().contains(&'T'), "{:?}", states());
    provider.pause(&id).await.unwrap();
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    assert_eq!(alive(&pids), Vec::<u32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_agent_server_leaves_behind_is_ended() {
    let state = support::state_dir();
    let (provider, session, pids) = busy(state.path()).await;
    let id = provider.create(session.spec.clone()).await.unwrap().id;
    let record = fs::read_to_string(state.path().join("records/agc-busy-g1.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let agent_server = record["process"]["pid"].to_string();
    assert!(Command::new("kill").args(["-KILL", &agent_server]).status().unwrap().success());
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let killed = ContainerState::Stopped { exit_code: Some(137), reason: None };
    let seen = async {
        while provider.inspect(&id).await.unwrap().state != killed {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap();
    assert_eq!(provider.endpoint(&id).await.unwrap_err().kind(), ErrorKind::Gone);
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    assert_eq!(alive(&pids), Vec::<u32>::new());
}

#[tokio::test]
async fn a_process_that_only_has_the_number_of_an_earlier_one_is_left_alone() {
    let state = support::state_dir();
    let provider = provider(state.path());
    let session = Session::new("recycled", "recycled");
    let id = provider.create(session.spec.clone()).await.unwrap().id;
    session.client(&provider).await;
    provider.stop(&id, StopOptions::default()).await.unwrap();
    // As if the machine had given the number to this process meanwhile; which it does only much later.
    let path = state.path().join("records/agc-recycled-g1.json");
    let mut record: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    record["process"]["pid"] = std::process::id().into();
    let started = record["process"]["start_time"].as_u64().unwrap();
    record["process"]["start_time"] = (started + 100).into();
    fs::write(&path, record.to_string()).unwrap();
    let seen = provider.inspect(&id).await.unwrap().state;
    assert!(matches!(seen, ContainerState::Stopped { .. }), "{seen:?}");
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    assert!(provider.list(ListFilter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_start_that_was_never_written_down_is_found_by_its_arguments() {
    let state = support::state_dir();
    let provider = provider(state.path());
    let session = Session::new("unwritten", "unwritten");
    let id = provider.create(session.spec.clone()).await.unwrap().id;
    let (_, before) = session.client(&provider).await;
    // As a crash leaves it between the start and the second writing.
    let path = state.path().join("records/agc-unwritten-g1.json");
    let mut record: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    record["process"] = serde_json::Value::Null;
    fs::write(&path, record.to_string()).unwrap();
    assert_eq!(provider.inspect(&id).await.unwrap().state, ContainerState::Running);
    let adopted = provider.create(session.spec.clone()).await.unwrap();
    let (_, after) = session.client(&provider).await;
    assert_eq!((adopted.id, after.instance), (id.clone(), before.instance));
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    assert!(provider.list(ListFilter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn its_socket_and_files_are_closed_to_others() {
    let state = support::state_dir();
    let provider = provider(state.path());
    let session = Session::new("closed", "closed");
    let id = provider.create(session.spec.clone()).await.unwrap().id;
    let Address::Unix(socket) = provider.endpoint(&id).await.unwrap().address else { panic!("no socket") };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    assert_eq!(mode(&state.path().join("records/agc-closed-g1.json")), 0o600);
    assert_eq!(mode(&state.path().join("containers/agc-closed-g1/output.log")), 0o600);
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
}

#[tokio::test]
async fn what_is_missing_is_said_in_a_sentence() {
    let state = support::state_dir();
    let absent = ProcessConfig { agent_binary: Some("/no/such/agent".into()), ..config(state.path()) };
    let provider = ProcessProvider::new(absent).unwrap();
    let error = provider.create(Session::new("none", "none").spec).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert!(error.message().contains("`cargo xtask agent` builds it"), "{error}");
    assert!(provider.list(ListFilter::default()).await.unwrap().is_empty());

    let no_program = state.path().join("text");
    fs::write(&no_program, "not a program").unwrap();
    let broken = ProcessConfig { agent_binary: Some(no_program), ..config(state.path()) };
    let provider = ProcessProvider::new(broken).unwrap();
    let error = provider.create(Session::new("none", "none").spec).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
    assert!(provider.list(ListFilter::default()).await.unwrap().is_empty(), "a failed create left something");
}
