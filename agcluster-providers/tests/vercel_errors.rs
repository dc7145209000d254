//! What the `vercel` provider makes of every refusal of Vercel that is known, against an API that is scripted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use agcluster_core::protocol::Secret;
use agcluster_core::provider::{
    CapacityScope, ContainerId, ContainerProvider, ContainerState, DestroyOptions, Error, ErrorKind,
    ExecOptions, ListFilter, LogOptions, LogPlace,
};
use agcluster_providers::vercel::{VercelConfig, VercelProvider};
use futures::StreamExt;
use serde_json::{Value, json};
use support::Session;
use wiremock::matchers::{body_partial_json, method, path, path_regex, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ID: &str = "iad1::request-7";

/// An API on which nothing works but what a test says.
struct Vercel {
    server: MockServer,
}

impl Vercel {
    async fn start() -> Self {
        Self { server: MockServer::start().await }
    }

    /// A later answer to the same request counts for less.
    async fn answer(&self, verb: &str, at: &str, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body).insert_header("x-vercel-id", ID);
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    async fn refuse(&self, verb: &str, at: &str, status: u16, code: &str, message: &str) {
        self.answer(verb, at, status, json!({"error": {"code": code, "message": message}})).await;
    }

    /// A sandbox of session `s`, in this state.
    async fn has(&self, status: &str) {
        self.answer("GET", NAMED, 200, seen(status)).await;
    }

    fn provider(&self) -> VercelProvider {
        self.provider_with(json!({}))
    }

    fn provider_with(&self, fields: Value) -> VercelProvider {
        let mut config = json!({
            "api_url": self.server.uri(),
            "token": "tok_hidden",
            "team_id": "team_x",
            "project_id": "prj_y",
            "image": "agent:v1",
        });
        for (name, value) in fields.as_object().unwrap() {
            config[name.as_str()] = value.clone();
        }
        VercelProvider::new(serde_json::from_value(config).unwrap()).unwrap()
    }

    async fn create_fails(&self) -> Error {
        self.provider().create(Session::new("c", "s").spec).await.unwrap_err()
    }

    async fn requests(&self, verb: &str, at: &str) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.method.as_str() == verb && request.url.path() == at).count()
    }
}

const CREATE: &str = "/v3/sandboxes";
const LIST: &str = "/v2/sandboxes";
const NAMED: &str = "/v2/sandboxes/agc-s-g1";
const CMD: &str = "/v2/sandboxes/sessions/sbx_1/cmd";

fn session(status: &str) -> Value {
    json!({
        "id": "sbx_1", "memory": 4096, "vcpus": 2, "region": "iad1", "timeout": 2_700_000, "status": status,
        "requestedAt": 1, "createdAt": 4_000_000_000_000_i64, "updatedAt": 1, "cwd": "/vercel/sandbox",
    })
}

fn seen(status: &str) -> Value {
    json!({
        "sandbox": sandbox("s", status),
        "session": session(status),
        "routes": [{"url": "https://sb-1.vercel.run", "subdomain": "sb-1", "port": 3000}],
    })
}

fn sandbox(of: &str, status: &str) -> Value {
    json!({
        "name": format!("agc-{of}-g1"), "persistent": false, "currentSessionId": "sbx_1", "status": status,
        "createdAt": 1, "updatedAt": 1,
        "tags": {
            "agcluster-cluster": "c", "agcluster-session": of, "agcluster-agent": "agent-test",
            "agcluster-generation": "1",
        },
    })
}

fn command(exit: Value) -> Value {
    json!({"id": "cmd_1", "name": "/bin/sh", "args": [], "cwd": "/", "sessionId": "sbx_1", "exitCode": exit, "startedAt": 1})
}

/// One refusal of `create`, and what it comes to.
struct Case {
    status: u16,
    code: &'static str,
    says: &'static str,
    kind: ErrorKind,
    retry: bool,
    sentence: &'static str,
}

