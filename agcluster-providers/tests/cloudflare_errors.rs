//! What the `cloudflare` provider makes of every refusal that is known, of the gateway and of what stands before it, against an HTTP server
//! that is scripted; and what it sends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use agcluster_core::provider::{
    Address, CapacityScope, ContainerId, ContainerProvider, ContainerState, DestroyOptions, Error, ErrorKind,
    ListFilter, StopOptions,
};
use agcluster_providers::cloudflare::{CloudflareConfig, CloudflareProvider};
use serde_json::{Value, json};
use support::Session;
use wiremock::matchers::{body_partial_json, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const TOKEN: &str = "hidden-gateway-token";
const RAY: &str = "8f1b2c3d4e5f6a7b-FRA";
const CONTAINER: &str = "/v1/containers/agc-s-g1";

fn provider(url: &str, fields: Value) -> CloudflareProvider {
    let mut config = json!({ "gateway_url": url, "gateway_token": TOKEN });
    config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let config: CloudflareConfig = serde_json::from_value(config).unwrap();
    CloudflareProvider::new(config).unwrap()
}

fn id() -> ContainerId {
    ContainerId("agc-s-g1".to_owned())
}

fn seen(state: &str) -> Value {
    json!({
        "id": "agc-s-g1", "state": state, "generation": 1_795_236_937_421_u64,
        "labels": Session::new("c", "s").spec.labels.to_map(), "image": null, "instance": null,
        "created_at": "2026-11-21T04:55:37.421Z", "started_at": "2026-11-21T04:55:37.421Z",
        "expires_at": "2026-11-22T04:55:37.421Z", "exit": null,
    })
}

/// What a scripted answer to `PUT` comes to.
async fn create_against(answer: ResponseTemplate) -> Error {
    let server = MockServer::start().await;
    let answer = answer.insert_header("cf-ray", RAY);
    Mock::given(method("PUT")).and(path(CONTAINER)).respond_with(answer).mount(&server).await;
    let error = provider(&server.uri(), json!({})).create(Session::new("c", "s").spec).await.unwrap_err();
    assert_eq!((error.platform(), error.operation()), ("cloudflare", "create"));
    assert_eq!(error.request_id(), Some(RAY), "{error}");
    let printed = format!("{error} {error:?}");
    assert!(!printed.contains(TOKEN), "{printed}");
    error
}

const FULL: ErrorKind = ErrorKind::Capacity(CapacityScope::Platform);
const SOON: Option<Duration> = Some(Duration::from_secs(5));

#[rustfmt::skip]
const OF_THE_GATEWAY: &[(u16, &str, ErrorKind, bool, &str)] = &[
    (401, "unauthorized", ErrorKind::Auth, false, "set gateway_token (CLOUDFLARE_GATEWAY_TOKEN)"),
    (424, "not_configured", ErrorKind::Precondition, false, "wrangler secret put GATEWAY_TOKEN"),
    (424, "not_enabled", ErrorKind::Precondition, false, "containers section of its wrangler.jsonc"),
    (404, "not_found", ErrorKind::NotFound, false, "there is no container agc-s-g1"),
    (409, "conflict", ErrorKind::AlreadyExists, false, "belongs to another deployment"),
    (409, "destroyed", ErrorKind::Gone, false, "while it came up"),
    (410, "not_running", ErrorKind::Gone, false, "does not run"),
    (409, "replaced", ErrorKind::Gone, false, "started anew"),
    (503, "no_capacity", FULL, true, "raise max_instances"),
    (503, "max_instances", FULL, false, "raise max_instances"),
    (429, "rate_limited", ErrorKind::RateLimited { retry_after: SOON }, true, "launch more slowly"),
    (503, "no_such_port", ErrorKind::Unavailable, true, "does not listen"),
    (503, "not_listening", ErrorKind::Unavailable, true, "does not listen"),
    (502, "disconnected", ErrorKind::Unavailable, true, "connection to the container broke"),
    (422, "exited", ErrorKind::Precondition, false, "deploy the gateway with the agent image"),
    (502, "ended_by_platform", ErrorKind::Unavailable, true, "Cloudflare ended the container"),
    (504, "not_ready", ErrorKind::Timeout, true, "raise ready_seconds"),
    (422, "no_such_image", ErrorKind::Precondition, false, "add it to images"),
    (400, "not_selectable", ErrorKind::Invalid, false, "scheduling_policy durable_object"),
    (400, "invalid", ErrorKind::Invalid, false, "does not take this: words of the gateway"),
    (413, "invalid", ErrorKind::Invalid, false, "does not take this"),
    (404, "no_such_route", ErrorKind::Precondition, false, "deploy the one of this version"),
    (405, "method_not_allowed", ErrorKind::Precondition, false, "deploy the one of this version"),
    (503, "overloaded", ErrorKind::Unavailable, true, "overloaded"),
    (503, "redeployed", ErrorKind::Unavailable, true, "deployed anew"),
    (500, "internal", ErrorKind::Unavailable, true, "wrangler tail"),
];

#[tokio::test]
async fn every_code_of_the_gateway_has_a_kind_and_a_sentence_of_its_own() {
    for &(status, code, kind, retryable, sentence) in OF_THE_GATEWAY {
        let body =
            json!({ "error": { "code": code, "message": "words of the gateway", "retryable": retryable } });
        let answer = ResponseTemplate::new(status).set_body_json(body).insert_header("retry-after", "5");
        let error = create_against(answer).await;
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{code}: {error}");
        assert!(error.message().contains(sentence), "{code}: {error}");
        assert_eq!((error.code(), error.retry_after()), (Some(code), SOON), "{error}");
    }
}

#[tokio::test]
async fn a_code_of_a_later_gateway_is_judged_by_its_status() {
    for (status, kind, retryable) in [
        (401, ErrorKind::Auth, false),
        (404, ErrorKind::NotFound, false),
        (410, ErrorKind::Gone, false),
        (418, ErrorKind::Precondition, false),
        (429, ErrorKind::RateLimited { retry_after: None }, true),
        (503, ErrorKind::Unavailable, true),
        (503, ErrorKind::Unavailable, false),
    ] {
        let body =
            json!({ "error": { "code": "something_new", "message": "<b>raw</b>", "retryable": retryable } });
        let error = create_against(ResponseTemplate::new(status).set_body_json(body)).await;
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status}");
        assert_eq!(error.code(), Some("something_new"));
        assert!(!error.message().contains("raw"), "{error}");
    }
}

