//! Cloudflare, as far as it can be had on this machine: the real gateway Worker in the real `workerd`, with Docker containers, under the
//! behaviour suite and under whole sessions of real Claude Code.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

use std::future::Future;
use std::time::{Duration, Instant};

use agcluster_core::conformance::{Context, Outcome, run_all};
use agcluster_tests::platforms::cloudflare::{CloudflarePlatform, agent_host};
use agcluster_tests::system::{Chat, Frame, Provider, Session, System};
use reqwest::StatusCode;
use serde_json::{Value, json};

const KEY: &str = "sk-ant-test-77ab01";

#[tokio::test(flavor = "multi_thread")]
async fn the_behaviour_suite_passes() {
    bounded(Box::pin(async {
        let platform = CloudflarePlatform::start().await.unwrap();
        let run = format!("cf-{:x}", jiff::Timestamp::now().as_nanosecond() & 0xfff_ffff);
        let context =
            Context::new(platform.provider().unwrap(), run).with_successor(platform.provider().unwrap());
        let report = run_all(&context).await;
        println!("{report}");
        assert!(report.is_success(), "\n{report}\n{}", platform.log());
        let outcome = |case| report.row(case).unwrap().verdict.clone().unwrap();
        for case in ["start_is_as_claimed", "extend_is_as_claimed", "a_lifetime_is_told"] {
            assert_eq!(outcome(case), Outcome::Passed, "{case}");
        }
        for case in [
            "pause_is_as_claimed",
            "logs_are_as_claimed",
            "exec_is_as_claimed",
            "an_image_is_used_or_refused",
        ] {
            assert_eq!(outcome(case), Outcome::NotClaimed, "{case}");
        }
        assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
        platform.stop().await.unwrap();
    }))
    .await;
}

/// A test that takes so long hangs: one takes seconds.
const LIMIT: Duration = Duration::from_secs(240);

async fn bounded(test: impl Future<Output = ()>) {
    tokio::time::timeout(LIMIT, test).await.expect("the test hangs");
}

/// A server whose launches may name `cloudflare`, and that platform.
struct Stage {
    system: System,
    platform: CloudflarePlatform,
    model_url: String,
}

impl Stage {
    async fn set() -> Self {
        let platform = CloudflarePlatform::start().await.unwrap();
        let files = [("cloudflare", platform.config())];
        let system = System::start_configured(Provider::Memory, &files, &[]).await.unwrap();
        let model_url = system.model().url_for(&agent_host().await.unwrap());
        Self { system, platform, model_url }
    }

    async fn launch(&self) -> Session {
        let config = json!({ "allowed_tools": ["Bash"], "permission_mode": "acceptEdits", "model": "claude-sonnet-4-5" });
        let request = json!({ "provider": "cloudflare", "base_url": self.model_url, "config": config });
        self.system.api(KEY).launch_with(request).await.unwrap()
    }

    /// Ends everything; nothing may be left.
    async fn strike(self) {
        self.system.stop().await.unwrap();
        assert_eq!(self.platform.left_behind().await.unwrap(), Vec::<String>::new());
        self.platform.stop().await.unwrap();
    }
}

/// Runs a turn to its end, and until its place is free for the next one: that is told a moment after its last event.
async fn rest(session: &Session, chat: Chat) -> Vec<Frame> {
    let frames = chat.rest().await.unwrap();
    let mut look = tokio::time::interval(Duration::from_millis(5));
    while !session.get().await.unwrap().body["turn"].is_null() {
        look.tick().await;
    }
    frames
}

fn of_kind<'a>(frames: &'a [Frame], kind: &str) -> Vec<&'a Value> {
    frames.iter().filter(|frame| frame.kind() == kind).map(|frame| &frame.data["data"]).collect()
}

fn said(frames: &[Frame]) -> String {
    of_kind(frames, "content").iter().map(|data| data["content"].as_str().unwrap_or_default()).collect()
}

