//! Writing, renaming, deleting, making folders.

use std::os::unix::fs::{PermissionsExt, symlink};

use futures::stream;
use reqwest::{Body, Method};
use serde_json::json;

use crate::place::{Place, said};

#[tokio::test]
async fn a_file_is_written_and_replaced_whole() {
    let place = Place::new().await;
    let created = place.put("/a.txt", "one").await;
    assert_eq!(
        (created.status.as_u16(), &created.body),
        (201, &json!({ "path": "a.txt", "size_bytes": 3, "created": true }))
    );
    std::fs::set_permissions(place.root().join("a.txt"), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(place.put("/a.txt", "three").await.status, 200);
    assert_eq!(place.read("a.txt"), b"three");
    let mode = std::fs::metadata(place.root().join("a.txt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "a program stays one");
    assert_eq!(said(&place.put("/a.txt?overwrite=false", "x").await), (409, "file_exists"));
    assert_eq!(place.read("a.txt"), b"three");
    place.end().await;
}

#[tokio::test]
async fn a_missing_parent_is_refused_or_made() {
    let place = Place::new().await;
    let refused = place.put("/a/b/c.txt", "x").await;
    assert_eq!(said(&refused), (404, "file_not_found"));
    assert!(refused.body["detail"].as_str().unwrap().contains("parents"), "{}", refused.body);
    assert_eq!(place.put("/a/b/c.txt?parents=true", "x").await.status, 201);
    assert_eq!(place.read("a/b/c.txt"), b"x");
    assert_eq!(said(&place.put("/a/b/c.txt/d", "x").await), (409, "wrong_file_type"));
    place.end().await;
}

#[tokio::test]
async fn only_regular_files_are_replaced() {
    let place = Place::new().await;
    place.write("folder/x", "");
    symlink("folder/x", place.root().join("link")).unwrap();
    for path in ["/folder", "/link"] {
        assert_eq!(said(&place.put(path, "x").await), (409, "wrong_file_type"), "{path}");
    }
    assert_eq!(said(&place.put("/", "x").await), (405, "method_not_allowed"));
    assert_eq!(said(&place.put("/.", "x").await), (405, "method_not_allowed"));
    place.end().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_what_was_there() {
    let place = Place::new().await;
    place.write("a.txt", "before");
    let pieces = [Ok("some"), Err(std::io::Error::other("gone"))];
    let sent =
        place.request(Method::PUT, "/a.txt").body(Body::wrap_stream(stream::iter(pieces))).send().await;
    assert!(sent.is_err() || !sent.unwrap().status().is_success());
    assert_eq!(place.read("a.txt"), b"before");
    place.settled(&["a.txt"]).await;
    place.end().await;
}

#[tokio::test]
async fn too_large_a_file_is_refused_while_it_comes() {
    let place = Place::with(&["--upload-max-file-size=1m"]).await;
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]));
    let request = place.request(Method::PUT, "/big").body(Body::wrap_stream(endless));
    assert_eq!(said(&place.api.send(request).await.unwrap()), (413, "too_large"));
    place.settled(&[]).await;
    place.end().await;
}

#[tokio::test]
async fn renaming_replaces_nothing_unless_asked_to() {
    let place = Place::new().await;
    place.write("a.txt", "a");
    place.write("b.txt", "b");
    place.write("full/x", "");
    let rename = |from: &str, to: &str, overwrite: bool| {
        place.post("/rename", json!({ "from": from, "to": to, "overwrite": overwrite }))
    };
    assert_eq!(said(&rename("a.txt", "b.txt", false).await), (409, "file_exists"));
    assert_eq!(said(&rename("none", "c", false).await), (404, "file_not_found"));
    assert_eq!(said(&rename("a.txt", "none/c", false).await), (404, "file_not_found"));
    assert_eq!(said(&rename("full", "full/inner", false).await), (400, "invalid_path"));
    assert_eq!(said(&rename("a.txt", "full", true).await), (409, "wrong_file_type"));
    assert_eq!(rename("a.txt", "b.txt", true).await.status, 200);
    assert_eq!(place.read("b.txt"), b"a");
    assert_eq!(rename("full", "moved", false).await.status, 200);
    assert_eq!(place.read("moved/x"), b"");
    place.end().await;
}

#[tokio::test]
async fn folders_are_made_and_deleted_with_what_is_in_them_when_asked_to() {
    let place = Place::new().await;
    let make = |path: &str, parents: bool| place.post("/mkdir", json!({ "path": path, "parents": parents }));
    assert_eq!(make("a", false).await.status, 201);
    assert_eq!(said(&make("a", false).await), (409, "file_exists"));
    assert_eq!(make("a", true).await.status, 200);
    assert_eq!(said(&make("x/y", false).await), (404, "file_not_found"));
    assert_eq!(make("a/b/c", true).await.status, 201);
    place.write("a/b/file", "");
    place.write("outside", "stays");
    symlink("../outside", place.root().join("a/link")).unwrap();
    assert_eq!(said(&place.delete("/a").await), (409, "folder_not_empty"));
    assert_eq!(place.delete("/a?recursive=true").await.status, 200);
    assert_eq!(said(&place.delete("/a").await), (404, "file_not_found"));
    assert_eq!(place.read("outside"), b"stays");
    place.end().await;
}

#[tokio::test]
async fn folders_that_are_too_deep_are_deleted_from_further_down() {
    let place = Place::new().await;
    place.write(&format!("{}bottom", "d/".repeat(300)), "");
    let refused = place.delete("/d?recursive=true").await;
    assert_eq!(said(&refused), (413, "too_many"));
    assert!(refused.body["detail"].as_str().unwrap().contains("further down"), "{}", refused.body);
    assert_eq!(place.delete(&format!("/{}?recursive=true", ["d"; 200].join("/"))).await.status, 200);
    assert_eq!(place.delete("/d?recursive=true").await.status, 200);
    place.settled(&[]).await;
    place.end().await;
}