#[rustfmt::skip]
const BEFORE_THE_GATEWAY: &[(u16, &str, ErrorKind, &str, &str)] = &[
    (429, "error code: 1027", ErrorKind::Quota, "1027", "move it to Workers Paid"),
    (429, "error code: 1015", ErrorKind::RateLimited { retry_after: SOON }, "1015", "rate limiting rule"),
    (429, "", ErrorKind::RateLimited { retry_after: SOON }, "429", "rate limiting rule"),
    (500, "<h1>Error 1101</h1> Worker threw exception", ErrorKind::Unavailable, "1101", "wrangler tail"),
    (503, "error code: 1102", ErrorKind::Unavailable, "1102", "wrangler tail"),
    (401, "", ErrorKind::Auth, "401", "CF_ACCESS_CLIENT_ID"),
    (403, "<html>Forbidden. Cloudflare Access</html>", ErrorKind::Auth, "403", "CF_ACCESS_CLIENT_ID"),
    (403, "error code: 1020", ErrorKind::Auth, "1020", "firewall"),
    (404, "There is nothing here yet", ErrorKind::Precondition, "404", "CLOUDFLARE_GATEWAY_URL"),
    (404, "{\"error\": \"not found\"}", ErrorKind::Precondition, "404", "CLOUDFLARE_GATEWAY_URL"),
    (530, "error code: 1016", ErrorKind::Precondition, "1016", "CLOUDFLARE_GATEWAY_URL"),
    (413, "", ErrorKind::Invalid, "413", "larger than Cloudflare takes"),
    (502, "", ErrorKind::Unavailable, "502", "before the gateway"),
    (522, "error code: 522", ErrorKind::Unavailable, "522", "before the gateway"),
    (418, "", ErrorKind::Protocol, "418", "check gateway_url"),
    (200, "<html>", ErrorKind::Protocol, "", "does not speak as the gateway does"),
    (200, "{\"id\": 7}", ErrorKind::Protocol, "", "does not speak as the gateway does"),
];

