//! Live changes.

use std::os::unix::fs::symlink;

use agcluster_tests::system::{Api, Installation, Plan, Provider};
use futures::StreamExt;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::place::Place;

/// The frames of a stream of changes, as they come.
struct Frames {
    response: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
    /// The id of the last one.
    id: String,
}

/// A request for the changes of a session's files.
fn watch(api: &Api, session: &str, query: &str) -> RequestBuilder {
    let request = api.request(Method::GET, &format!("/api/files/{session}/changes{query}"));
    request.header("accept", "text/event-stream")
}

impl Frames {
    async fn open(place: &Place, query: &str) -> Self {
        let mut frames = Self::of(watch(&place.api, &place.session.id, query)).await;
        let first = frames.next().await;
        assert_eq!(first["changes"], serde_json::json!([]), "the first frame says that it is watched");
        frames
    }

    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { response: response.bytes_stream().boxed(), text: String::new(), id: String::new() }
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
                if let Some(id) = field("id: ") {
                    id.clone_into(&mut self.id);
                }
                let data = field("data: ").map(|data| serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                if let Some(data) = data {
                    return data;
                }
            } else {
                let piece = self.response.next().await.unwrap().unwrap();
                self.text.push_str(std::str::from_utf8(&piece).unwrap());
            }
        }
    }

    /// Reads until this was told.
    async fn until(&mut self, kind: &str, path: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let batch = self.next().await;
            seen.extend(batch["changes"].as_array().unwrap().clone());
            if seen.iter().any(|change| change["kind"] == kind && change["path"] == path) {
                return seen;
            }
        }
    }
}

#[tokio::test]
async fn changes_are_told_as_they_happen_also_in_new_folders() {
    let place = Place::new().await;
    place.write("a/old.txt", "");
    let mut frames = Frames::open(&place, "").await;
    place.write("a/new.txt", "x");
    frames.until("created", "a/new.txt").await;
    place.write("a/old.txt", "changed");
    frames.until("modified", "a/old.txt").await;
    place.write("b/c/inner.txt", "x");
    frames.until("created", "b/c/inner.txt").await;
    place.write("b/c/inner.txt", "y");
    frames.until("modified", "b/c/inner.txt").await;
    std::fs::rename(place.root().join("b"), place.root().join("moved")).unwrap();
    frames.until("created", "moved/c/inner.txt").await;
    place.write("moved/c/inner.txt", "z");
    frames.until("modified", "moved/c/inner.txt").await;
    std::fs::remove_file(place.root().join("a/new.txt")).unwrap();
    frames.until("removed", "a/new.txt").await;
    place.end().await;
}

#[tokio::test]
async fn an_upload_is_told_once_it_is_whole() {
    let place = Place::new().await;
    let mut frames = Frames::open(&place, "").await;
    place.put("/a.txt", "x").await;
    let seen = frames.until("created", "a.txt").await;
    assert!(seen.iter().all(|change| change["path"] == "a.txt"), "{seen:?}");
    place.end().await;
}

#[tokio::test]
async fn more_changes_than_are_told_are_said_to_be_more() {
    let place = Place::new().await;
    let mut frames = Frames::open(&place, "").await;
    for index in 0..3000 {
        place.write(&index.to_string(), "");
    }
    loop {
        let batch = frames.next().await;
        assert!(batch["changes"].as_array().unwrap().len() <= 1000);
        if batch["overflow"] == true {
            break;
        }
    }
    place.end().await;
}

#[tokio::test]
async fn what_a_link_leads_to_is_not_watched() {
    let place = Place::new().await;
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), place.root().join("link")).unwrap();
    let mut frames = Frames::open(&place, "").await;
    std::fs::create_dir(place.root().join("folder")).unwrap();
    frames.until("created", "folder").await;
    std::fs::remove_dir(place.root().join("folder")).unwrap();
    symlink(outside.path(), place.root().join("folder")).unwrap();
    frames.until("created", "folder").await;
    std::fs::write(outside.path().join("hidden"), "").unwrap();
    place.write("seen", "");
    let seen = frames.until("created", "seen").await;
    assert!(!seen.iter().any(|change| change["path"].as_str().unwrap().contains("hidden")), "{seen:?}");
    place.end().await;
}

