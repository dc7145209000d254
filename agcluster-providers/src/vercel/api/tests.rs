//! What is sent, against what Vercel's own client was recorded to send.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use agcluster_core::protocol::Secret;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::config::VercelConfig;
use super::super::credentials::Credentials;
use super::*;

const RECORDED: &str = "../../shared/reference/specs/vercel-sandbox-sdk-3.5.0-recorded-requests.json";

/// Recorded requests of calls that this crate does not make, by what they are.
const NOT_OURS: [&str; 4] = [
    "POST /api/v2/sandboxes: a legacy runtime",
    "POST /api/v2/sandboxes/sessions/sbx_sess1/fs/mkdir: folders come with their files",
    "PATCH /api/v2/sandboxes/agent-1: the network policy is set when a sandbox is made",
    "POST /api/v2/sandboxes/sessions/sbx_sess1/network-policy: the same",
];

fn recorded() -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDED);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let mut all: Value = serde_json::from_slice(&text).unwrap();
    Some(serde_json::from_value(all["requests"].take()).unwrap())
}

async fn api(server: &MockServer) -> Api {
    let config = VercelConfig {
        api_url: format!("{}/api", server.uri()).parse().unwrap(),
        token: Some(Secret::new("tok_test")),
        team_id: Some("team_x".to_owned()),
        project_id: Some("prj_y".to_owned()),
        image: Some("my-repo:v1".to_owned()),
        ..VercelConfig::default()
    };
    let credentials = Credentials::of(&config).unwrap();
    Api::new(&config, credentials).unwrap()
}

/// The same calls in the same order, as far as this crate makes them. What they answer does not matter here.
async fn call_all(api: &Api) {
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let image = NewSandbox {
        project_id: "prj_y".to_owned(),
        ports: vec![3000],
        timeout: Some(600_000),
        resources: Some(VCpus { vcpus: 2 }),
        image: Some("my-repo:v1".to_owned()),
        name: Some("agent-1".to_owned()),
        persistent: Some(false),
        network_policy: Some(NetworkBody::Custom {
            allow: vec!["api.anthropic.com".to_owned()],
            subnets: Subnets::default(),
        }),
        env: map("A", "1"),
        tags: map("session", "s1"),
        region: Some("iad1".to_owned()),
        ..NewSandbox::default()
    };
    let _ = api.create(&image).await;
    let source = Some(Source::Snapshot { snapshot_id: "snap_1".to_owned() });
    let _ = api.create(&NewSandbox { project_id: "prj_y".to_owned(), source, ..NewSandbox::default() }).await;
    let session = "sbx_sess1";
    let (args, env) = (["hi".to_owned()], map("B", "2"));
    let run = Run { command: "echo", args: &args, env, sudo: true, timeout: None };
    let _ = api.run(session, &run).await;
    let args = ["srv.js".to_owned()];
    let run = Run { command: "node", args: &args, env: BTreeMap::new(), sudo: false, timeout: None };
    let _ = api.start(session, &run).await;
    let _ = api.logs(session, "cmd_1").await;
    let _ = api.wait(session, "cmd_1", Duration::from_secs(5)).await;
    let _ = api.kill(session, "cmd_1", 15).await;
    let file = File { path: "/vercel/sandbox/a.txt", mode: 0o644, content: b"a" };
    let _ = api.write(session, pack(&file).unwrap()).await;
    let _ = api.read_file(session, "a.txt").await;
    let _ = api.extend(session, Duration::from_secs(60)).await;
    let _ = api.list(Some(Tag { key: "session", value: "s1" }), "").await;
    let _ = api.get("agent-1").await;
    let _ = api.snapshot(session, 0).await;
    let _ = api.stop(session).await;
    let _ = api.delete("agent-1", false).await;
}

/// What counts of a request: its line, its headers and its body.
fn essence(method: &str, url: &str, header: impl Fn(&str) -> Option<String>, body: &[u8]) -> Value {
    let url = url::Url::parse("http://localhost").unwrap().join(url).unwrap();
    // How many there are on a page is everybody's own choice.
    let query: BTreeMap<_, _> = url.query_pairs().filter(|(key, _)| key != "limit").collect();
    let body = match serde_json::from_slice::<Value>(body) {
        Ok(mut body) => {
            // Optional, and never sent here: commands run in the folder of the sandbox's user.
            body.as_object_mut().map(|fields| fields.remove("cwd"));
            body
        }
        Err(_) if body.is_empty() => Value::Null,
        Err(_) => json!("gzip"),
    };
    json!({
        "line": format!("{method} {}", url.path()),
        "query": query,
        "authorization": header("authorization"),
        "content-type": header("content-type"),
        "x-cwd": header("x-cwd"),
        "body": body,
    })
}

#[tokio::test]
async fn requests_are_those_of_the_official_client() {
    let Some(recorded) = recorded() else {
        // Past the harness, which keeps to itself what a test prints that passes.
        writeln!(std::io::stdout().lock(), "\nnot checked here: our requests, against {RECORDED}").unwrap();
        return;
    };
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(500)).mount(&server).await;
    call_all(&api(&server).await).await;
    let sent: Vec<_> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| {
            let header = |name: &str| Some(request.headers.get(name)?.to_str().unwrap().to_owned());
            let url = format!("{}?{}", request.url.path(), request.url.query().unwrap_or_default());
            essence(request.method.as_str(), &url, header, &request.body)
        })
        .collect();
    let expected: Vec<_> = recorded
        .iter()
        .map(|request| {
            let header = |name: &str| Some(request["headers"].get(name)?.as_str()?.to_owned());
            let (method, url) = (request["method"].as_str().unwrap(), request["url"].as_str().unwrap());
            essence(method, url, header, request["body"].as_str().unwrap_or_default().as_bytes())
        })
        .filter(|request| {
            let line = request["line"].as_str().unwrap();
            !NOT_OURS.iter().any(|not_ours| not_ours.starts_with(&format!("{line}:")))
        })
        .collect();
    assert_eq!(sent.len(), recorded.len() - NOT_OURS.len(), "{NOT_OURS:#?}");
    for (sent, expected) in sent.iter().zip(&expected) {
        assert_eq!(sent, expected);
    }
}

#[test]
fn a_packed_file_is_a_compressed_ustar_archive_with_a_relative_path() {
    use std::io::Read;
    let file = File { path: "/vercel/sandbox/a.txt", mode: 0o644, content: b"content" };
    let packed = pack(&file).unwrap();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut tar).unwrap();
    assert_eq!(tar.len(), 4 * 512);
    assert!(tar.starts_with(b"vercel/sandbox/a.txt\0"));
    assert_eq!((&tar[257..263], &tar[512..519]), (&b"ustar\0"[..], &b"content"[..]));
}
