//! What the `docker` provider makes of every refusal of an engine that is known, against an engine that is scripted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use agcluster_core::provider::{CapacityScope, ContainerId, ContainerProvider, Error, ErrorKind, Probe};
use agcluster_providers::docker::{DockerConfig, DockerProvider};
use serde_json::{Value, json};
use support::Session;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const HOST_FULL: ErrorKind = ErrorKind::Capacity(CapacityScope::Host);

/// An engine on which everything works, except for what a test puts before.
struct Engine {
    server: MockServer,
}

impl Engine {
    async fn start() -> Self {
        let engine = Self { server: MockServer::start().await };
        engine
            .answer(
                "GET",
                "/version",
                200,
                json!({"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24"}),
            )
            .await;
        engine
    }

    /// A later answer to the same request counts for less.
    async fn answer(&self, verb: &str, at: &str, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    async fn refuse(&self, verb: &str, at: &str, status: u16, message: &str) {
        self.answer(verb, at, status, json!({"message": message})).await;
    }

    /// All that a launch needs.
    async fn complete(&self) {
        let info = json!({"OSType": "linux", "MemoryLimit": true, "SwapLimit": true, "PidsLimit": true, "CpuCfsQuota": true});
        self.answer("GET", "/v1.41/info", 200, info).await;
        self.refuse("POST", "/v1.41/volumes/create", 500, "quota size requested but no quota support").await;
        let image = json!({"Id": "sha256:1", "Config": {"Labels": {"agcluster.agent.version": "1"}}});
        self.answer("GET", "/v1.41/images/agcluster/agent:latest/json", 200, image).await;
        self.answer("GET", "/v1.41/networks/agcluster", 200, json!({"Name": "agcluster"})).await;
        self.refuse("GET", "/v1.41/volumes/agc-s-ws", 404, "get agc-s-ws: no such volume").await;
        self.answer("POST", "/v1.41/containers/create", 201, json!({"Id": "c", "Warnings": []})).await;
        self.answer("POST", "/v1.41/containers/agc-s-g1/start", 204, Value::Null).await;
        self.answer("DELETE", "/v1.41/containers/agc-s-g1", 204, Value::Null).await;
        self.answer("DELETE", "/v1.41/volumes/agc-s-ws", 204, Value::Null).await;
    }

    fn provider(&self) -> DockerProvider {
        let host = Some(self.server.uri());
        DockerProvider::new(DockerConfig { host, ..DockerConfig::default() }).unwrap()
    }

    async fn create_fails(&self) -> Error {
        let error = self.provider().create(Session::new("c", "s").spec).await.unwrap_err();
        assert_eq!((error.platform(), error.operation()), ("docker", "create"));
        error
    }

    async fn requests(&self, verb: &str, at: &str) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.method.as_str() == verb && request.url.path() == at).count()
    }
}

/// One refusal of `create` or `start`, and what it comes to.
struct Case {
    at: &'static str,
    status: u16,
    says: &'static str,
    kind: ErrorKind,
    sentence: &'static str,
}

const CREATE: &str = "/v1.41/containers/create";
const START: &str = "/v1.41/containers/agc-s-g1/start";

#[rustfmt::skip]
const REFUSALS: &[Case] = &[
    Case { at: CREATE, status: 404, says: "No such image: agcluster/agent:latest", kind: ErrorKind::Precondition, sentence: "`cargo xtask image` builds it" },
    Case { at: CREATE, status: 400, says: "invalid reference format", kind: ErrorKind::Invalid, sentence: "write name:tag" },
    Case { at: CREATE, status: 400, says: "Minimum memory limit allowed is 6MB", kind: ErrorKind::Invalid, sentence: "does not take this container's settings" },
    Case { at: CREATE, status: 401, says: "authentication required", kind: ErrorKind::Auth, sentence: "check its certificates" },
    Case { at: CREATE, status: 403, says: "authorization denied by plugin", kind: ErrorKind::Auth, sentence: "check its certificates" },
    Case { at: CREATE, status: 500, says: "write /var/lib/docker/tmp/x: no space left on device", kind: HOST_FULL, sentence: "disk is full" },
    Case { at: CREATE, status: 503, says: "busy", kind: ErrorKind::Unavailable, sentence: "its log says why" },
    Case { at: CREATE, status: 429, says: "toomanyrequests", kind: ErrorKind::RateLimited { retry_after: None }, sentence: "try again" },
    Case { at: START, status: 500, says: "fork/exec /proc/self/exe: cannot allocate memory", kind: HOST_FULL, sentence: "no memory left" },
    Case { at: START, status: 500, says: "no available IPv4 addresses on this network's address pools: agcluster (1)", kind: HOST_FULL, sentence: "larger subnet" },
    Case { at: START, status: 500, says: "adding interface veth1 to bridge agc1 failed: exchange full", kind: HOST_FULL, sentence: "larger subnet" },
    Case { at: START, status: 500, says: "adding interface veth1 to bridge agc1 failed: could not find bridge agc1: route ip+net: no such network interface", kind: ErrorKind::Precondition, sentence: "it is made anew" },
    Case { at: START, status: 500, says: "driver failed programming external connectivity: Bind for 127.0.0.1:1 failed: port is already allocated", kind: HOST_FULL, sentence: "no port could be published" },
    Case { at: START, status: 500, says: "open /x: too many open files", kind: HOST_FULL, sentence: "limit of its own" },
    Case { at: START, status: 500, says: "runc: resource temporarily unavailable", kind: HOST_FULL, sentence: "limit of its own" },
    Case { at: START, status: 400, says: "OCI runtime create failed: exec: \"/x\": stat /x: no such file or directory: unknown", kind: ErrorKind::Precondition, sentence: "no program to start" },
    Case { at: START, status: 400, says: "OCI runtime create failed: exec: \"x\": executable file not found in $PATH", kind: ErrorKind::Precondition, sentence: "no program to start" },
    Case { at: START, status: 500, says: "exec /x: exec format error", kind: ErrorKind::Precondition, sentence: "another processor" },
    Case { at: START, status: 404, says: "No such container: agc-s-g1", kind: ErrorKind::NotFound, sentence: "there is no container" },
    Case { at: START, status: 500, says: "something new", kind: ErrorKind::Unavailable, sentence: "its log says why" },
];