#[tokio::test]
async fn what_stands_before_the_gateway_or_in_its_place_is_told_apart() {
    for &(status, body, kind, code, sentence) in BEFORE_THE_GATEWAY {
        let answer = ResponseTemplate::new(status).set_body_string(body).insert_header("retry-after", "5");
        let error = create_against(answer).await;
        assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        assert_eq!(error.code().unwrap_or_default(), code, "{error}");
        assert!(error.message().contains(sentence), "{status} {body}: {error}");
        assert!(!error.message().contains("html"), "{error}");
    }
}

#[tokio::test]
async fn a_login_of_access_is_not_followed() {
    let to = |url: &str| ResponseTemplate::new(302).insert_header("location", url);
    let error = create_against(to("https://team.cloudflareaccess.com/cdn-cgi/access/login/x")).await;
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.message().contains("access.client_id"), "{error}");
    let error = create_against(to("https://elsewhere.example/")).await;
    assert_eq!(error.kind(), ErrorKind::Precondition, "{error}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_or_silent_says_what_to_do() {
    let error = provider("http://127.0.0.1:1", json!({})).probe().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert!(error.message().contains("CLOUDFLARE_GATEWAY_URL"), "{error}");

    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let quick = json!({ "timeouts": { "probe_seconds": 1 } });
    let error = provider(&url, quick).probe().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true));
}

#[tokio::test]
async fn a_gateway_of_another_kind_is_said_to_be() {
    let health = |gateway: &str, protocol: u32, containers: bool| {
        json!({
            "gateway": gateway, "version": "0.1.0", "protocol": protocol, "scheduling_policy": "default",
            "images": [], "features": { "containers": containers, "exec": false },
        })
    };
    for (body, sentence) in [
        (health("agcluster", 2, true), "speaks protocol 2 and this program 1"),
        (health("other", 1, true), "deploy the gateway of this version"),
        (health("agcluster", 1, false), "deployed without containers"),
    ] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_json(body);
        Mock::given(method("GET")).and(path("/v1/health")).respond_with(answer).mount(&server).await;
        let error = provider(&server.uri(), json!({})).probe().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Precondition);
        assert!(error.message().contains(sentence), "{error}");
    }
}

