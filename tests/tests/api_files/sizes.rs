//! Files and folders beyond any memory.

use std::os::unix::fs::FileExt;

use agcluster_tests::form::Form;
use futures::StreamExt;
use reqwest::Method;
use serde_json::json;

use crate::place::{Place, said};

/// Four gigabytes and a little, with nothing in them but their ends.
fn huge(place: &Place) -> u64 {
    let size = (4 << 30) + 3;
    let file = std::fs::File::create(place.root().join("huge")).unwrap();
    file.set_len(size).unwrap();
    file.write_at(b"end", size - 3).unwrap();
    size
}

/// The memory of this process, the server and the agent server in it.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn the_end_of_a_file_of_four_gigabytes_is_read_at_once() {
    let place = Place::new().await;
    let size = huge(&place);
    let end = place.request(Method::GET, "/huge").header("range", "bytes=-3").send().await.unwrap();
    let range = format!("bytes {}-{}/{size}", size - 3, size - 1);
    assert_eq!(end.headers()["content-range"], range);
    assert_eq!(end.text().await.unwrap(), "end");
    let beyond = place.request(Method::GET, "/huge").header("range", format!("bytes={size}-"));
    assert_eq!(said(&place.api.send(beyond).await.unwrap()), (416, "range_not_satisfiable"));
    let preview = place.get("/huge").await;
    assert_eq!((&preview.body["type"], &preview.body["size"]), (&json!("binary"), &json!(size)));
    assert_eq!(said(&place.get("/download?format=zip").await), (413, "too_large"));
    place.end().await;
}

#[tokio::test]
async fn four_gigabytes_are_packed_with_little_memory() {
    let place = Place::with(&["--archive-max-size=5g"]).await;
    huge(&place);
    let before = resident();
    let archive = place.fetch("/download?format=tar.zst").await;
    assert_eq!(archive.status(), 200);
    let mut pieces = archive.bytes_stream();
    let (mut sent, mut most) = (0, 0);
    while let Some(piece) = pieces.next().await {
        sent += piece.unwrap().len();
        most = most.max(resident().saturating_sub(before));
    }
    assert!(sent > 100_000, "{sent}");
    assert!(most < 64 << 20, "{most} bytes more than before");
    place.end().await;
}

/// A folder for more than a disk takes in a moment: in the machine's memory where that has room.
fn roomy() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |found| found.f_bavail * found.f_frsize);
    let has_room = room > 8 << 30;
    if has_room { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// The same piece so often, none of which is kept.
fn pieces(
    of: &'static [u8],
    count: usize,
) -> impl futures::Stream<Item = std::io::Result<&'static [u8]>> + Send {
    futures::stream::iter(std::iter::repeat_n(of, count).map(Ok))
}

/// What memory had at most while this was sent, beyond what it had before.
async fn most_while<T>(sending: impl Future<Output = T>) -> (u64, T) {
    let before = resident();
    let mut most = 0;
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
    tokio::pin!(sending);
    loop {
        tokio::select! {
            sent = &mut sending => return (most, sent),
            _ = looks.tick() => most = most.max(resident().saturating_sub(before)),
        }
    }
}

#[tokio::test]
async fn four_gigabytes_are_uploaded_with_little_memory_where_the_limits_let_them() {
    static PIECE: [u8; 1 << 18] = [b'x'; 1 << 18];
    let limits = ["--upload-max-file-size=5g", "--upload-max-size=5g"];
    let place = Place::within(roomy(), &limits).await;
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"huge\"\r\n\r\n";
    let (head, foot) = (pieces(head.as_bytes(), 1), pieces(b"end\r\n--b--\r\n", 1));
    let form = head.chain(pieces(&PIECE, 1 << 14)).chain(foot);
    let request =
        place.request(Method::POST, "/upload").header("content-type", "multipart/form-data; boundary=b");
    let request = request.body(reqwest::Body::wrap_stream(form));
    let (most, answer) = most_while(place.api.send(request)).await;
    let answer = answer.unwrap();
    let size = (4 << 30) + 3;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["total_size_bytes"]),
        (200, &json!(size)),
        "{}",
        answer.body
    );
    let stored = std::fs::File::open(place.root().join("huge")).unwrap();
    let mut end = [0; 4];
    stored.read_at(&mut end, size - 4).unwrap();
    assert_eq!((stored.metadata().unwrap().len(), &end), (size, b"xend"));
    std::fs::remove_file(place.root().join("huge")).unwrap();
    assert!(most < 128 << 20, "{most} bytes more than before");
    place.end().await;
}

#[tokio::test]
async fn a_folder_of_a_million_files_is_listed_with_little_memory() {
    let place = Place::new().await;
    std::fs::create_dir(place.root().join("many")).unwrap();
    std::fs::write(place.root().join("many/first"), "").unwrap();
    let folder = std::fs::File::open(place.root().join("many")).unwrap();
    // Names of a few files: a file has no more than 65,000 on some file systems.
    let mut own = "first".to_owned();
    for index in 0..1_000_000 {
        if index % 50_000 == 49_999 {
            own = format!("own{index}");
            std::fs::write(place.root().join("many").join(&own), "").unwrap();
        }
        let name = format!("{index:07}");
        rustix::fs::linkat(&folder, own.as_str(), &folder, name.as_str(), rustix::fs::AtFlags::empty())
            .unwrap();
    }
    let before = resident();
    let answer = place.get("?path=many&limit=1000").await;
    assert_eq!(answer.body["tree"]["children"][999]["name"], "0000999");
    assert_eq!((&answer.body["truncated"], &answer.body["total_items"]), (&json!(true), &json!(1000)));
    let next = place.get("?path=many&limit=2&after=0999998").await;
    assert_eq!(next.body["tree"]["children"][0]["name"], "0999999");
    let whole = place.get("").await;
    assert_eq!(whole.body["truncated"], true);
    assert_eq!(said(&place.get("/download?format=zip").await), (413, "too_many"));
    let more = resident().saturating_sub(before);
    assert!(more < 128 << 20, "{more} bytes more than before");
    place.end().await;
}

#[tokio::test]
async fn an_uploaded_bomb_is_the_file_it_is() {
    let place = Place::new().await;
    // A gigabyte of nothing in a megabyte.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bomb", zip::write::SimpleFileOptions::default()).unwrap();
    let nothing = vec![0; 1 << 20];
    for _ in 0..1024 {
        std::io::Write::write_all(&mut zip, &nothing).unwrap();
    }
    let bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 4 << 20, "{}", bomb.len());
    let form = Form::of(&[]).typed("bomb.zip", "application/zip", bomb.clone());
    let answer = place.api.send(form.on(place.request(Method::POST, "/upload"))).await.unwrap();
    assert_eq!(answer.body["uploaded"], json!(["bomb.zip"]), "{}", answer.body);
    assert_eq!(place.read("bomb.zip"), bomb);
    assert_eq!(place.get("").await.body["total_items"], 1, "nothing was unpacked");
    place.end().await;
}
