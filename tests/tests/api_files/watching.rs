//! Live changes.

use std::os::unix::fs::symlink;

use futures::StreamExt;
use reqwest::Method;
use serde_json::Value;

use crate::place::Place;

/// The frames of a stream of changes, as they come.
struct Frames {
    response: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Frames {
    async fn open(place: &Place, query: &str) -> Self {
        let request =
            place.request(Method::GET, &format!("/changes{query}")).header("accept", "text/event-stream");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut frames = Self { response: response.bytes_stream().boxed(), text: String::new() };
        let first = frames.next().await;
        assert_eq!(first["changes"], serde_json::json!([]), "the first frame says that it is watched");
        frames
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let data = frame.strip_prefix("data: ").map(|data| serde_json::from_str(data).unwrap());
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