const REGION: ErrorKind = ErrorKind::Capacity(CapacityScope::Region);
const RATE: ErrorKind = ErrorKind::RateLimited { retry_after: None };

#[rustfmt::skip]
const REFUSALS: &[Case] = &[
    Case { status: 401, code: "unauthorized", says: "invalid token", kind: ErrorKind::Auth, retry: false, sentence: "set token (VERCEL_TOKEN)" },
    Case { status: 403, code: "forbidden", says: "Not authorized", kind: ErrorKind::Auth, retry: false, sentence: "team team_x and project prj_y: set team_id (VERCEL_TEAM_ID)" },
    Case { status: 402, code: "payment_required", says: "usage exceeded", kind: ErrorKind::Quota, retry: false, sentence: "billing page" },
    Case { status: 404, code: "not_found", says: "Project not found", kind: ErrorKind::Precondition, retry: false, sentence: "set project_id (VERCEL_PROJECT_ID)" },
    Case { status: 404, code: "not_found", says: "Image not found", kind: ErrorKind::Precondition, retry: false, sentence: "the image agent:v1" },
    Case { status: 400, code: "bad_request", says: "image manifest is not linux/amd64", kind: ErrorKind::Precondition, retry: false, sentence: "linux/amd64" },
    Case { status: 422, code: "image_not_ready", says: "still preparing", kind: ErrorKind::Precondition, retry: false, sentence: "wait until it is ready" },
    Case { status: 400, code: "bad_request", says: "timeout restricted to <= 45m", kind: ErrorKind::Quota, retry: false, sentence: "45 minutes on Hobby): lower timeout_seconds, and set plan" },
    Case { status: 400, code: "bad_request", says: "Invalid region mars1", kind: ErrorKind::Invalid, retry: false, sentence: "set region" },
    Case { status: 400, code: "bad_request", says: "failoverRegions must not contain region", kind: ErrorKind::Invalid, retry: false, sentence: "failover_regions" },
    Case { status: 400, code: "bad_request", says: "resources.vcpus must be <= 4", kind: ErrorKind::Quota, retry: false, sentence: "lower vcpus" },
    Case { status: 400, code: "bad_request", says: "invalid network policy", kind: ErrorKind::Invalid, retry: false, sentence: "check network" },
    Case { status: 400, code: "bad_request", says: "ports: at most 15", kind: ErrorKind::Invalid, retry: false, sentence: "ports: at most 15" },
    Case { status: 409, code: "conflict", says: "in use", kind: ErrorKind::Unavailable, retry: true, sentence: "try again" },
    Case { status: 410, code: "snapshot_not_found", says: "gone", kind: ErrorKind::Gone, retry: false, sentence: "snapshot" },
    Case { status: 422, code: "sandbox_stopping", says: "stopping", kind: ErrorKind::Unavailable, retry: true, sentence: "some seconds" },
    Case { status: 422, code: "sandbox_snapshotting", says: "snapshotting", kind: ErrorKind::Unavailable, retry: true, sentence: "some seconds" },
    Case { status: 429, code: "rate_limited", says: "slow down", kind: RATE, retry: true, sentence: "no more calls" },
    Case { status: 429, code: "rate_limited", says: "Too many concurrent sandboxes", kind: RATE, retry: true, sentence: "as many sandboxes as its plan allows" },
    Case { status: 429, code: "rate_limited", says: "vCPU allocation rate", kind: RATE, retry: true, sentence: "more processors a minute" },
    Case { status: 500, code: "internal_server_error", says: "oops", kind: ErrorKind::Unavailable, retry: true, sentence: "vercel-status" },
    Case { status: 502, code: "", says: "", kind: ErrorKind::Unavailable, retry: true, sentence: "vercel-status" },
    Case { status: 503, code: "unavailable", says: "no capacity in iad1", kind: REGION, retry: false, sentence: "failover_regions" },
    Case { status: 418, code: "teapot", says: "short and stout", kind: ErrorKind::Invalid, retry: false, sentence: "does not take this request: short and stout" },
];

