//! Uploads.

use agcluster_tests::form::Form;
use futures::stream;
use reqwest::Method;

use serde_json::{Value, json};

use crate::place::{Place, said};

async fn upload(place: &Place, query: &str, form: Form) -> agcluster_tests::system::Answer {
    place.api.send(form.on(place.request(Method::POST, &format!("/upload{query}")))).await.unwrap()
}

#[tokio::test]
async fn files_and_folders_are_stored_beneath_the_target() {
    let place = Place::new().await;
    let answer =
        upload(&place, "?target_path=in/here", Form::of(&[("a.txt", "one"), ("src/b.rs", "two!")])).await;
    let expected = json!({
        "session_id": place.session.id, "target_path": "/workspace/in/here", "uploaded": ["a.txt", "src/b.rs"],
        "total_files": 2, "total_size_bytes": 7,
    });
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &expected));
    assert_eq!(place.read("in/here/a.txt"), b"one");
    assert_eq!(place.read("in/here/src/b.rs"), b"two!");
    place.end().await;
}

#[tokio::test]
async fn a_file_that_is_there_is_replaced_only_when_asked_to() {
    let place = Place::new().await;
    place.write("a.txt", "before");
    let refused = upload(&place, "", Form::of(&[("new.txt", "x"), ("a.txt", "y")])).await;
    assert_eq!(said(&refused), (409, "file_exists"));
    assert!(refused.body["detail"].as_str().unwrap().contains("1 stored before"), "{}", refused.body);
    assert_eq!(place.read("a.txt"), b"before");
    assert_eq!(upload(&place, "?overwrite=true", Form::of(&[("a.txt", "after")])).await.status, 200);
    assert_eq!(place.read("a.txt"), b"after");
    place.end().await;
}

#[tokio::test]
async fn dangerous_names_are_made_harmless_and_stay_beneath() {
    let place = Place::new().await;
    let answer =
        upload(&place, "", Form::of(&[("/etc/passwd", "x"), ("../../up.txt", "y"), ("a;b.txt", "z")])).await;
    assert_eq!(answer.body["uploaded"], json!(["etc/passwd", "_./_./up.txt", "a_b.txt"]), "{}", answer.body);
    assert_eq!(place.read("etc/passwd"), b"x");
    assert_eq!(
        said(&upload(&place, "?target_path=../x", Form::of(&[("a", "b")])).await),
        (400, "invalid_path")
    );
    place.end().await;
}

#[tokio::test]
async fn programs_are_not_allowed_and_every_kind_of_text_is() {
    let place = Place::new().await;
    let typed = |name: &str, kind: &str| Form::of(&[]).typed(name, kind, "x");
    let refused = upload(&place, "", typed("virus", "application/x-executable")).await;
    assert_eq!(said(&refused), (400, "file_type_not_allowed"));
    assert!(refused.body["detail"].as_str().unwrap().contains("not allowed"), "{}", refused.body);
    for (name, kind) in [
        ("a.html", "text/html"),
        ("a.css", "text/css"),
        ("a.sh", "text/x-shellscript"),
        ("a.yaml", "text/yaml"),
        ("a.toml", "application/toml"),
        ("a.bin", "application/octet-stream"),
    ] {
        assert_eq!(upload(&place, "", typed(name, kind)).await.status, 200, "{kind}");
    }
    place.end().await;
}

#[tokio::test]
async fn limits_are_held_while_the_files_come() {
    let place = Place::new().await;
    let many: Vec<_> = (0..51).map(|index| format!("{index}.txt")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
    let refused = upload(&place, "?target_path=many", Form::of(&many)).await;
    assert_eq!(said(&refused), (400, "too_many_files"));
    assert!(refused.body["detail"].as_str().unwrap().contains("too many files"), "{}", refused.body);

    let zeros =
        |megabytes: usize| stream::iter((0..megabytes).map(|_| Ok(bytes::Bytes::from_static(&[0; 1 << 20]))));
    let large = Form::of(&[]).streamed("large", zeros(51));
    let refused = upload(&place, "", large).await;
    assert_eq!(said(&refused), (413, "too_large"));
    assert!(refused.body["detail"].as_str().unwrap().contains("too large"), "{}", refused.body);

    let total = (0..5).fold(Form::of(&[]), |form, index| form.streamed(&format!("t{index}"), zeros(45)));
    let refused = upload(&place, "", total).await;
    assert_eq!(said(&refused), (413, "too_large"));
    assert!(refused.body["detail"].as_str().unwrap().contains("total upload size"), "{}", refused.body);
    place.settled(&["many", "t0", "t1", "t2", "t3"]).await;
    place.end().await;
}

#[tokio::test]
async fn each_file_is_told_as_it_is_stored() {
    let place = Place::new().await;
    place.write("there.txt", "");
    for (kind, prefix) in [("application/x-ndjson", ""), ("text/event-stream", "data: ")] {
        let form = Form::of(&[("a.txt", "one"), ("b.txt", "three"), ("there.txt", "")]);
        let request = form.on(place.request(Method::POST, "/upload").header("accept", kind));
        let text = request.send().await.unwrap().text().await.unwrap();
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|line| line.strip_prefix(prefix).filter(|line| !line.is_empty()))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            lines[0],
            json!({ "type": "stored", "name": "a.txt", "path": "a.txt", "size_bytes": 3, "created": true })
        );
        assert_eq!(lines[1]["name"], "b.txt");
        assert_eq!((&lines[2]["type"], &lines[2]["error"]["code"]), (&json!("error"), &json!("file_exists")));
        assert_eq!(lines.len(), 3);
        for name in ["a.txt", "b.txt"] {
            place.delete(&format!("/{name}")).await;
        }
    }
    let request = place.request(Method::POST, "/upload").header("accept", "application/x-ndjson");
    let text = Form::of(&[("a.txt", "one")]).on(request).send().await.unwrap().text().await.unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["total_files"]), (&json!("complete"), &json!(1)));
    place.end().await;
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let place = Place::new().await;
    let plain = place.api.send(place.request(Method::POST, "/upload").body("x")).await.unwrap();
    assert_eq!(said(&plain), (415, "unsupported_media_type"));
    let typed = |body: Vec<u8>| {
        let request = place.request(Method::POST, "/upload");
        place.api.send(request.header("content-type", "multipart/form-data; boundary=b").body(body))
    };
    assert_eq!(said(&typed(b"garbage".to_vec()).await.unwrap()), (400, "invalid_request"));
    // A head that never ends is not held.
    let mut endless = b"--b\r\nContent-Disposition: form-data; name=\"".to_vec();
    endless.resize(8 << 20, b'x');
    assert_eq!(said(&typed(endless).await.unwrap()), (400, "invalid_request"));
    let cut = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"cut.txt\"\r\n\r\nhalf".to_vec();
    assert_eq!(said(&typed(cut).await.unwrap()), (400, "invalid_request"));
    place.settled(&[]).await;
    place.end().await;
}
