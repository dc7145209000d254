use agcluster_tests::system::{Provider, System};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Files are below it.
const FILES: &str = "/api/files/{id}/";

#[tokio::test]
async fn what_is_described_is_served() {
    let system = System::start(Provider::Memory).await.unwrap();
    // Nobody in particular: what needs a key refuses, and nothing is changed.
    let client = reqwest::Client::new();
    let base = system.api("").url("");
    let document: Value =
        client.get(format!("{base}/openapi.json")).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let segments = path.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
        let url = format!("{base}{}", segments.collect::<Vec<_>>().join("/"));
        for method in METHODS {
            let name = method.as_str().to_lowercase();
            // A file may be called as something that is done with files.
            let file = path.starts_with(FILES).then(|| &document["paths"][format!("{FILES}{{path}}")][&name]);
            let described = item.get(&name).is_some() || file.is_some_and(|operation| !operation.is_null());
            let answer = client.request(method.clone(), &url).send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            let is_served = !text.contains("\"route_not_found\"") && !text.contains("\"method_not_allowed\"");
            assert_eq!(is_served, described, "{method} {path} was answered with {status}: {text}");
            asked += usize::from(described);
            let security = item[&name].get("security");
            if security.is_some_and(|security| *security == json!([{ "key": [] }])) {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} without a key: {text}");
            }
        }
    }
    assert!(asked > 20, "only {asked} operations");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let system = System::start(Provider::Memory).await.unwrap();
    let api = system.api("");
    let page = api.request(Method::GET, "/docs").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
    let page = page.text().await.unwrap();
    let sources: Vec<_> = page.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(sources, ["docs/scalar.js", "docs/start.js"]);
    for source in sources {
        let program = api.request(Method::GET, &format!("/{source}")).send().await.unwrap();
        assert_eq!(program.status(), StatusCode::OK, "{source}");
        assert!(program.text().await.unwrap().contains("createApiReference"), "{source}");
    }
    system.stop().await.unwrap();
}