#[tokio::test]
async fn every_known_refusal_has_a_kind_and_a_sentence_of_its_own() {
    for case in REFUSALS {
        let engine = Engine::start().await;
        engine.refuse("POST", case.at, case.status, case.says).await;
        engine.complete().await;
        let error = engine.create_fails().await;
        assert_eq!(error.kind(), case.kind, "{}: {error}", case.says);
        assert!(error.message().contains(case.sentence), "{}: {error}", case.says);
        assert_eq!(error.code(), Some(case.status.to_string().as_str()));
        assert!(!error.message().contains(case.says), "an engine's own words reached a user: {error}");
    }
}

#[tokio::test]
async fn a_start_that_fails_leaves_neither_container_nor_volume() {
    let engine = Engine::start().await;
    engine.refuse("POST", START, 500, "something new").await;
    engine.complete().await;
    engine.create_fails().await;
    assert_eq!(engine.requests("DELETE", "/v1.41/containers/agc-s-g1").await, 1);
    assert_eq!(engine.requests("DELETE", "/v1.41/volumes/agc-s-ws").await, 1);
}

#[tokio::test]
async fn a_start_that_fails_leaves_a_workspace_that_was_there_before() {
    let engine = Engine::start().await;
    engine.refuse("POST", START, 500, "something new").await;
    let labels = Session::new("c", "s").spec.labels.to_map();
    let volume = json!({"Name": "agc-s-ws", "Driver": "local", "Mountpoint": "/v", "Labels": labels, "Scope": "local", "Options": {}});
    engine.answer("GET", "/v1.41/volumes/agc-s-ws", 200, volume).await;
    engine.complete().await;
    engine.create_fails().await;
    assert_eq!(engine.requests("DELETE", "/v1.41/containers/agc-s-g1").await, 1);
    assert_eq!(engine.requests("DELETE", "/v1.41/volumes/agc-s-ws").await, 0);
}

#[tokio::test]
async fn a_container_or_workspace_of_somebody_else_is_not_touched() {
    let theirs = Session::new("another-cluster", "s").spec.labels.to_map();
    let engine = Engine::start().await;
    engine
        .refuse(
            "POST",
            CREATE,
            409,
            "Conflict. The container name \"/agc-s-g1\" is already in use by container \"1\".",
        )
        .await;
    let container =
        json!({"Name": "/agc-s-g1", "State": {"Status": "running"}, "Config": {"Labels": theirs}});
    engine.answer("GET", "/v1.41/containers/agc-s-g1/json", 200, container).await;
    engine.complete().await;
    assert_eq!(engine.create_fails().await.kind(), ErrorKind::AlreadyExists);
    assert_eq!(engine.requests("DELETE", "/v1.41/containers/agc-s-g1").await, 0);

    let engine = Engine::start().await;
    let volume = json!({"Name": "agc-s-ws", "Driver": "local", "Mountpoint": "/v", "Labels": theirs, "Scope": "local", "Options": {}});
    engine.answer("GET", "/v1.41/volumes/agc-s-ws", 200, volume).await;
    engine.complete().await;
    assert_eq!(engine.create_fails().await.kind(), ErrorKind::AlreadyExists);
    assert_eq!(engine.requests("POST", CREATE).await, 0);
}

#[tokio::test]
async fn the_network_is_made_when_it_is_missing_and_its_pool_may_be_empty() {
    let engine = Engine::start().await;
    engine.refuse("GET", "/v1.41/networks/agcluster", 404, "network agcluster not found").await;
    let none = "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network";
    engine.refuse("POST", "/v1.41/networks/create", 404, none).await;
    engine.complete().await;
    let error = engine.create_fails().await;
    assert_eq!(error.kind(), HOST_FULL, "{error}");
    assert!(error.message().contains("no address range left"), "{error}");
    let requests = engine.server.received_requests().await.unwrap();
    let create = requests.iter().find(|request| request.url.path() == "/v1.41/networks/create").unwrap();
    let body: Value = create.body_json().unwrap();
    assert_eq!(body["Options"]["com.docker.network.bridge.enable_icc"], "false");
}

