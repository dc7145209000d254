//! What the `fly_machines` provider makes of every refusal of the Machines API that is known, against an API that is scripted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use agcluster_core::provider::{
    CapacityScope, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Error, ErrorKind,
    ExecOptions, Labels, ListFilter,
};
use agcluster_providers::fly_machines::{FlyMachinesConfig, FlyMachinesProvider};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const HOST: ErrorKind = ErrorKind::Capacity(CapacityScope::Host);
const REGION: ErrorKind = ErrorKind::Capacity(CapacityScope::Region);
const RATE_LIMITED: ErrorKind = ErrorKind::RateLimited { retry_after: None };

const MACHINES: &str = "/v1/apps/agents/machines";
const MACHINE: &str = "/v1/apps/agents/machines/9185741b7e5483";
const WAIT: &str = "/v1/apps/agents/machines/9185741b7e5483/wait";
const APP: &str = "/v1/apps/agents";

fn spec() -> ContainerSpec {
    ContainerSpec::new(Labels {
        cluster: "c".to_owned(),
        session: "s".to_owned(),
        agent: "agent-test".to_owned(),
        generation: 1,
        expires_at: None,
    })
}

fn id() -> ContainerId {
    ContainerId("agents:9185741b7e5483".to_owned())
}

/// An API on which everything works, except for what a test puts before.
struct Api(MockServer);

impl Api {
    async fn start() -> Self {
        Self(MockServer::start().await)
    }

    /// A later answer to the same request counts for less.
    async fn answer(&self, verb: &str, at: &str, status: u16, body: Value) {
        let answer =
            ResponseTemplate::new(status).set_body_json(body).insert_header("fly-request-id", "01JREQ-fra");
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.0).await;
    }

    async fn complete(&self) {
        let metadata: serde_json::Map<_, _> = spec()
            .labels
            .to_map()
            .into_iter()
            .map(|(name, value)| (name.replace('.', "_"), Value::from(value)))
            .collect();
        let machine = json!({
            "id": "9185741b7e5483", "name": "agc-s-g1", "state": "started", "instance_id": "01J", "config": {"metadata": metadata},
        });
        self.answer("POST", MACHINES, 200, machine.clone()).await;
        self.answer("GET", MACHINES, 200, json!([])).await;
        self.answer("GET", MACHINE, 200, machine).await;
        self.answer("DELETE", MACHINE, 200, json!({"ok": true})).await;
        self.answer("GET", WAIT, 200, json!({"ok": true, "state": "started"})).await;
    }

    fn provider(&self) -> FlyMachinesProvider {
        self.provider_with(json!({}))
    }

    fn provider_with(&self, changes: Value) -> FlyMachinesProvider {
        let mut config = json!({
            "token": "Bearer fm2_secret", "app": "agents", "image": "registry.fly.io/agents:1", "regions": "fra",
            "base_url": self.0.uri(), "rate": {"per_second": 1000, "burst": 1000},
        });
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        let config: FlyMachinesConfig = serde_json::from_value(config).unwrap();
        FlyMachinesProvider::new(config).unwrap()
    }

    async fn create_fails(&self) -> Error {
        self.provider().create(spec()).await.unwrap_err()
    }
}

/// One refusal, and what it comes to.
struct Case {
    status: u16,
    says: Value,
    kind: ErrorKind,
    sentence: &'static str,
}

fn case(status: u16, says: Value, kind: ErrorKind, sentence: &'static str) -> Case {
    Case { status, says, kind, sentence }
}

fn text(text: &str) -> Value {
    json!({ "error": text })
}