fn outputs(frames: &[Frame]) -> String {
    of_kind(frames, "tool_complete").iter().map(|data| data["output"].as_str().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_works_is_interrupted_and_leaves_nothing() {
    bounded(Box::pin(async {
        let stage = Stage::set().await;
        let session = stage.launch().await;
        let seen = session.get().await.unwrap();
        assert_eq!(seen.body["provider"], "cloudflare", "{}", seen.body);
        let chat = session.chat("@@bash echo from-$((40 + 2)); id -u\n@@text It ran.").await.unwrap();
        let frames = rest(&session, chat).await;
        assert!(outputs(&frames).contains("from-42") && said(&frames) == "It ran.", "{frames:#?}");
        assert!(!outputs(&frames).lines().any(|line| line == "0"), "the agent is root: {frames:#?}");

        // A closed connection would not be seen in the container; the call is.
        let mut chat = session.chat("@@bash sleep 987653\n@@text never said").await.unwrap();
        chat.until("tool_use").await.unwrap();
        assert!(session.post("interrupt", json!({})).await.unwrap().status.is_success());
        let frames = rest(&session, chat).await;
        assert_eq!(frames.last().unwrap().data["status"], "interrupted", "{frames:#?}");

        assert_eq!(
            stage.platform.left_behind().await.unwrap().len(),
            2,
            "one container, in the index and on the engine"
        );
        assert_eq!(session.delete().await.unwrap().status, StatusCode::OK);
        assert_eq!(stage.platform.left_behind().await.unwrap(), Vec::<String>::new());
        stage.strike().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_goes_on_when_streams_are_cut_and_when_the_gateway_is_deployed_anew() {
    bounded(Box::pin(async {
        let mut stage = Stage::set().await;
        let session = stage.launch().await;
        for (gate, text) in [("cut", "one two three four"), ("deployed", "five six seven eight")] {
            let mut chat = session.chat(&format!("@@gate {gate} {text}")).await.unwrap();
            chat.until("content_delta").await.unwrap();
            stage.system.model().reached(gate).await;
            match gate {
                "cut" => stage.platform.cut_streams(),
                _ => stage.platform.restart_gateway().await.unwrap(),
            }
            stage.system.model().open(gate);
            let frames = rest(&session, chat).await;
            assert_eq!(frames.last().unwrap().data["status"], "success", "{frames:#?}");
            assert_eq!(said(&frames), text, "{frames:#?}");
        }
        let streams =
            stage.platform.requests().into_iter().filter(|seen| seen.path.contains("/proxy/3000/events"));
        assert!(streams.count() >= 3, "{:#?}", stage.platform.requests());
        let next = session.chat("@@text Still here.").await.unwrap().rest().await.unwrap();
        assert_eq!(said(&next), "Still here.");
        stage.strike().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_lost_ends_its_session_with_a_reason_and_no_other_takes_its_place() {
    bounded(Box::pin(async {
        let stage = Stage::set().await;
        let session = stage.launch().await;
        let mut chat = session.chat("@@gate never One").await.unwrap();
        chat.until("content_delta").await.unwrap();
        let killed = Instant::now();
        stage.platform.kill_the_container().await.unwrap();
        let frames = rest(&session, chat).await;
        // The gateway breaks the stream; otherwise only its silence would tell.
        assert!(killed.elapsed() < Duration::from_secs(30), "{:?}", killed.elapsed());
        let last = &frames.last().unwrap().data;
        assert!(last.to_string().contains("its container ended"), "{last}");
        let refused = session.ask("@@text Anybody?").await.unwrap();
        assert!(refused.status.is_client_error(), "{refused:?}");
        let listed = stage.platform.left_behind().await.unwrap();
        assert_eq!(listed.len(), 1, "the stopped container is in the index, and none runs: {listed:?}");
        session.delete().await.unwrap();
        stage.strike().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_takes_few_requests() {
    bounded(Box::pin(async {
        let stage = Stage::set().await;
        let session = stage.launch().await;
        let requests = stage.platform.requests();
        let of = |method: &str, part: &str| {
            requests.iter().filter(|seen| seen.method == *method && seen.path.contains(part)).count()
        };
        println!("{requests:#?}");
        let proxied = of("GET", "/proxy/") + of("POST", "/proxy/");
        let managing = requests.iter().filter(|seen| !seen.path.contains("/proxy/")).count();
        assert_eq!((of("PUT", "/v1/containers/"), of("POST", "/proxy/3000/configure")), (1, 1));
        // What the server asks at its start is not the launch's.
        let own = managing - of("GET", "/v1/health") - of("GET", "/v1/containers?");
        let looks = of("GET", "/v1/containers/") - of("GET", "/proxy/");
        // Each second that its agent server needs to be up brings another look.
        assert!(looks >= 1 && own - looks == 1, "one to create, one for the endpoint: {requests:#?}");
        assert!(proxied <= 4, "health, configure, events, and one more: {requests:#?}");
        session.delete().await.unwrap();
        stage.strike().await;
    }))
    .await;
}