#[tokio::test]
async fn an_absent_image_and_a_missing_agent_server_say_what_to_do() {
    let engine = Engine::start().await;
    engine.refuse("GET", "/v1.41/images/agcluster/agent:latest/json", 404, "No such image").await;
    engine.complete().await;
    let error = engine.create_fails().await;
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert_eq!(
        error.message(),
        "the image agcluster/agent:latest is not on the engine: `cargo xtask image` builds it"
    );

    let engine = Engine::start().await;
    engine.answer("GET", "/v1.41/images/agcluster/agent:latest/json", 200, json!({"Id": "sha256:1"})).await;
    engine.complete().await;
    let error = engine.create_fails().await;
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert!(error.message().contains("set agent_binary"), "{error}");
}

async fn probe(host: String) -> Result<Probe, Error> {
    let config = DockerConfig { host: Some(host), ..DockerConfig::default() };
    DockerProvider::new(config).unwrap().probe().await
}

#[tokio::test]
async fn an_engine_that_is_not_there_or_closed_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let host = format!("unix://{}", socket.display());
    let error = probe(host.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert_eq!(error.message(), format!("no Docker engine answers at {host}: start it, or set DOCKER_HOST"));

    // A socket that nobody listens on any more.
    drop(tokio::net::UnixListener::bind(&socket).unwrap());
    assert_eq!(probe(host).await.unwrap_err().kind(), ErrorKind::Unavailable);

    assert_eq!(probe("tcp://127.0.0.1:1".to_owned()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn an_engine_that_never_answers_ends_in_a_time_out() {
    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = DockerConfig {
        host: Some(format!("tcp://{}", silent.local_addr().unwrap())),
        timeouts: agcluster_providers::docker::Timeouts { probe_seconds: 1, ..Default::default() },
        ..DockerConfig::default()
    };
    let error = DockerProvider::new(config).unwrap().probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn what_is_no_engine_or_too_old_a_one_is_said_to_be() {
    let engine = Engine { server: MockServer::start().await };
    engine.answer("GET", "/version", 200, json!({"ApiVersion": "1.40", "Version": "19.03"})).await;
    let error = probe(engine.server.uri()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert!(error.message().contains("upgrade it to Docker 20.10"), "{error}");

    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string("<html>"))
        .mount(&server)
        .await;
    assert_eq!(probe(server.uri()).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn an_engine_that_was_replaced_is_connected_to_again() {
    let engine = Engine::start().await;
    let newer =
        "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client";
    let refusal = ResponseTemplate::new(400).set_body_json(json!({"message": newer}));
    engine.complete().await;
    engine.answer("GET", "/v1.41/_ping", 200, json!("OK")).await;
    engine.answer("GET", "/_ping", 200, json!("OK")).await;
    let provider = engine.provider();
    provider.probe().await.unwrap();
    let id = ContainerId("agc-s-g1".to_owned());
    Mock::given(method("GET"))
        .and(path("/v1.41/containers/agc-s-g1/json"))
        .respond_with(refusal)
        .up_to_n_times(1)
        .mount(&engine.server)
        .await;
    engine.refuse("GET", "/v1.41/containers/agc-s-g1/json", 404, "No such container: agc-s-g1").await;
    assert_eq!(provider.inspect(&id).await.unwrap_err().kind(), ErrorKind::Precondition);
    let versions = engine.requests("GET", "/version").await;
    assert_eq!(provider.inspect(&id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        engine.requests("GET", "/version").await,
        versions + 1,
        "it did not ask for the version again"
    );
}

#[tokio::test]
async fn storage_that_the_engine_cannot_bound_is_warned_of_and_not_asked_for() {
    let engine = Engine::start().await;
    engine.complete().await;
    let mut session = Session::new("c", "s").spec;
    session.resources.storage_bytes = Some(1 << 30);
    let labels = session.labels.to_map();
    let running = json!({"Name": "/agc-s-g1", "Image": "sha256:1", "State": {"Status": "running"}, "Config": {"Labels": labels}});
    engine.answer("GET", "/v1.41/containers/agc-s-g1/json", 200, running).await;
    let provider = engine.provider();
    let container = provider.create(session).await.unwrap();
    assert!(
        container.warnings[0].contains("storage limit of 1g is not enforced"),
        "{:?}",
        container.warnings
    );
    assert!(!provider.info().capabilities.limits.storage);
    let requests = engine.server.received_requests().await.unwrap();
    let create = requests.iter().find(|request| request.url.path() == CREATE).unwrap();
    let body: Value = create.body_json().unwrap();
    assert_eq!(body["HostConfig"]["Mounts"][0]["VolumeOptions"].get("DriverConfig"), None);
}