#[tokio::test]
async fn a_reader_who_comes_again_is_told_what_it_missed() {
    let place = Place::new().await;
    place.write("b/there", "");
    let open = async |query: &str, id: &str| {
        Frames::of(watch(&place.api, &place.session.id, query).header("last-event-id", id)).await
    };
    let mut live = Frames::open(&place, "").await;
    let mut all = vec![(live.id.clone(), Value::Null)];
    for name in ["one", "two", "three", "b/four", "five"] {
        place.write(name, "x");
        loop {
            let batch = live.next().await;
            let told = batch["changes"].as_array().unwrap().iter().any(|change| change["path"] == name);
            all.push((live.id.clone(), batch));
            if told {
                break;
            }
        }
    }
    for seen in 1..all.len() {
        let mut rest = open("", &all[seen - 1].0).await;
        for expected in &all[seen..] {
            let batch = rest.next().await;
            assert_eq!((&rest.id, &batch), (&expected.0, &expected.1), "behind {}", all[seen - 1].0);
        }
    }
    let last = all.pop().unwrap().0;
    drop(live);
    place.write("nobody-reads", "x");
    let mut again = open("", &last).await;
    again.until("created", "nobody-reads").await;

    let mut beneath = Frames::open(&place, "?path=b").await;
    place.write("b/more", "x");
    beneath.until("created", "b/more").await;
    for (query, id, status, code) in [
        ("", "x", 400, "invalid_cursor"),
        ("", "7", 400, "invalid_cursor"),
        ("", "-1", 400, "invalid_cursor"),
        ("", "1-1", 410, "cursor_expired"),
        ("", &*beneath.id, 410, "cursor_expired"),
        ("?path=b", &*last, 410, "cursor_expired"),
        ("", &format!("{}-99999", last.split_once('-').unwrap().0), 400, "cursor_in_future"),
    ] {
        let request = watch(&place.api, &place.session.id, query).header("last-event-id", id);
        let refused = place.api.send(request).await.unwrap();
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code), "{query} {id}");
    }
    place.end().await;
}

#[tokio::test]
async fn more_changes_than_are_kept_are_said_to_be_gone() {
    let place = Place::new().await;
    let mut live = Frames::open(&place, "").await;
    let begun = live.id.clone();
    let expired = async || {
        let request = watch(&place.api, &place.session.id, "").header("last-event-id", &begun);
        request.send().await.unwrap().status() == 410
    };
    let mut round = 0;
    while !expired().await {
        for index in 0..200 {
            place.write(&format!("{}-{round}-{index}", "long".repeat(50)), "");
        }
        live.until("created", &format!("{}-{round}-199", "long".repeat(50))).await;
        round += 1;
        assert!(round < 100, "everything is kept for ever");
    }
    place.end().await;
}

/// With processes of this machine, which go on while the server is dead.
#[tokio::test]
async fn changes_are_told_after_a_kill_of_the_server() {
    Installation::with(Plan::on(Provider::Process), async |installation| {
        let api = installation.api("key");
        let session = api.launch(json!({ "driver": "scripted" })).await?.id;
        let put = async |name: &str| {
            let request = api.request(Method::PUT, &format!("/api/files/{session}/{name}")).body("x");
            assert!(request.send().await.unwrap().status().is_success());
        };
        let mut live = Frames::of(watch(&api, &session, "")).await;
        live.next().await;
        put("before").await;
        live.until("created", "before").await;
        let last = live.id.clone();
        put("unseen").await;
        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        put("after").await;
        let mut again = Frames::of(watch(&api, &session, "").header("last-event-id", last)).await;
        let seen = again.until("created", "after").await;
        let created = |path: &str| {
            seen.iter().filter(|change| change["path"] == path && change["kind"] == "created").count()
        };
        assert_eq!((created("before"), created("unseen"), created("after")), (0, 1, 1), "{seen:?}");
        Ok(())
    })
    .await
    .unwrap();
}