#[tokio::test]
async fn every_known_refusal_has_a_kind_and_a_sentence_of_its_own() {
    for case in REFUSALS {
        let vercel = Vercel::start().await;
        vercel.refuse("POST", CREATE, case.status, case.code, case.says).await;
        vercel.refuse("GET", NAMED, 404, "not_found", "Sandbox not found").await;
        let error = vercel.create_fails().await;
        assert_eq!(error.kind(), case.kind, "{}: {error}", case.says);
        assert_eq!(error.is_retryable(), case.retry, "{}: {error}", case.says);
        assert!(error.message().contains(case.sentence), "{}: {error}", case.says);
        assert_eq!((error.platform(), error.operation()), ("vercel", "create"));
        let status = case.status.to_string();
        let code = if case.code.is_empty() { &status } else { case.code };
        assert_eq!(error.code(), Some(code));
        assert!(error.to_string().ends_with(&format!("(code {code}, request {ID})")), "{error}");
        assert!(!error.to_string().contains("tok_hidden"));
    }
}

#[tokio::test]
async fn an_oidc_token_that_is_too_old_is_said() {
    let vercel = Vercel::start().await;
    vercel.refuse("GET", LIST, 401, "unauthorized", "expired").await;
    // {"owner_id":"team_o","project_id":"prj_o"}
    let token = "e30.eyJvd25lcl9pZCI6InRlYW1fbyIsInByb2plY3RfaWQiOiJwcmpfbyJ9.sig";
    let provider = vercel.provider_with(json!({"token": null, "oidc_token": token}));
    let error = provider.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.message().contains("oidc_token (VERCEL_OIDC_TOKEN)"), "{error}");
    let request = &vercel.server.received_requests().await.unwrap()[0];
    assert_eq!(request.url.query(), Some("teamId=team_o&project=prj_o&limit=1"));
}

#[tokio::test]
async fn retry_after_is_passed_on() {
    let vercel = Vercel::start().await;
    for status in [429, 503] {
        let answer = ResponseTemplate::new(status).insert_header("retry-after", "17");
        Mock::given(method("GET"))
            .and(path(LIST))
            .respond_with(answer)
            .up_to_n_times(1)
            .mount(&vercel.server)
            .await;
        let error = vercel.provider().probe().await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)), "{status}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn a_snapshot_that_is_gone_names_the_setting() {
    let vercel = Vercel::start().await;
    vercel.refuse("POST", CREATE, 410, "snapshot_not_found", "Snapshot not found").await;
    let provider = vercel.provider_with(json!({"image": null, "snapshot": "snap_old"}));
    let error = provider.create(Session::new("c", "s").spec).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert!(
        error.message().contains("the snapshot snap_old is gone") && error.message().contains("set snapshot")
    );
    let error = provider.restore("snap_mine", Session::new("c", "s").spec).await.unwrap_err();
    assert!(error.message().contains("snap_mine") && error.operation() == "restore", "{error}");
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_or_does_not_come_is_told_apart() {
    let vercel = Vercel::start().await;
    let html = ResponseTemplate::new(200).set_body_string("<html>").insert_header("x-vercel-id", ID);
    Mock::given(method("GET")).respond_with(html).mount(&vercel.server).await;
    let error = vercel.provider().probe().await.unwrap_err();
    assert_eq!((error.kind(), error.request_id()), (ErrorKind::Protocol, Some(ID)));
    assert!(!error.to_string().contains("html"));

    let slow = Vercel::start().await;
    let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    Mock::given(method("GET")).respond_with(late).mount(&slow.server).await;
    let provider = slow.provider_with(json!({"timeouts": {"probe_seconds": 1}}));
    assert_eq!(provider.probe().await.unwrap_err().kind(), ErrorKind::Timeout);

    let nobody = slow.provider_with(json!({"api_url": "http://127.0.0.1:1/api"}));
    let error = nobody.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("api_url"), "{error}");
}

