//! The gateway Worker by its routes, in the real `workerd`, with containers that are made up: what each is follows from its id.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use agcluster_core::provider::{ContainerSpec, ErrorKind, Labels};
use agcluster_tests::platforms::cloudflare::{CloudflarePlatform, Gateway, Runtime, TOKEN};
use futures::future::join;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

/// A client of a gateway.
struct Caller {
    client: Client,
    url: String,
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    retry_after: Option<String>,
    request_id: Option<String>,
    body: Value,
}

impl Answer {
    fn refusal(&self) -> (u16, &str) {
        let message = self.body["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "a refusal has a reason: {self:?}");
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }

    fn generation(&self) -> u64 {
        self.body["generation"].as_u64().unwrap()
    }
}

impl Caller {
    fn new(url: String) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { client: Client::builder().no_proxy().build().unwrap(), url }
    }

    fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(TOKEN)
    }

    async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    async fn put(&self, id: &str, body: Value) -> Answer {
        send(self.request(Method::PUT, &format!("/v1/containers/{id}")).json(&body)).await
    }

    async fn delete(&self, id: &str) -> Answer {
        send(self.request(Method::DELETE, &format!("/v1/containers/{id}"))).await
    }

    async fn made(&self, id: &str) -> Answer {
        let made = self.put(id, json!({ "labels": { "owner": "test" } })).await;
        assert_eq!((made.status, &made.body["state"]), (200, &json!("running")), "{made:?}");
        made
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/containers{query}")).await;
        let containers = page.body["containers"].as_array().unwrap();
        containers.iter().map(|container| container["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Looks until the container stands still, and gives it.
    async fn stopped(&self, id: &str) -> Value {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let seen = async {
            loop {
                look.tick().await;
                let seen = self.get(&format!("/v1/containers/{id}")).await.body;
                if seen["state"] == "stopped" {
                    return seen;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap()
    }
}

async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (retry_after, request_id) = (header("retry-after"), header("x-request-id"));
    Answer { status, retry_after, request_id, body: response.json().await.unwrap_or_default() }
}

async fn fake() -> (CloudflarePlatform, Caller) {
    let platform = CloudflarePlatform::start_on(Runtime::Fake).await.unwrap();
    let caller = Caller::new(platform.url());
    (platform, caller)
}

#[tokio::test]
async fn nothing_is_told_to_who_has_not_the_token() {
    let (platform, caller) = fake().await;
    caller.made("ok-1").await;
    for (method, path) in [
        (Method::GET, "/v1/health"),
        (Method::GET, "/v1/containers"),
        (Method::GET, "/v1/containers/ok-1"),
        (Method::PUT, "/v1/containers/ok-2"),
        (Method::DELETE, "/v1/containers/ok-1"),
        (Method::POST, "/v1/containers/ok-1/stop"),
        (Method::GET, "/v1/containers/ok-1/proxy/3000/health"),
        (Method::GET, "/anything"),
    ] {
        let longer = format!("Bearer {TOKEN}x");
        let shorter = format!("Bearer {}", &TOKEN[1..]);
        let other = format!("Basic {TOKEN}");
        for authorization in ["", "Bearer", "Bearer ", &longer, &shorter, &other] {
            let request = caller.bare(method.clone(), path).header("authorization", authorization);
            let answer = send(request).await;
            assert_eq!(answer.refusal(), (401, "unauthorized"), "{method} {path} with {authorization:?}");
        }
        let answer = send(caller.bare(method, path)).await;
        assert_eq!(answer.refusal(), (401, "unauthorized"));
        assert!(answer.request_id.is_some());
    }
    // What one's own header says counts, not the agent server's.
    let both = caller.request(Method::GET, "/v1/health").header("x-gateway-authorization", "Bearer no");
    assert_eq!(send(both).await.refusal(), (401, "unauthorized"));
    assert_eq!(caller.ids("").await, ["ok-1"]);
    assert!(!platform.log().contains(TOKEN));
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_gateway_without_a_token_lets_nobody_in() {
    for token in [None, Some("short")] {
        let gateway = Gateway::start(Runtime::Fake, token).await.unwrap();
        let caller = Caller::new(format!("http://127.0.0.1:{}", gateway.port()));
        let request = caller.bare(Method::GET, "/v1/health").bearer_auth(token.unwrap_or_default());
        assert_eq!(send(request).await.refusal(), (424, "not_configured"));
        gateway.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_container_sees_what_is_for_it_and_no_credential_of_the_way() {
    let (platform, caller) = fake().await;
    let generation = caller.made("ok-1").await.generation().to_string();
    let path = "/v1/containers/ok-1/proxy/8080/deep/path?x=1&y=%2F";
    let ways = [
        caller
            .bare(Method::POST, path)
            .header("x-gateway-authorization", format!("Bearer {TOKEN}"))
            .header("authorization", "Bearer agents-own"),
        caller.request(Method::POST, path).header("x-agent-authorization", "Bearer agents-own"),
    ];
    for way in ways {
        let request = way
            .header("cf-access-client-id", "id.access")
            .header("cf-access-client-secret", "hidden")
            .header("x-expect-generation", &generation)
            .header("x-own", "kept")
            .body("the body");
        let seen = send(request).await.body;
        assert_eq!(
            (&seen["port"], &seen["method"], &seen["body"]),
            (&json!(8080), &json!("POST"), &json!("the body"))
        );
        assert_eq!(seen["url"], "http://container/deep/path?x=1&y=%2F");
        assert_eq!(seen["headers"]["authorization"], "Bearer agents-own");
        assert_eq!(seen["headers"]["x-own"], "kept");
        let text = seen.to_string();
        for hidden in [TOKEN, "id.access", "hidden", "x-gateway-", "x-agent-", "x-expect-"] {
            assert!(!text.contains(hidden), "the container saw {hidden}: {text}");
        }
    }
    let none = send(caller.request(Method::GET, path)).await.body;
    assert!(none["headers"]["authorization"].is_null(), "{none}");
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_route_takes_what_it_says_and_nothing_else() {
    let (platform, caller) = fake().await;
    caller.made("ok-1").await;
    for (method, path, expected) in [
        (Method::GET, "/", (404, "no_such_route")),
        (Method::GET, "/v2/health", (404, "no_such_route")),
        (Method::GET, "/v1/health/x", (404, "no_such_route")),
        (Method::POST, "/v1/health", (405, "method_not_allowed")),
        (Method::POST, "/v1/containers", (405, "method_not_allowed")),
        (Method::POST, "/v1/containers/ok-1", (405, "method_not_allowed")),
        (Method::GET, "/v1/containers/ok-1/stop", (405, "method_not_allowed")),
        (Method::POST, "/v1/containers/ok-1/explode", (404, "no_such_route")),
        (Method::POST, "/v1/containers/ok-1/constructor", (404, "no_such_route")),
        (Method::POST, "/v1/containers/ok-1/stop/now", (404, "no_such_route")),
        (Method::GET, "/v1/containers/_probe", (404, "not_found")),
        (Method::GET, "/v1/containers/OK-1", (404, "not_found")),
        (Method::GET, "/v1/containers/-a", (404, "not_found")),
        (Method::GET, "/v1/containers/a%2Fb", (404, "not_found")),
        (Method::GET, "/v1/containers/ok-1/proxy/0/x", (404, "no_such_route")),
        (Method::GET, "/v1/containers/ok-1/proxy/65536/x", (404, "no_such_route")),
        (Method::GET, "/v1/containers/ok-1/proxy/web/x", (404, "no_such_route")),
        (Method::GET, "/v1/containers?limit=0", (400, "invalid")),
        (Method::GET, "/v1/containers?limit=51", (400, "invalid")),
        (Method::GET, "/v1/containers?label=x", (400, "invalid")),
        (Method::GET, "/v1/containers?label=a%22b=x", (400, "invalid")),
        (Method::GET, "/v1/containers?cursor=%27", (400, "invalid")),
    ] {
        let answer = send(caller.request(method.clone(), path)).await;
        assert_eq!(answer.refusal(), expected, "{method} {path}");
        assert_eq!(answer.body["detail"], answer.body["error"]["message"]);
    }
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn an_order_is_read_strictly() {
    let (platform, caller) = fake().await;
    for body in [
        json!([]),
        json!({ "nonsense": 1 }),
        json!({ "labels": { "a b": "x" } }),
        json!({ "labels": { "a": 1 } }),
        json!({ "env": { "A-B": "x" } }),
        json!({ "env": { "A": null } }),
        json!({ "entrypoint": [] }),
        json!({ "enable_internet": "yes" }),
        json!({ "ready_port": 0 }),
        json!({ "ready_path": "health" }),
        json!({ "ready_timeout_ms": 1.5 }),
        json!({ "idle_timeout_ms": 1 }),
        json!({ "expires_at": "tomorrow" }),
        json!({ "expires_at": "2999-01-01T00:00:00Z" }),
    ] {
        assert_eq!(caller.put("ok-1", body.clone()).await.refusal(), (400, "invalid"), "{body}");
    }
    let long = json!({ "env": { "A": "x".repeat(70_000) } });
    assert_eq!(caller.put("ok-1", long).await.refusal(), (413, "invalid"));
    let text = caller.request(Method::PUT, "/v1/containers/ok-1").body("{");
    assert_eq!(send(text).await.refusal(), (400, "invalid"));
    for body in [json!({ "image": "data" }), json!({ "instance": "standard-4" })] {
        assert_eq!(caller.put("ok-1", body).await.refusal(), (400, "not_selectable"));
    }
    caller.made("ok-1").await;
    let stop = caller.post("/v1/containers/ok-1/stop", json!({ "grace_ms": -1 })).await;
    assert_eq!(stop.refusal(), (400, "invalid"));
    let extend = caller.post("/v1/containers/ok-1/extend", json!({})).await;
    assert_eq!(extend.refusal(), (400, "invalid"));
    assert_eq!(caller.ids("").await, ["ok-1"]);
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_destroying_it_is_success() {
    let (platform, caller) = fake().await;
    for (method, path) in [
        (Method::GET, ""),
        (Method::POST, "/stop"),
        (Method::POST, "/start"),
        (Method::GET, "/proxy/3000/health"),
    ] {
        let answer = send(caller.request(method, &format!("/v1/containers/ok-none{path}"))).await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{path}");
    }
    let until = json!({ "expires_at": jiff::Timestamp::now().to_string() });
    assert_eq!(caller.post("/v1/containers/ok-none/extend", until).await.refusal(), (404, "not_found"));
    assert_eq!(caller.delete("ok-none").await.status, 200);
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_container_is_made_once_and_belongs_to_its_labels() {
    let (platform, caller) = fake().await;
    let first = caller.made("ok-1").await;
    assert_eq!(caller.made("ok-1").await.generation(), first.generation());
    let others = caller.put("ok-1", json!({ "labels": { "owner": "other" } })).await;
    assert_eq!(others.refusal(), (409, "conflict"));
    assert_eq!(caller.get("/v1/containers/ok-1").await.generation(), first.generation());
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_container_that_does_not_run_is_never_started_by_asking_it() {
    let (platform, caller) = fake().await;
    let first = caller.made("ok-1").await.generation();
    let ask = async |generation: u64| {
        let request = caller.request(Method::GET, "/v1/containers/ok-1/proxy/3000/health");
        send(request.header("x-expect-generation", generation)).await
    };
    assert_eq!(ask(first).await.status, 200);
    assert_eq!(ask(first + 1).await.refusal(), (409, "replaced"));
    let stopped = caller.post("/v1/containers/ok-1/stop", json!({})).await;
    assert_eq!((&stopped.body["state"], &stopped.body["exit"]["code"]), (&json!("stopped"), &json!(0)));
    assert_eq!(caller.post("/v1/containers/ok-1/stop", json!({})).await.status, 200);
    for _ in 0..2 {
        assert_eq!(ask(first).await.refusal(), (410, "not_running"));
        let without = caller.get("/v1/containers/ok-1/proxy/3000/health").await;
        assert_eq!(without.refusal(), (410, "not_running"));
    }
    assert_eq!(caller.get("/v1/containers/ok-1").await.body["state"], "stopped");

    // Whoever knew the one before is told that this is another one.
    let second = caller.post("/v1/containers/ok-1/start", json!({})).await.generation();
    assert!(second > first);
    assert_eq!(ask(first).await.refusal(), (409, "replaced"));
    assert_eq!(ask(second).await.status, 200);
    assert_eq!(caller.post("/v1/containers/ok-1/start", json!({})).await.generation(), second);

    // Also when everything was forgotten in between.
    caller.delete("ok-1").await;
    assert_eq!(ask(second).await.refusal(), (404, "not_found"));
    assert!(caller.made("ok-1").await.generation() > second);
    assert_eq!(ask(second).await.refusal(), (409, "replaced"));
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_runtime_says_has_a_code_and_leaves_nothing() {
    let (platform, caller) = fake().await;
    let quick = json!({ "ready_timeout_ms": 300 });
    for (id, expected, retryable, wait) in [
        ("none-1", (424, "not_enabled"), false, None),
        ("most-1", (503, "max_instances"), false, None),
        ("fast-1", (429, "rate_limited"), true, Some("2")),
        ("full-1", (503, "no_capacity"), true, Some("5")),
        ("crash-1", (422, "exited"), false, None),
        ("rolled-1", (502, "ended_by_platform"), true, None),
        ("deaf-1", (504, "not_ready"), true, None),
        ("lost-1", (504, "not_ready"), true, None),
        ("odd-1", (504, "not_ready"), true, None),
        ("anew-1", (503, "redeployed"), true, None),
        ("busy-1", (503, "overloaded"), true, None),
    ] {
        // Whether there is room is asked for some seconds.
        let order = if id == "full-1" { json!({}) } else { quick.clone() };
        let answer = caller.put(id, order).await;
        assert_eq!(answer.refusal(), expected, "{id}");
        assert_eq!(answer.body["error"]["retryable"], retryable, "{id}");
        assert_eq!(answer.retry_after.as_deref(), wait, "{id}");
        assert_eq!(caller.get(&format!("/v1/containers/{id}")).await.refusal(), (404, "not_found"));
    }
    let crashed = caller.put("crash-2", json!({})).await;
    assert!(crashed.body["error"]["message"].as_str().unwrap().contains("code 7"), "{crashed:?}");
    assert_eq!(caller.ids("").await, Vec::<String>::new());
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn room_that_is_there_a_moment_later_is_taken() {
    let (platform, caller) = fake().await;
    caller.made("tight-1").await;
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_container_ends_at_its_time_though_nobody_asks() {
    let (platform, caller) = fake().await;
    let at = |seconds: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string();
    caller.put("ok-1", json!({ "expires_at": at(4) })).await;
    let seen = caller.stopped("ok-1").await;
    assert_eq!(seen["exit"], json!({ "code": null, "reason": "its lifetime was over" }));
    assert_eq!(caller.ids("").await, ["ok-1"], "it is told until somebody removes it");
    let again = caller.post("/v1/containers/ok-1/start", json!({})).await;
    assert_eq!(again.refusal(), (410, "not_running"));
    let late = caller.post("/v1/containers/ok-1/extend", json!({ "expires_at": at(60) })).await;
    assert_eq!(late.refusal(), (410, "not_running"));
    let anew = caller.put("ok-1", json!({ "expires_at": at(600) })).await;
    assert_eq!((anew.status, &anew.body["state"]), (200, &json!("running")), "{anew:?}");
    assert_eq!(caller.get("/v1/containers/ok-1/proxy/3000/").await.status, 200);

    caller.put("ok-2", json!({ "expires_at": at(6) })).await;
    let far = caller.post("/v1/containers/ok-2/extend", json!({ "expires_at": at(600) })).await;
    let near = caller.post("/v1/containers/ok-2/extend", json!({ "expires_at": at(3) })).await;
    assert_eq!(far.body["expires_at"], near.body["expires_at"], "an end is never moved nearer");
    // It ends after the first end of the one before, which is so waited for.
    caller.put("ok-3", json!({ "expires_at": at(8) })).await;
    caller.stopped("ok-3").await;
    assert_eq!(caller.get("/v1/containers/ok-2").await.body["state"], "running");
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_container_that_does_not_heed_is_ended_after_its_grace_though_the_caller_left() {
    let (platform, caller) = fake().await;
    caller.made("deafened-1").await;
    let stopped = caller.post("/v1/containers/deafened-1/stop", json!({ "grace_ms": 200 })).await;
    assert_eq!(stopped.body["state"], "stopped");
    assert_eq!(stopped.body["exit"]["reason"], "it did not end within its grace");

    caller.made("deafened-2").await;
    let stop = caller.request(Method::POST, "/v1/containers/deafened-2/stop");
    let stop = tokio::spawn(stop.json(&json!({ "grace_ms": 5000 })).send());
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    while caller.get("/v1/containers/deafened-2").await.body["state"] != "stopping" {
        assert!(!stop.is_finished(), "it was answered before the grace was over");
        looks.tick().await;
    }
    stop.abort();
    let asked = caller.get("/v1/containers/deafened-2/proxy/3000/health").await;
    assert_eq!(asked.refusal(), (410, "not_running"));
    let seen = caller.stopped("deafened-2").await;
    assert_eq!(seen["exit"]["reason"], "it did not end within its grace");
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_coming_up_can_be_removed() {
    let (platform, caller) = fake().await;
    let coming = caller.put("deaf-1", json!({ "ready_timeout_ms": 60_000 }));
    let removed = async {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        while caller.ids("").await.is_empty() {
            look.tick().await;
        }
        caller.delete("deaf-1").await
    };
    let both = tokio::time::timeout(Duration::from_secs(20), join(coming, removed)).await;
    let (coming, removed) = both.unwrap();
    assert_eq!((coming.refusal(), removed.status), ((409, "destroyed"), 200));
    assert_eq!(caller.ids("").await, Vec::<String>::new());
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn what_comes_up_after_it_was_removed_is_ended() {
    let (platform, caller) = fake().await;
    // Nobody finds it in time, neither who makes it nor who removes it.
    let coming = caller.put("late-1", json!({ "ready_timeout_ms": 60_000 }));
    let removed = async {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        while caller.ids("").await.is_empty() {
            look.tick().await;
        }
        caller.delete("late-1").await
    };
    let (coming, removed) = join(coming, removed).await;
    assert_eq!((coming.refusal(), removed.status), ((409, "destroyed"), 200));
    assert_eq!(caller.get("/v1/containers/late-1").await.refusal(), (404, "not_found"));
    let running = async |expected: u32| {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        while caller.get("/fake/late").await.body != expected {
            look.tick().await;
        }
    };
    let seen = async {
        running(1).await;
        running(0).await;
    };
    tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap();

    // The next one of this name is another's, and stays.
    let next = caller.put("late-1", json!({ "ready_timeout_ms": 60_000 })).await;
    assert_eq!((next.status, &next.body["state"]), (200, &json!("running")), "{next:?}");
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn lists_have_pages_and_labels() {
    let (platform, caller) = fake().await;
    for (id, team) in [("ok-a", "x"), ("ok-b", "y"), ("ok-c", "x"), ("ok-d", "x"), ("ok-e", "y")] {
        let labels = json!({ "team.name": team, "all": "a=b&c" });
        assert_eq!(caller.put(id, json!({ "labels": labels })).await.status, 200);
    }
    caller.post("/v1/containers/ok-c/stop", json!({})).await;
    assert_eq!(caller.ids("?label=team.name%3Dx").await, ["ok-a", "ok-c", "ok-d"]);
    assert_eq!(caller.ids("?label=team.name%3Dx&label=all%3Da%3Db%26c").await.len(), 3);
    assert_eq!(caller.ids("?label=team.name%3Dz").await, Vec::<String>::new());
    let first = caller.get("/v1/containers?limit=2").await.body;
    assert_eq!(first["cursor"], "ok-b");
    assert_eq!(caller.ids("?limit=2&cursor=ok-b").await, ["ok-c", "ok-d"]);
    let last = caller.get("/v1/containers?limit=2&cursor=ok-d").await.body;
    assert_eq!((&last["cursor"], &last["containers"][0]["id"]), (&Value::Null, &json!("ok-e")));
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_is_deployed_anew_knows_what_it_made() {
    let (mut platform, caller) = fake().await;
    let made = caller.made("ok-1").await;
    platform.restart_gateway().await.unwrap();
    assert_eq!(caller.ids("?label=owner%3Dtest").await, ["ok-1"]);
    // What is made up does not outlive the runtime: that is seen, and not taken for running.
    let seen = caller.get("/v1/containers/ok-1").await;
    assert_eq!((&seen.body["state"], seen.generation()), (&json!("stopped"), made.generation()));
    platform.stop().await.unwrap();
}

fn spec(session: &str, image: Option<&str>) -> ContainerSpec {
    let labels = Labels {
        cluster: "c".to_owned(),
        session: session.to_owned(),
        agent: "a".to_owned(),
        generation: 1,
        expires_at: None,
    };
    ContainerSpec { image: image.map(str::to_owned), ..ContainerSpec::new(labels) }
}

#[tokio::test]
async fn images_are_chosen_where_the_deployment_has_them() {
    let platform = CloudflarePlatform::start_on(Runtime::FakeSelectable).await.unwrap();
    let provider = platform.provider().unwrap();
    assert!(!provider.info().capabilities.custom_image, "not before it was asked");
    let probe = provider.probe().await.unwrap();
    assert!(probe.warnings.is_empty(), "{probe:?}");
    assert!(provider.info().capabilities.custom_image);
    let error = provider.create(spec("a", Some("none"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert!(error.message().contains("it has agent, data"), "{error}");
    let caller = Caller::new(platform.url());
    for (session, image, expected) in [("b", None, "agent@sha256:1"), ("c", Some("data"), "data@sha256:2")] {
        let id = provider.create(spec(session, image)).await.unwrap().id;
        let seen = caller.get(&format!("/v1/containers/{id}/proxy/3000/")).await.body;
        assert!(seen["started"]["image"].as_str().unwrap().ends_with(expected), "{seen}");
        assert_eq!(seen["started"]["instance"], "standard-1");
        provider.destroy(&id, Default::default()).await.unwrap();
    }
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn without_images_to_choose_one_that_is_asked_for_is_refused() {
    let (platform, _) = fake().await;
    let provider = platform.provider().unwrap();
    let probe = provider.probe().await.unwrap();
    assert!(probe.warnings[0].contains("replaces running containers"), "{probe:?}");
    let error = provider.create(spec("a", Some("data"))).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some("not_selectable")));
    assert!(error.message().contains("scheduling_policy durable_object"), "{error}");
    assert!(error.request_id().is_some());
    platform.stop().await.unwrap();
}
