//! The tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use crate::place::{Place, said};

fn names(folder: &Value) -> Vec<&str> {
    folder["children"].as_array().unwrap().iter().map(|child| child["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_tree_has_true_types_sizes_and_times() {
    let place = Place::new().await;
    place.write("src/main.rs", "fn main() {}");
    place.write("Makefile", "all:");
    std::fs::create_dir(place.root().join("v1.2")).unwrap();
    symlink("src/main.rs", place.root().join("link")).unwrap();
    let _socket = UnixListener::bind(place.root().join("socket")).unwrap();
    let answer = place.get("").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tree = &answer.body["tree"];
    assert_eq!(answer.body["root"], "/workspace");
    assert_eq!(
        (&tree["name"], &tree["path"], &tree["type"]),
        (&json!("workspace"), &json!("/"), &json!("directory"))
    );
    assert_eq!(names(tree), ["Makefile", "link", "socket", "src", "v1.2"]);
    let types: Vec<_> = tree["children"].as_array().unwrap().iter().map(|child| &child["type"]).collect();
    assert_eq!(types, ["file", "symlink", "other", "directory", "directory"]);
    assert_eq!(tree["children"][1]["target"], "src/main.rs");
    let main = &tree["children"][3]["children"][0];
    assert_eq!((&main["path"], &main["size"]), (&json!("src/main.rs"), &json!(12)));
    let modified: jiff::Timestamp = main["modified"].as_str().unwrap().parse().unwrap();
    let changed = std::fs::metadata(place.root().join("src/main.rs")).unwrap().modified().unwrap();
    assert_eq!(modified, jiff::Timestamp::try_from(changed).unwrap());
    assert_eq!((&answer.body["total_files"], &answer.body["total_items"]), (&json!(2), &json!(6)));
    assert_eq!(answer.body["truncated"], false);
    place.end().await;
}

#[tokio::test]
async fn folders_are_listed_lazily() {
    let place = Place::new().await;
    place.write("a/b/c/d.txt", "");
    let shallow = place.get("?depth=1").await;
    assert_eq!(names(&shallow.body["tree"]), ["a"]);
    assert!(shallow.body["tree"]["children"][0].get("children").is_none(), "{}", shallow.body);
    let inner = place.get("?path=a/b&depth=2").await;
    assert_eq!(inner.body["tree"]["path"], "a/b");
    assert_eq!(inner.body["tree"]["children"][0]["children"][0]["path"], "a/b/c/d.txt");
    assert_eq!(said(&place.get("?path=a/x").await), (404, "file_not_found"));
    assert_eq!(said(&place.get("?path=a/b/c/d.txt").await), (409, "wrong_file_type"));
    assert_eq!(said(&place.get("?path=../x").await), (400, "invalid_path"));
    assert_eq!(said(&place.get("?depth=x").await), (400, "invalid_query"));
    place.end().await;
}

#[tokio::test]
async fn a_folder_with_more_than_fits_is_read_on_by_name() {
    let place = Place::new().await;
    for index in 0..25 {
        place.write(&format!("many/{index:02}"), "");
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = place.get(&format!("?path=many&limit=10&after={after}")).await;
        let tree = &page.body["tree"];
        seen.extend(names(tree).into_iter().map(str::to_owned));
        after = seen.last().unwrap().clone();
        assert_eq!(page.body["truncated"], tree["truncated"].as_bool().unwrap_or_default());
        if page.body["truncated"] == false {
            break;
        }
    }
    let expected: Vec<_> = (0..25).map(|index| format!("{index:02}")).collect();
    assert_eq!(seen, expected);
    place.end().await;
}

#[tokio::test]
async fn names_with_newlines_and_bytes_that_are_no_text_are_listed_and_reached() {
    let place = Place::new().await;
    place.write("two\nlines.txt", "newline");
    place.write("v1..v2.txt", "dots");
    std::fs::write(place.root().join(OsStr::from_bytes(b"caf\xe9.txt")), "latin").unwrap();
    let tree = place.get("").await.body["tree"].clone();
    assert_eq!(names(&tree), ["caf\u{fffd}.txt", "two\nlines.txt", "v1..v2.txt"]);
    assert_eq!(tree["children"][0]["url_path"], "caf%E9.txt");
    assert!(tree["children"][1].get("url_path").is_none());
    for (path, content) in
        [("/caf%E9.txt", "latin"), ("/two%0Alines.txt", "newline"), ("/v1..v2.txt", "dots")]
    {
        let answer = place.get(path).await;
        assert_eq!(answer.body["content"], content, "{path}: {}", answer.body);
    }
    assert_eq!(place.delete("/caf%E9.txt").await.status, 200);
    assert!(!place.root().join(OsStr::from_bytes(b"caf\xe9.txt")).exists());
    place.end().await;
}

#[tokio::test]
async fn the_files_of_a_session_are_its_owners_alone() {
    let place = Place::new().await;
    place.write("secret.txt", "mine");
    for path in ["", "/secret.txt", "/secret.txt/download"] {
        let url = place.api.url(&format!("/api/files/{}{path}", place.session.id));
        let client = reqwest::Client::new();
        assert_eq!(client.get(&url).send().await.unwrap().status(), 401, "{path}");
        assert_eq!(client.get(&url).bearer_auth("another").send().await.unwrap().status(), 404, "{path}");
    }
    place.end().await;
}
