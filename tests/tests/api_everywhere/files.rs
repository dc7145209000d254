//! Files.

use std::io::Cursor;

use agcluster_core::conformance::Outcome;
use agcluster_tests::form::Form;
use anyhow::ensure;
use reqwest::Method;
use serde_json::json;

use crate::place::{Place, fine, get, post, put, refused, stream};

pub(crate) async fn a_tree_is_made_read_renamed_and_deleted(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let at = |path: &str| format!("/api/files/{}{path}", session.id);
    post(api, &at("/mkdir"), json!({ "path": "src" })).await?;
    put(api, &at("/src/main.rs"), "fn main() {}\n").await?;
    let read = get(api, &at("/src/main.rs")).await?;
    ensure!(read["content"] == "fn main() {}\n" && read["language"] == "rust", "{read}");
    let (tree, shallow) = (get(api, &at("")).await?, get(api, &at("?depth=1")).await?);
    let file = &tree["tree"]["children"][0]["children"][0];
    ensure!(file["path"] == "src/main.rs" && file["type"] == "file" && file["size"] == 13, "{tree}");
    ensure!(shallow["tree"]["children"][0].get("children").is_none(), "{shallow}");

    let large = vec![b'x'; 8 << 20];
    let stored = api.send(api.request(Method::PUT, &at("/large")).body(large.clone())).await?;
    ensure!(fine(stored)?["size_bytes"] == large.len());
    let part = api.request(Method::GET, &at("/large")).header("range", "bytes=8388600-").send().await?;
    ensure!(part.status() == 206 && part.bytes().await? == b"xxxxxxxx"[..]);
    let again = api.request(Method::PUT, &at("/large?overwrite=false")).body(large);
    refused(&api.send(again).await?, 409, "file_exists")?;

    post(api, &at("/rename"), json!({ "from": "src/main.rs", "to": "src/lib.rs" })).await?;
    refused(&api.get(&at("/src/main.rs")).await?, 404, "file_not_found")?;
    refused(&api.get(&at("/..%2fetc/passwd")).await?, 400, "invalid_path")?;
    refused(&api.delete(&at("/src")).await?, 409, "folder_not_empty")?;
    fine(api.delete(&at("/src?recursive=true")).await?)?;
    refused(&api.get(&at("/src/lib.rs")).await?, 404, "file_not_found")?;
    Ok(Outcome::Passed)
}

pub(crate) async fn uploads_come_in_and_archives_go_out(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let at = |path: &str| format!("/api/files/{}{path}", session.id);
    let upload = || Form::of(&[("a.txt", "one"), ("src/b.rs", "two")]);
    let request = || api.request(Method::POST, &at("/upload?target_path=in&overwrite=false"));
    let uploaded = fine(api.send(upload().on(request())).await?)?;
    ensure!(uploaded["total_files"] == 2, "{uploaded}");
    refused(&api.send(upload().on(request())).await?, 409, "file_exists")?;
    ensure!(get(api, &at("/in/src/b.rs")).await?["content"] == "two");

    let zip = api.request(Method::GET, &at("/download?format=zip")).send().await?.bytes().await?;
    let zip = zip::ZipArchive::new(Cursor::new(zip))?;
    let names = zip.file_names().map(|name| Ok(name?.into_owned())).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(names.iter().any(|name| name == "in/src/b.rs"), "{names:?}");
    let tar = api.request(Method::GET, &at("/download?format=tar.zst&path=in")).send().await?.bytes().await?;
    let tar = zstd::decode_all(&tar[..])?;
    // A name stands at the beginning of its 512 bytes.
    ensure!(tar.chunks(512).any(|block| block.starts_with(b"src/b.rs\0")), "the tar lacks src/b.rs");
    Ok(Outcome::Passed)
}

pub(crate) async fn changes_are_told_as_they_happen(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let (api, session) = (&place.api, place.session().await?);
    let at = |path: &str| format!("/api/files/{}{path}", session.id);
    let mut live = stream(api.request(Method::GET, &at("/changes"))).await?;
    let first = live.next().await?.map(|frame| frame.data).unwrap_or_default();
    ensure!(first["changes"] == json!([]), "the first frame says that it is watched: {first}");
    put(api, &at("/new/file.txt?parents=true"), "x").await?;
    let mut seen = Vec::new();
    while !seen.iter().any(|change| *change == json!({ "path": "new/file.txt", "kind": "created" })) {
        let Some(batch) = live.next().await? else { anyhow::bail!("the stream ended: {seen:?}") };
        seen.extend(batch.data["changes"].as_array().cloned().unwrap_or_default());
    }
    Ok(Outcome::Passed)
}