/// Every refusal of a creation.
#[rustfmt::skip]
fn creations() -> Vec<Case> {
    vec![
        case(400, text("no capacity"), REGION, "name more regions (FLY_REGION)"),
        case(400, text("failed to get manifest registry.fly.io/agents:1: request failed: not found [http 404]: {\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\"}]}"), ErrorKind::Precondition, "push it to registry.fly.io"),
        case(400, text("config.env is malformed"), ErrorKind::Invalid, "does not take this machine's settings"),
        case(401, text("Authenticate: token validation error"), ErrorKind::Auth, "set token (FLY_API_TOKEN)"),
        case(402, text("payment required"), ErrorKind::Quota, "billing page"),
        case(403, text("organization \"Acme\" is using 102400 MB of memory in dfw which is over the allowed quota. please consider other regions"), ErrorKind::Quota, "quota is used up"),
        case(403, text("unauthorized"), ErrorKind::Auth, "set app (FLY_APP_NAME)"),
        case(404, text("Could not find App"), ErrorKind::Precondition, "`fly apps create agents`"),
        case(408, text("deadline_exceeded"), ErrorKind::Timeout, "try again"),
        case(409, text("aborted: could not reserve resource for machine: insufficient memory available to fulfill request"), HOST, "no room in fra"),
        case(409, text("aborted: insufficient CPUs available to fulfill request on the current host"), HOST, "no room in fra"),
        case(409, text("aborted: insufficient IPs available"), HOST, "no room in fra"),
        case(409, text("governor policy blocked start"), HOST, "no room in fra"),
        case(409, text("lease currently held by x@example.com"), ErrorKind::Unavailable, "`fly machine lease view`"),
        case(409, text("aborted: machine update failed due to concurrent update"), ErrorKind::Unavailable, "changed by somebody else"),
        case(412, text("insufficient resources to create new machine with existing volume"), REGION, "no room in fra"),
        case(412, json!({"error": "x", "status": "volume_placement_capacity"}), REGION, "no room in fra"),
        case(412, text("failed_precondition: min_secrets_version not found"), ErrorKind::Precondition, "not in a state"),
        case(422, json!({"error": "x", "status": "insufficient_capacity"}), REGION, "no room in fra"),
        case(422, text("Your organization has reached its machine limit. Please contact billing@fly.io"), ErrorKind::Quota, "quota is used up"),
        case(422, text("region fra not found"), ErrorKind::Invalid, "set regions (FLY_REGION)"),
        case(422, text("invalid config.guest.memory_mb 3"), ErrorKind::Invalid, "change guest"),
        case(429, text("rate limit exceeded"), RATE_LIMITED, "rate.per_second"),
        case(500, text("something new"), ErrorKind::Unavailable, "status.flyio.net"),
        case(502, text("bad gateway"), ErrorKind::Unavailable, "status.flyio.net"),
        case(503, text("deploys to this host are temporarily disabled"), HOST, "no room in fra"),
        case(503, json!({"message": "unavailable"}), ErrorKind::Unavailable, "status.flyio.net"),
        case(302, Value::Null, ErrorKind::Protocol, "base_url (FLY_FLAPS_BASE_URL)"),
    ]
}

fn check(error: &Error, case: &Case, operation: &str) {
    let Case { status, says, kind, sentence } = case;
    assert_eq!(error.kind(), *kind, "{status} {says}: {error}");
    assert!(error.message().contains(sentence), "{status} {says}: {error}");
    assert_eq!((error.platform(), error.operation()), ("fly_machines", operation));
    assert_eq!(error.request_id(), Some("01JREQ-fra"));
    let code = says["status"].as_str().map_or_else(|| status.to_string(), str::to_owned);
    assert_eq!(error.code(), Some(code.as_str()));
    assert!(error.to_string().starts_with(&format!("fly_machines {operation}: ")), "{error}");
    assert!(error.to_string().ends_with("request 01JREQ-fra)"), "{error}");
    if let Some(says) = says["error"].as_str().filter(|says| says.len() > 3) {
        assert!(!error.to_string().contains(says), "the platform's own words reached a user: {error}");
    }
    assert!(!format!("{error:?} {error}").contains("fm2_secret"), "the token reached an error: {error:?}");
}

#[tokio::test]
async fn every_known_refusal_of_a_creation_has_a_kind_and_a_sentence_of_its_own() {
    for case in creations() {
        let api = Api::start().await;
        api.answer("POST", MACHINES, case.status, case.says.clone()).await;
        api.complete().await;
        check(&api.create_fails().await, &case, "create");
    }
}

