//! Previews, bytes, ranges.

use reqwest::{Method, Response};
use serde_json::json;

use crate::place::{Place, said};

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn text_comes_with_what_an_editor_wants_to_know() {
    let place = Place::new().await;
    place.write("src/main.rs", "fn main() {\n}\n");
    place.write("empty", "");
    let answer = place.get("/src/main.rs").await;
    let expected = json!({
        "path": "src/main.rs", "content": "fn main() {\n}\n", "language": "rust", "size_bytes": 14, "lines": 3, "truncated": false,
    });
    assert_eq!(answer.body, expected);
    assert_eq!(place.get("/empty").await.body["content"], "");
    place.end().await;
}

#[tokio::test]
async fn a_long_text_is_shown_in_part() {
    let place = Place::new().await;
    place.write("log.txt", "é".repeat(2 << 20));
    let answer = place.get("/log.txt").await;
    assert_eq!((&answer.body["truncated"], &answer.body["size_bytes"]), (&json!(true), &json!(4 << 20)));
    assert_eq!(answer.body["content"].as_str().unwrap().len(), 2 << 20);
    place.end().await;
}

#[tokio::test]
async fn pictures_come_as_pictures_and_other_bytes_with_a_notice() {
    let place = Place::new().await;
    place.write("a.png", b"\x89PNG\r\n\x1a\n");
    place.write("a.bin", b"\0\x01\x02");
    let picture = place.fetch("/a.png").await;
    assert_eq!(header(&picture, "content-type"), "image/png");
    assert_eq!(&picture.bytes().await.unwrap()[..], b"\x89PNG\r\n\x1a\n");
    let notice = place.get("/a.bin").await.body;
    assert_eq!((&notice["type"], &notice["size"]), (&json!("binary"), &json!(3)));
    let url = notice["download_url"].as_str().unwrap();
    let bytes = place.api.request(Method::GET, url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], b"\0\x01\x02");
    place.end().await;
}

#[tokio::test]
async fn nothing_that_an_agent_made_runs_in_a_browser() {
    let place = Place::new().await;
    place.write("page.html", "<script>alert(1)</script>");
    place.write("drawing.svg", "<svg/>");
    for path in ["/page.html", "/page.html?raw=true", "/page.html/download", "/drawing.svg"] {
        let response = place.fetch(path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        assert!(header(&response, "content-security-policy").starts_with("sandbox;"), "{path}");
        assert!(!header(&response, "content-type").contains("html"), "{path}");
    }
    let stored = place.fetch("/page.html/download").await;
    assert_eq!(header(&stored, "content-type"), "application/octet-stream");
    assert!(header(&stored, "content-disposition").starts_with("attachment; filename=\"page.html\""));
    place.end().await;
}

#[tokio::test]
async fn ranges_are_parts_and_what_lies_behind_the_end_is_refused() {
    let place = Place::new().await;
    place.write("digits.txt", "0123456789");
    for (range, part, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let response = place.request(Method::GET, "/digits.txt").header("range", range).send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "content-range")), (206, content_range));
        assert_eq!(response.text().await.unwrap(), part);
    }
    let beyond = place.request(Method::GET, "/digits.txt").header("range", "bytes=10-");
    let beyond = place.api.send(beyond).await.unwrap();
    assert_eq!(said(&beyond), (416, "range_not_satisfiable"));
    assert_eq!(beyond.headers["content-range"], "bytes */10");
    place.end().await;
}

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again() {
    let place = Place::new().await;
    place.write("a.txt", "old");
    let tag = header(&place.fetch("/a.txt?raw=true").await, "etag").to_owned();
    let again = |tag: &str| place.request(Method::GET, "/a.txt?raw=true").header("if-none-match", tag).send();
    assert_eq!(again(&tag).await.unwrap().status(), 304);
    place.write("a.txt", "longer");
    assert_eq!(again(&tag).await.unwrap().status(), 200);
    let changed = place.request(Method::GET, "/a.txt").header("range", "bytes=0-1").header("if-range", tag);
    assert_eq!(changed.send().await.unwrap().status(), 200);
    place.end().await;
}

#[tokio::test]
async fn files_called_like_actions_are_files() {
    let place = Place::new().await;
    for name in ["upload", "mkdir", "rename", "download", "changes"] {
        let path = format!("/{name}");
        assert_eq!(place.put(&path, name).await.status, 201, "{name}");
        assert_eq!(place.get(&path).await.body["content"], name);
        assert_eq!(place.fetch(&format!("{path}/download")).await.text().await.unwrap(), name);
    }
    place.write("folder/download", "inside");
    assert_eq!(place.get("/folder/download").await.body["content"], "inside");
    for name in ["upload", "mkdir", "rename", "download", "changes"] {
        assert_eq!(place.delete(&format!("/{name}")).await.status, 200, "{name}");
    }
    place.end().await;
}
