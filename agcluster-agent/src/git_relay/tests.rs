use std::sync::{Arc, Mutex};

use agcluster_protocol::Secret;
use agcluster_protocol::workspace::git::{Credentials, RepositoryUrl};
use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::Client;

use super::*;
use crate::loopback::Loopback;

const TOKEN: &str = "the-real-token";

/// What a host was asked: method, path with query, and what was shown to be let in.
type Asked = Arc<Mutex<Vec<(String, String, Option<String>)>>>;

/// A host that answers everything the same way, and notes what it was asked.
async fn host(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> (Loopback, Asked) {
    let asked = Asked::default();
    let noted = asked.clone();
    let router = Router::new().fallback(move |request: Request| {
        let (answer, noted) = (answer.clone(), noted.clone());
        async move {
            let shown = request.headers().get(header::AUTHORIZATION);
            let shown = shown.map(|value| value.to_str().unwrap().to_owned());
            let path = request.uri().to_string();
            noted.lock().unwrap().push((request.method().to_string(), path.clone(), shown));
            answer(&path)
        }
    });
    (Loopback::serve(router).await.unwrap(), asked)
}

async fn relay(url: &str, service: Service) -> GitRelay {
    let credentials = Credentials { username: None, token: Secret::new(TOKEN) };
    let url = RepositoryUrl::parse(url, true).unwrap();
    let destination = Destination::new(&url, Some(&credentials), true).unwrap();
    GitRelay::open(destination, service).await.unwrap()
}

fn client() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

async fn discover(relay: &GitRelay) -> u16 {
    let url = format!("{}/info/refs?service=git-upload-pack", relay.url());
    client().get(url).header("authorization", "Basic c3BvaWw=").send().await.unwrap().status().as_u16()
}

fn basic() -> Option<String> {
    use base64::Engine;
    let pair = format!("x-access-token:{TOKEN}");
    Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

fn moved(to: String) -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response()
}

#[tokio::test]
async fn only_the_two_requests_of_one_service_go_through() {
    let (host, asked) = host(|_| "fine".into_response()).await;
    let relay = relay(&format!("{}/o/n.git", host.url()), Service::Fetch).await;
    let (url, client) = (relay.url(), client());
    assert_eq!(discover(&relay).await, 200);
    let post = client.post(format!("{url}/git-upload-pack")).body("want").send().await.unwrap();
    assert_eq!(post.text().await.unwrap(), "fine");
    let guessed = format!("{}/{}", relay.port.url(), "0".repeat(64));
    for (method, url) in [
        (Method::GET, format!("{url}/info/refs?service=git-receive-pack")),
        (Method::GET, format!("{url}/info/refs")),
        (Method::POST, format!("{url}/git-receive-pack")),
        (Method::POST, format!("{url}/info/refs?service=git-upload-pack")),
        (Method::GET, format!("{url}/HEAD")),
        (Method::GET, format!("{url}/../../other/info/refs?service=git-upload-pack")),
        (Method::GET, format!("{url}2/info/refs?service=git-upload-pack")),
        (Method::GET, format!("{guessed}/info/refs?service=git-upload-pack")),
        (Method::POST, format!("{guessed}/git-upload-pack")),
    ] {
        let answer = client.request(method.clone(), &url).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{method} {url}");
    }
    let asked = asked.lock().unwrap().clone();
    let expected = [
        ("GET".to_owned(), "/o/n.git/info/refs?service=git-upload-pack".to_owned(), basic()),
        ("POST".to_owned(), "/o/n.git/git-upload-pack".to_owned(), basic()),
    ];
    assert_eq!(asked, expected);
    assert!(relay.trouble().is_none());
}

#[tokio::test]
async fn a_redirect_takes_the_credentials_along_on_the_same_host_alone() {
    let (elsewhere, asked_elsewhere) = host(|_| "fine".into_response()).await;
    let away = elsewhere.url();
    let (home, asked_at_home) = host(move |path| match path {
        "/old/info/refs?service=git-upload-pack" => {
            moved("/new/info/refs?service=git-upload-pack".to_owned())
        }
        "/away/info/refs?service=git-upload-pack" => {
            moved(format!("{away}/x/info/refs?service=git-upload-pack"))
        }
        _ => "fine".into_response(),
    })
    .await;
    let renamed = relay(&format!("{}/old", home.url()), Service::Fetch).await;
    assert_eq!(discover(&renamed).await, 200);
    client().post(format!("{}/git-upload-pack", renamed.url())).send().await.unwrap();
    let paths: Vec<_> =
        asked_at_home.lock().unwrap().drain(..).map(|(_, path, shown)| (path, shown)).collect();
    assert_eq!(paths[1], ("/new/info/refs?service=git-upload-pack".to_owned(), basic()));
    assert_eq!(paths[2], ("/new/git-upload-pack".to_owned(), basic()));
    let moved = relay(&format!("{}/away", home.url()), Service::Fetch).await;
    assert_eq!(discover(&moved).await, 200);
    client().post(format!("{}/git-upload-pack", moved.url())).send().await.unwrap();
    assert!(asked_elsewhere.lock().unwrap().iter().all(|(_, _, shown)| shown.is_none()));
    assert_eq!(asked_elsewhere.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_in_the_way_is_told() {
    for (answer, code) in [
        (StatusCode::UNAUTHORIZED, "git_auth_failed"),
        (StatusCode::FORBIDDEN, "git_auth_failed"),
        (StatusCode::NOT_FOUND, "git_repo_not_found"),
        (StatusCode::INTERNAL_SERVER_ERROR, "git_unreachable"),
    ] {
        let (host, _) = host(move |_| answer.into_response()).await;
        let relay = relay(&format!("{}/o/n", host.url()), Service::Fetch).await;
        assert!(discover(&relay).await >= 400);
        let refusal = format!("{:?}", relay.trouble().unwrap());
        assert!(refusal.contains(code) && !refusal.contains(TOKEN), "{refusal}");
    }
    for to in [
        "ftp://x/info/refs",
        "http://u:p@x/info/refs?service=git-upload-pack",
        "/login",
        "/a/info/refs?service=x",
    ] {
        let (host, _) = host(move |_| moved(to.to_owned())).await;
        let relay = relay(&format!("{}/o/n", host.url()), Service::Fetch).await;
        assert_eq!(discover(&relay).await, 502, "{to}");
        assert!(format!("{:?}", relay.trouble()).contains("points to a place"));
    }
    let gone = relay("http://127.0.0.1:9/o/n", Service::Fetch).await;
    assert_eq!(discover(&gone).await, 502);
    assert!(format!("{:?}", gone.trouble()).contains("cannot be reached"));
}

#[tokio::test]
async fn an_unencrypted_place_is_not_followed_to_unless_that_is_allowed() {
    let url = RepositoryUrl::parse("https://host/o/n", false).unwrap();
    let destination = Destination::new(&url, None, false).unwrap();
    let from = "https://host/o/n/info/refs?service=git-upload-pack".parse().unwrap();
    let answer = moved("http://host/o/n/info/refs?service=git-upload-pack".to_owned());
    assert!(destination.moved(&from, &answer).is_none());
}

#[tokio::test]
async fn the_port_is_good_for_the_time_of_the_command() {
    let (host, _) = host(|_| "fine".into_response()).await;
    let relay = relay(&format!("{}/o/n", host.url()), Service::Fetch).await;
    let (client, url) = (client(), format!("{}/info/refs?service=git-upload-pack", relay.url()));
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    drop(relay);
    // A connection that is still open opens nothing.
    let late = client.get(&url).send().await;
    assert!(!late.is_ok_and(|answer| answer.status() == 200));
}