/// Every refusal about a machine that is there.
#[rustfmt::skip]
fn looks() -> Vec<Case> {
    vec![
        case(401, text("Authenticate: token validation error"), ErrorKind::Auth, "set token (FLY_API_TOKEN)"),
        case(403, text("unauthorized"), ErrorKind::Auth, "set token (FLY_API_TOKEN)"),
        case(404, text("machine not found"), ErrorKind::NotFound, "there is no container agents:9185741b7e5483"),
        case(404, text("Could not find App"), ErrorKind::Precondition, "set app (FLY_APP_NAME)"),
        case(429, text("rate limit exceeded"), RATE_LIMITED, "rate.per_second"),
        case(500, text("something new"), ErrorKind::Unavailable, "status.flyio.net"),
    ]
}

#[tokio::test]
async fn every_known_refusal_of_a_look_has_a_kind_and_a_sentence_of_its_own() {
    for case in looks() {
        let api = Api::start().await;
        api.answer("GET", MACHINE, case.status, case.says.clone()).await;
        let provider = api.provider();
        check(&provider.inspect(&id()).await.unwrap_err(), &case, "inspect");
        check(&provider.endpoint(&id()).await.unwrap_err(), &case, "endpoint");
        check(&provider.stop(&id(), Default::default()).await.unwrap_err(), &case, "stop");
        check(&provider.pause(&id()).await.unwrap_err(), &case, "pause");
    }
}

/// Every refusal about the app as a whole.
#[rustfmt::skip]
fn of_the_app() -> Vec<Case> {
    vec![
        case(401, text("Authenticate: token validation error"), ErrorKind::Auth, "set token (FLY_API_TOKEN)"),
        case(403, text("unauthorized"), ErrorKind::Auth, "set app (FLY_APP_NAME)"),
        case(404, text("Could not find App"), ErrorKind::Precondition, "set app (FLY_APP_NAME)"),
        case(429, text("rate limit exceeded"), RATE_LIMITED, "rate.per_second"),
        case(503, text("unavailable"), ErrorKind::Unavailable, "status.flyio.net"),
    ]
}

#[tokio::test]
async fn every_known_refusal_about_the_app_names_the_setting() {
    for case in of_the_app() {
        let api = Api::start().await;
        api.answer("GET", MACHINES, case.status, case.says.clone()).await;
        api.answer("GET", APP, case.status, case.says.clone()).await;
        let provider = api.provider();
        check(&provider.list(ListFilter::default()).await.unwrap_err(), &case, "list");
        check(&provider.probe().await.unwrap_err(), &case, "probe");
    }
}

/// Every refusal about the organisation, where each container has an app of its own.
#[rustfmt::skip]
fn of_the_organization() -> Vec<Case> {
    vec![
        case(401, text("Authenticate: token validation error"), ErrorKind::Auth, "set token (FLY_API_TOKEN)"),
        case(403, text("you are not a member of this organization"), ErrorKind::Auth, "set organization (FLY_ORG)"),
        case(404, text("organization not found"), ErrorKind::Precondition, "set organization (FLY_ORG)"),
        case(422, text("org_slug is invalid"), ErrorKind::Invalid, "set organization (FLY_ORG)"),
    ]
}

#[tokio::test]
async fn every_known_refusal_about_the_organisation_names_the_setting() {
    for case in of_the_organization() {
        let api = Api::start().await;
        api.answer("POST", "/v1/apps", case.status, case.says.clone()).await;
        api.answer("GET", "/v1/orgs/acme/machines", case.status, case.says.clone()).await;
        let provider = api.provider_with(json!({"mode": "per_session", "organization": "acme"}));
        let error = provider.create(spec()).await.unwrap_err();
        check(&error, &case, "create");
        check(&provider.list(ListFilter::default()).await.unwrap_err(), &case, "list");
    }
}