#[tokio::test]
async fn a_name_that_is_taken_is_adopted_however_vercel_says_so() {
    for (status, code) in [(409, "conflict"), (400, "bad_request"), (422, "name_taken")] {
        let vercel = Vercel::start().await;
        vercel.refuse("POST", CREATE, status, code, "a sandbox of that name exists").await;
        vercel.has("running").await;
        vercel.answer("GET", CMD, 200, json!({"commands": []})).await;
        vercel.answer("POST", CMD, 200, json!({"command": command(Value::Null)})).await;
        let container = vercel.provider().create(Session::new("c", "s").spec).await.unwrap();
        assert_eq!(container.state, ContainerState::Running);
        assert_eq!(vercel.requests("POST", CMD).await, 1, "its agent server was not started");
    }
}

#[tokio::test]
async fn a_name_of_somebody_else_is_left_alone() {
    let vercel = Vercel::start().await;
    vercel.refuse("POST", CREATE, 409, "conflict", "exists").await;
    let mut foreign = seen("running");
    foreign["sandbox"]["tags"]["agcluster-cluster"] = "another".into();
    vercel.answer("GET", NAMED, 200, foreign).await;
    let error = vercel.create_fails().await;
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(vercel.requests("DELETE", NAMED).await, 0);
}

#[tokio::test]
async fn a_sandbox_whose_agent_server_cannot_be_started_is_removed() {
    let vercel = Vercel::start().await;
    vercel.answer("POST", CREATE, 200, seen("running")).await;
    vercel.refuse("POST", CMD, 500, "internal_server_error", "oops").await;
    vercel.answer("DELETE", NAMED, 200, json!({"sandbox": sandbox("s", "stopped")})).await;
    let error = vercel.create_fails().await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(vercel.requests("DELETE", NAMED).await, 1);
}