#[tokio::test]
async fn credentials_go_with_every_request_and_into_the_endpoint() {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(path(format!("/base{CONTAINER}")))
        .and(header("x-gateway-authorization", format!("Bearer {TOKEN}")))
        .and(header("cf-access-client-id", "id.access"))
        .and(header("cf-access-client-secret", "hidden-access"))
        .and(body_partial_json(json!({
            "labels": { "agcluster.cluster": "c", "agcluster.session": "s", "agcluster.generation": "1" },
            "enable_internet": true, "ready_port": 3000, "ready_path": "/health",
            "ready_timeout_ms": 60_000, "idle_timeout_ms": 900_000,
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(seen("running")))
        .mount(&server)
        .await;
    let answer = ResponseTemplate::new(200).set_body_json(seen("running"));
    Mock::given(method("GET"))
        .and(path(format!("/base{CONTAINER}")))
        .respond_with(answer)
        .mount(&server)
        .await;
    let access = json!({ "access": { "client_id": "id.access", "client_secret": "hidden-access" } });
    let provider = provider(&format!("{}/base", server.uri()), access);
    let made = provider.create(Session::new("c", "s").spec).await.unwrap();
    assert_eq!((made.id, made.state), (id(), ContainerState::Running));
    let sent: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert!(sent.get("image").is_none() && sent.get("instance").is_none(), "{sent}");

    let endpoint = provider.endpoint(&id()).await.unwrap();
    let Address::Http(url) = &endpoint.address else { panic!("{endpoint:?}") };
    assert_eq!(url.as_str(), format!("{}/base{CONTAINER}/proxy/3000/", server.uri()));
    assert_eq!(endpoint.headers["x-expect-generation"], "1795236937421");
    assert_eq!(endpoint.headers["cf-access-client-id"], "id.access");
    assert!(endpoint.headers.get("authorization").is_none(), "that is the agent server's");
    let printed = format!("{endpoint:?} {provider:?}");
    assert!(!printed.contains("hidden"), "{printed}");
}

#[tokio::test]
async fn states_are_told_as_they_are() {
    let exit = json!({ "exit": { "code": null, "reason": "its lifetime was over" } });
    for (state, exit, expected) in [
        ("starting", json!({}), ContainerState::Starting),
        ("running", json!({}), ContainerState::Running),
        ("stopping", json!({}), ContainerState::Running),
        ("stopped", json!({}), ContainerState::Stopped { exit_code: None, reason: None }),
        (
            "stopped",
            exit,
            ContainerState::Stopped { exit_code: None, reason: Some("its lifetime was over".to_owned()) },
        ),
    ] {
        let server = MockServer::start().await;
        let mut body = seen(state);
        body.as_object_mut().unwrap().extend(exit.as_object().unwrap().clone());
        let answer = ResponseTemplate::new(200).set_body_json(body);
        Mock::given(method("GET")).and(path(CONTAINER)).respond_with(answer).mount(&server).await;
        let provider = provider(&server.uri(), json!({}));
        assert_eq!(provider.inspect(&id()).await.unwrap().state, expected);
        let endpoint = provider.endpoint(&id()).await;
        match state {
            "starting" | "running" => drop(endpoint.unwrap()),
            _ => assert_eq!(endpoint.unwrap_err().kind(), ErrorKind::Gone),
        }
    }
}

#[tokio::test]
async fn a_stop_is_asked_for_again_until_the_container_has_ended() {
    let server = MockServer::start().await;
    let at = format!("{CONTAINER}/stop");
    let answer = |state: &str| ResponseTemplate::new(200).set_body_json(seen(state));
    let stop = || {
        Mock::given(method("POST")).and(path(at.clone())).and(body_partial_json(json!({ "grace_ms": 2000 })))
    };
    stop().respond_with(answer("stopping")).up_to_n_times(2).mount(&server).await;
    stop().respond_with(answer("stopped")).mount(&server).await;
    let options = StopOptions { grace: Duration::from_secs(2) };
    provider(&server.uri(), json!({})).stop(&id(), options).await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn every_page_of_a_list_is_read_and_a_list_that_goes_round_has_an_end() {
    let server = MockServer::start().await;
    let page = |state: &str, cursor: Option<&str>| {
        ResponseTemplate::new(200).set_body_json(json!({ "containers": [seen(state)], "cursor": cursor }))
    };
    let list = || {
        Mock::given(method("GET"))
            .and(path("/v1/containers"))
            .and(query_param("label", "agcluster.cluster=c"))
    };
    list()
        .and(query_param_is_missing("cursor"))
        .respond_with(page("running", Some("agc-s-g1")))
        .mount(&server)
        .await;
    // The second page leads back to itself.
    list()
        .and(query_param("cursor", "agc-s-g1"))
        .respond_with(page("stopped", Some("agc-s-g1")))
        .mount(&server)
        .await;
    let found = provider(&server.uri(), json!({})).list(ListFilter::cluster("c")).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn destroying_what_is_gone_is_success_and_what_is_no_name_of_ours_is_not_asked_for() {
    let server = MockServer::start().await;
    let body = json!({ "error": { "code": "not_found", "message": "no", "retryable": false } });
    let answer = ResponseTemplate::new(404).set_body_json(body);
    Mock::given(method("DELETE")).and(path(CONTAINER)).respond_with(answer).mount(&server).await;
    let provider = provider(&server.uri(), json!({}));
    provider.destroy(&id(), DestroyOptions::default()).await.unwrap();
    for other in ["../x", "", "agc-s-ws", "postgres", "agc-s-g1/stop"] {
        let other = ContainerId(other.to_owned());
        provider.destroy(&other, DestroyOptions::default()).await.unwrap();
        assert_eq!(provider.inspect(&other).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let asked: Vec<Request> = server.received_requests().await.unwrap();
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn more_life_than_may_be_is_refused_before_anybody_is_asked() {
    let server = MockServer::start().await;
    let provider = provider(&server.uri(), json!({ "max_lifetime_seconds": 90_000 }));
    let error = provider.extend(&id(), Duration::from_secs(90_001)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("max_lifetime_seconds"), "{error}");
    assert!(server.received_requests().await.unwrap().is_empty());
}