#[tokio::test]
async fn a_token_of_another_organisation_is_said_before_anything_is_made() {
    let api = Api::start().await;
    api.answer("GET", "/v1/tokens/current", 200, json!({"tokens": [{"org_slug": "others"}]})).await;
    let provider = api.provider_with(json!({"mode": "per_session", "organization": "acme"}));
    let error = provider.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.message().contains("is of others and not of acme"), "{error}");
}

#[tokio::test]
async fn the_token_is_sent_as_the_platform_wants_it() {
    let api = Api::start().await;
    let app = ResponseTemplate::new(200).set_body_json(json!({"name": "agents"}));
    Mock::given(path(APP))
        .and(header("authorization", "FlyV1 fm2_secret"))
        .respond_with(app)
        .mount(&api.0)
        .await;
    api.answer("GET", "/v1/apps/agents/ip_assignments", 200, json!({"ips": [{"ip": "1.2.3.4"}]})).await;
    assert_eq!(api.provider().probe().await.unwrap().warnings, Vec::<String>::new());
}

#[tokio::test]
async fn the_platforms_own_wait_is_kept() {
    let api = Api::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "7").set_body_json(text("slow down"));
    Mock::given(method("POST")).and(path(MACHINES)).respond_with(busy).mount(&api.0).await;
    let error = api.create_fails().await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn answers_that_make_no_sense_are_said_to() {
    let api = Api::start().await;
    let page = ResponseTemplate::new(200).set_body_string("<html>");
    Mock::given(method("GET")).and(path(MACHINE)).respond_with(page).mount(&api.0).await;
    let error = api.provider().inspect(&id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(error.message().contains("base_url"), "{error}");
}

/// A refusal of a proxy may be as long as it likes.
#[tokio::test]
async fn a_long_refusal_is_not_read_to_its_end() {
    let api = Api::start().await;
    let page = ResponseTemplate::new(502).set_body_string("x".repeat(1 << 20));
    Mock::given(method("GET")).and(path(MACHINE)).respond_with(page).mount(&api.0).await;
    let error = api.provider().inspect(&id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().len() < 300, "{error}");
}

#[tokio::test]
async fn an_api_that_never_answers_ends_in_a_time_out() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", silent.local_addr().unwrap());
    let api = Api::start().await;
    let provider = api.provider_with(json!({"base_url": base_url, "timeouts": {"call_seconds": 1}}));
    let error = provider.inspect(&id()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true), "{error}");
}

#[tokio::test]
async fn a_command_that_the_platform_ends_is_a_time_out_and_not_tried_again() {
    let api = Api::start().await;
    let exec = format!("{MACHINE}/exec");
    api.answer("POST", &exec, 408, text("deadline_exceeded: exec request timed out")).await;
    api.complete().await;
    let error = api.provider().exec(&id(), ExecOptions::new(["true"])).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, false), "{error}");
    // A lost answer may have been done.
    let api = Api::start().await;
    api.answer("POST", &exec, 502, text("bad gateway")).await;
    let error = api.provider().exec(&id(), ExecOptions::new(["true"])).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false), "{error}");
    let error = api.provider().exec(&id(), ExecOptions::new(Vec::<String>::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[tokio::test]
async fn what_is_gone_is_destroyed_already_unless_the_app_is_missing() {
    let api = Api::start().await;
    api.answer("DELETE", MACHINE, 404, text("machine not found")).await;
    api.provider().destroy(&id(), DestroyOptions::default()).await.unwrap();
    let api = Api::start().await;
    api.answer("DELETE", MACHINE, 404, text("Could not find App")).await;
    let error = api.provider().destroy(&id(), DestroyOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
}

#[tokio::test]
async fn a_missing_image_setting_is_said_before_the_platform_is_asked() {
    let api = Api::start().await;
    let provider = api.provider_with(json!({"image": null}));
    let error = provider.create(spec()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
    assert!(error.message().contains("set image"), "{error}");
    assert_eq!(api.0.received_requests().await.unwrap().len(), 0);
}