#[tokio::test]
async fn what_does_not_run_is_gone_and_what_is_not_there_is_not_found() {
    let vercel = Vercel::start().await;
    let id = ContainerId("agc-s-g1".to_owned());
    vercel.has("stopped").await;
    let provider = vercel.provider();
    assert_eq!(provider.endpoint(&id).await.unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(provider.exec(&id, ExecOptions::new(["true"])).await.unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(provider.extend(&id, Duration::from_secs(9)).await.unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(provider.snapshot(&id).await.unwrap_err().kind(), ErrorKind::Gone);
    let none = ContainerId("agc-none-g1".to_owned());
    vercel.refuse("GET", "/v2/sandboxes/agc-none-g1", 404, "not_found", "Sandbox not found").await;
    vercel.refuse("DELETE", "/v2/sandboxes/agc-none-g1", 404, "not_found", "Sandbox not found").await;
    assert_eq!(provider.inspect(&none).await.unwrap_err().kind(), ErrorKind::NotFound);
    provider.destroy(&none, DestroyOptions::default()).await.unwrap();
}

/// The session ends between the look and the command.
#[tokio::test]
async fn a_session_that_ends_under_a_command_is_gone() {
    for (status, code) in [(410, "sandbox_stopped"), (422, "sandbox_stopping"), (422, "sandbox_snapshotting")]
    {
        let vercel = Vercel::start().await;
        vercel.has("running").await;
        vercel.refuse("POST", CMD, status, code, "no").await;
        let error = exec(&vercel).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
    }
}

async fn exec(vercel: &Vercel) -> agcluster_core::provider::Result<agcluster_core::provider::ExecOutput> {
    let options = ExecOptions { max_output_bytes: 4, ..ExecOptions::new(["true"]) };
    vercel.provider().exec(&ContainerId("agc-s-g1".to_owned()), options).await
}

/// A stream of a command with these lines, of this type.
async fn streams(kind: &str, lines: &[Value]) -> Vercel {
    let vercel = Vercel::start().await;
    vercel.has("running").await;
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let answer = ResponseTemplate::new(200).set_body_raw(body, kind);
    Mock::given(method("POST")).and(path(CMD)).respond_with(answer).mount(&vercel.server).await;
    vercel
}

const NDJSON: &str = "application/x-ndjson";

#[tokio::test]
async fn a_commands_stream_is_read_to_its_exit_code() {
    let lines = [
        json!({"command": command(Value::Null)}),
        json!({"stream": "stdout", "data": "out"}),
        json!({"stream": "stderr", "data": "wrong"}),
        json!({"stream": "stdout", "data": "put"}),
        json!({"command": command(json!(7))}),
    ];
    let done = exec(&streams(NDJSON, &lines).await).await.unwrap();
    assert_eq!((done.exit_code, &*done.stdout, &*done.stderr), (7, &b"outp"[..], &b"wron"[..]));
    assert!(done.truncated);
}

#[tokio::test]
async fn a_stream_that_ends_early_or_is_none_is_no_success() {
    let begun = json!({"command": command(Value::Null)});
    let stopped = json!({"stream": "error", "data": {"code": "sandbox_stopped", "message": "m"}});
    let broke = json!({"stream": "error", "data": {"code": "internal", "message": "m"}});
    for (kind, lines, expected) in [
        (NDJSON, vec![begun.clone()], ErrorKind::Unavailable),
        (NDJSON, vec![], ErrorKind::Unavailable),
        (NDJSON, vec![begun.clone(), stopped], ErrorKind::Gone),
        (NDJSON, vec![begun.clone(), broke], ErrorKind::Unavailable),
        (NDJSON, vec![begun.clone(), json!({"stream": "stdin"})], ErrorKind::Protocol),
        ("application/json", vec![begun.clone()], ErrorKind::Protocol),
        ("application/x-ndjson; charset=utf-8", vec![begun], ErrorKind::Protocol),
    ] {
        let error = exec(&streams(kind, &lines).await).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{kind} {lines:?}");
        assert!(expected != ErrorKind::Unavailable || !error.is_retryable(), "it may have run");
    }
}

#[tokio::test]
async fn logs_of_a_session_that_ended_end_without_an_error() {
    let vercel = Vercel::start().await;
    vercel.has("stopped").await;
    let mut agent = command(Value::Null);
    let script = r#"mkdir -p "$1" && { [ "$(stat -c %u "$1")" != 0 ] || chown "$2" "$1"; } && exec "$0""#;
    agent["args"] = json!(["-c", script, "/usr/local/bin/agcluster-agent", "/workspace", "1000:1000"]);
    vercel.answer("GET", CMD, 200, json!({"commands": [command(json!(0)), agent]})).await;
    let lines = [
        json!({"stream": "stderr", "data": "one\ntwo\n"}),
        json!({"stream": "error", "data": {"code": "sandbox_stopped", "message": "m"}}),
    ];
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let answer = ResponseTemplate::new(200).set_body_raw(body, NDJSON);
    let logs = path(format!("{CMD}/cmd_1/logs"));
    Mock::given(method("GET")).and(logs).respond_with(answer).mount(&vercel.server).await;
    let id = ContainerId("agc-s-g1".to_owned());
    for (options, expected) in [
        (LogOptions::default(), "one\ntwo\n"),
        (LogOptions { tail: Some(1), ..LogOptions::default() }, "two\n"),
        (LogOptions { follow: true, ..LogOptions::default() }, "one\ntwo\n"),
        (LogOptions { tail: Some(1), follow: true, after: None }, "two\n"),
    ] {
        let pieces: Vec<_> = vercel.provider().logs(&id, options).await.unwrap().collect().await;
        let text: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap().bytes).collect();
        assert_eq!(String::from_utf8(text).unwrap(), expected, "{options:?}");
    }
    // A place is a byte of the command's output, wherever the lines that the platform tells begin.
    for (number, expected) in [(0, "one\ntwo\n"), (2, "e\ntwo\n"), (4, "two\n"), (8, "")] {
        let after = Some(LogPlace::in_log("cmd_1", number));
        let options = LogOptions { after, tail: Some(1), ..LogOptions::default() };
        let pieces: Vec<_> = vercel.provider().logs(&id, options).await.unwrap().collect().await;
        let text: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap().bytes).collect();
        assert_eq!(String::from_utf8(text).unwrap(), expected, "{number}");
    }
    let after = Some(LogPlace::in_log("cmd_0", 4));
    let gone = vercel.provider().logs(&id, LogOptions { after, ..LogOptions::default() }).await;
    assert_eq!(gone.err().map(|error| error.kind()), Some(ErrorKind::Gone));
}

#[tokio::test]
async fn a_list_is_read_page_by_page_with_one_tag() {
    let vercel = Vercel::start().await;
    let page = |of: &str, next: Value| json!({"sandboxes": [sandbox(of, "running")], "pagination": {"count": 1, "next": next}});
    let tag = || query_param("tags", "agcluster-cluster:c");
    let second = ResponseTemplate::new(200).set_body_json(page("b", Value::Null));
    let second = Mock::given(path(LIST)).and(tag()).and(query_param("cursor", "p2")).respond_with(second);
    second.mount(&vercel.server).await;
    let first = ResponseTemplate::new(200).set_body_json(page("a", json!("p2")));
    Mock::given(path(LIST)).and(tag()).respond_with(first).mount(&vercel.server).await;
    let found = vercel.provider().list(ListFilter::cluster("c")).await.unwrap();
    let ids: Vec<_> = found.iter().map(|container| container.id.0.as_str()).collect();
    assert_eq!(ids, ["agc-a-g1", "agc-b-g1"]);
    assert_eq!(vercel.provider().list(ListFilter::cluster("c")).await.unwrap().len(), 2);
}

#[tokio::test]
async fn destroy_waits_for_a_session_that_is_being_saved() {
    let vercel = Vercel::start().await;
    let busy = json!({"error": {"code": "sandbox_snapshotting", "message": "m"}});
    let busy = ResponseTemplate::new(422).set_body_json(busy);
    Mock::given(method("DELETE"))
        .and(path(NAMED))
        .respond_with(busy)
        .up_to_n_times(2)
        .mount(&vercel.server)
        .await;
    vercel.answer("DELETE", NAMED, 200, json!({"sandbox": sandbox("s", "stopped")})).await;
    vercel.provider().destroy(&ContainerId("agc-s-g1".to_owned()), DestroyOptions::default()).await.unwrap();
    assert_eq!(vercel.requests("DELETE", NAMED).await, 3);
}

#[tokio::test]
async fn settings_reach_the_request() {
    let vercel = Vercel::start().await;
    let expected = json!({
        "projectId": "prj_y", "ports": [3000], "timeout": 600_000, "resources": {"vcpus": 3}, "image": "other:v2",
        "name": "agc-s-g1", "persistent": true, "region": "fra1", "failoverRegions": ["iad1"],
        "networkPolicy": {"allow": ["api.anthropic.com"], "subnets": {"deny": ["10.0.0.0/8"]}},
        "snapshotExpiration": 86_400_000, "keepLastSnapshots": {"count": 1},
    });
    let answer = ResponseTemplate::new(200).set_body_json(seen("running"));
    let fits = Mock::given(method("POST")).and(path(CREATE)).and(body_partial_json(expected));
    fits.respond_with(answer).mount(&vercel.server).await;
    let started = ResponseTemplate::new(200).set_body_json(json!({"command": command(Value::Null)}));
    Mock::given(method("POST")).and(path_regex("/cmd$")).respond_with(started).mount(&vercel.server).await;
    vercel.has("running").await;
    let provider = vercel.provider_with(json!({
        "persistent": true,
        "region": "fra1",
        "failover_regions": ["iad1"],
        "snapshot_expiration_days": 1,
        "network": {"mode": "custom", "allow": ["api.anthropic.com"], "deny_subnets": ["10.0.0.0/8"]},
        "headers": {"x-vercel-protection-bypass": "let-me-in"},
    }));
    let mut spec = Session::new("c", "s").spec;
    spec.image = Some("other:v2".to_owned());
    spec.lifetime = Some(Duration::from_secs(600));
    spec.resources.cpu_millis = Some(2500);
    let container = provider.create(spec).await.unwrap();
    assert_eq!(container.warnings.len(), 1, "{:?}", container.warnings);
    let endpoint = provider.endpoint(&container.id).await.unwrap();
    assert_eq!(format!("{:?}", endpoint.address), "https://sb-1.vercel.run/");
    assert_eq!(endpoint.headers["x-vercel-protection-bypass"], "let-me-in");
    assert_eq!(endpoint.expires_at, container.expires_at);
    assert!(!format!("{endpoint:?}").contains("let-me-in"));
}

#[tokio::test]
async fn a_life_longer_than_the_plans_is_cut_with_a_warning() {
    let vercel = Vercel::start().await;
    vercel.answer("POST", CREATE, 200, seen("running")).await;
    vercel.answer("POST", CMD, 200, json!({"command": command(Value::Null)})).await;
    let mut spec = Session::new("c", "s").spec;
    spec.lifetime = Some(Duration::from_secs(7200));
    let container = vercel.provider().create(spec).await.unwrap();
    assert!(container.warnings[0].contains("ends after 45 minutes"), "{:?}", container.warnings);
    let sent = &vercel.server.received_requests().await.unwrap()[0];
    assert_eq!(sent.body_json::<Value>().unwrap()["timeout"], 2_700_000);
}

#[test]
fn credentials_that_are_missing_are_named_with_their_variables() {
    for (config, field, variable) in [
        (json!({"image": "a"}), "token: ", "VERCEL_TOKEN"),
        (json!({"image": "a", "token": "t"}), "team_id: ", "VERCEL_TEAM_ID"),
        (json!({"image": "a", "token": "t", "team_id": "x"}), "project_id: ", "VERCEL_PROJECT_ID"),
        (json!({"image": "a", "oidc_token": "t"}), "oidc_token: ", "VERCEL_OIDC_TOKEN"),
    ] {
        let error = VercelProvider::new(serde_json::from_value(config).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().starts_with(field) && error.message().contains(variable), "{error}");
    }
}

#[test]
fn the_shipped_file_is_the_defaults_but_for_credentials_and_image() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/providers/vercel.yaml");
    let mut text = std::fs::read_to_string(path).unwrap();
    // As the server reads it in an environment without any of these variables.
    while let Some(begin) = text.find("${") {
        let end = begin + text[begin..].find('}').unwrap();
        let default = text[begin..end].split_once(":-").map(|(_, default)| default.to_owned());
        text.replace_range(begin..=end, &format!("\"{}\"", default.unwrap_or_default()));
    }
    let shipped: VercelConfig = serde_saphyr::from_str(&text).unwrap();
    let expected = VercelConfig {
        token: Some(Secret::new("")),
        team_id: Some(String::new()),
        project_id: Some(String::new()),
        oidc_token: Some(Secret::new("")),
        image: Some("agcluster-agent:latest".to_owned()),
        ..VercelConfig::default()
    };
    assert_eq!(shipped, expected);
    let error = VercelProvider::new(shipped).unwrap_err();
    assert!(error.message().starts_with("token: set it (environment: VERCEL_TOKEN)"), "{error}");
}
