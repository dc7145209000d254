//! What an agent may plant in its workspace: links, pipes, sockets, devices, names, and all that changing while it is looked at.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use agcluster_tests::form::Form;
use reqwest::Method;
use rustix::fs::{FileType, Mode, RenameFlags, mknodat, renameat_with};
use serde_json::json;
use tempfile::TempDir;

use crate::place::{Place, names_in, said};

const SECRET: &str = "a secret of the machine";

/// A folder that no request may reach, with a file in it.
fn outside() -> TempDir {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), SECRET).unwrap();
    outside
}

fn untouched(outside: &TempDir) {
    let names: Vec<_> =
        std::fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file"]);
    assert_eq!(std::fs::read_to_string(outside.path().join("file")).unwrap(), SECRET);
}

/// Ends the other thread, however this one ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Every request that could follow a link at `path`, or through it to `path/file`.
async fn nothing_gets_through(place: &Place, path: &str) {
    for target in [format!("/{path}"), format!("/{path}/file")] {
        for route in [target.clone(), format!("{target}/download"), format!("{target}?raw=true")] {
            let answer = place.get(&route).await;
            assert!(answer.status.is_client_error(), "{route}: {} {}", answer.status, answer.body);
            assert!(!answer.body.to_string().contains(SECRET), "{route}");
        }
        let answer = place.put(&target, "overwritten").await;
        assert!(answer.status.is_client_error(), "{target}: {} {}", answer.status, answer.body);
    }
    let into = format!("{path}/new");
    assert!(place.put(&format!("/{into}?parents=true"), "x").await.status.is_client_error());
    assert!(place.post("/mkdir", json!({ "path": into, "parents": true })).await.status.is_client_error());
    assert!(place.delete(&format!("/{path}/file")).await.status.is_client_error());
    assert!(place.get(&format!("?path={path}")).await.status.is_client_error());
    place.write("own", "x");
    for (from, to) in
        [("own".to_owned(), format!("{path}/moved")), (format!("{path}/file"), "stolen".to_owned())]
    {
        let answer = place.post("/rename", json!({ "from": from, "to": to, "overwrite": true })).await;
        assert!(answer.status.is_client_error(), "{from} → {to}: {} {}", answer.status, answer.body);
    }
    let form = Form::of(&[("uploaded", "x")]);
    let request = form.on(place.request(Method::POST, &format!("/upload?target_path={path}")));
    assert!(place.api.send(request).await.unwrap().status.is_client_error());
}

#[tokio::test]
async fn a_link_out_of_the_workspace_leads_nowhere() {
    let place = Place::new().await;
    let outside = outside();
    symlink(outside.path(), place.root().join("folder")).unwrap();
    symlink(outside.path().join("file"), place.root().join("file")).unwrap();
    let up = "../".repeat(20);
    symlink(format!("{up}{}", outside.path().display()), place.root().join("relative")).unwrap();
    symlink("/proc/self/root", place.root().join("magic")).unwrap();
    for link in ["folder", "file", "relative", "magic"] {
        nothing_gets_through(&place, link).await;
    }
    // Deleting a link, and whatever has it inside, deletes the link.
    assert_eq!(place.delete("/file").await.status, 200);
    place.write("full/x", "");
    symlink(outside.path(), place.root().join("full/link")).unwrap();
    assert_eq!(place.delete("/full?recursive=true").await.status, 200);
    untouched(&outside);
    place.end().await;
}

#[tokio::test]
async fn a_link_within_the_workspace_is_followed() {
    let place = Place::new().await;
    place.write("real/a.txt", "here");
    symlink("real", place.root().join("link")).unwrap();
    assert_eq!(place.get("/link/a.txt").await.body["content"], "here");
    assert_eq!(place.put("/link/b.txt", "there").await.status, 201);
    assert_eq!(place.read("real/b.txt"), b"there");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_folder_that_is_swapped_for_a_link_lets_nothing_through() {
    let place = Place::new().await;
    let outside = outside();
    place.write("swapped/file", "of the workspace");
    symlink(outside.path(), place.root().join("bait")).unwrap();
    let stop = AtomicBool::new(false);
    let root = place.root();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let folder = std::fs::File::open(&root).unwrap();
            while !stop.load(Ordering::Relaxed) {
                renameat_with(&folder, "swapped", &folder, "bait", RenameFlags::EXCHANGE).unwrap();
            }
        });
        let requests = async {
            let _stop = Stop(&stop);
            let (mut given, mut refused) = (0, 0);
            for round in 0..150 {
                let read = place.fetch("/swapped/file?raw=true").await;
                match read.status().as_u16() {
                    200 => given += 1,
                    400 => refused += 1,
                    other => assert_eq!(other, 404),
                }
                assert_ne!(read.text().await.unwrap(), SECRET);
                place.put("/swapped/file", "of the workspace").await;
                place.put(&format!("/swapped/new/{round}?parents=true"), "x").await;
                place.delete("/swapped/new?recursive=true").await;
                place.post("/rename", json!({ "from": "swapped/file", "to": "swapped/file2" })).await;
                place.post("/rename", json!({ "from": "swapped/file2", "to": "swapped/file" })).await;
                let tree = place.get("?path=swapped").await;
                for child in tree.body["tree"]["children"].as_array().into_iter().flatten() {
                    assert_ne!(child["size"], SECRET.len(), "{child}");
                }
                let archive = place.fetch("/download?format=zip").await;
                assert_eq!(archive.status(), 200);
                if let Ok(bytes) = archive.bytes().await {
                    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
                    for index in 0..archive.len() {
                        let mut content = String::new();
                        archive.by_index(index).unwrap().read_to_string(&mut content).unwrap();
                        assert_ne!(content, SECRET);
                    }
                }
            }
            assert!(given > 0 && refused > 0, "{given} given, {refused} refused: both should have been met");
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(requests));
    });
    untouched(&outside);
    place.end().await;
}

/// Only root makes devices: what everybody can do is in the agent server's own tests, on those of the machine.
#[tokio::test]
async fn a_device_is_never_opened() {
    let place = Place::new().await;
    let folder = std::fs::File::open(place.root()).unwrap();
    // One that never ends when it is read.
    let zero = rustix::fs::makedev(1, 5);
    mknodat(&folder, "zero", FileType::CharacterDevice, Mode::from_raw_mode(0o666), zero).unwrap();
    for path in ["/zero", "/zero?raw=true", "/zero/download"] {
        assert_eq!(said(&place.get(path).await), (409, "wrong_file_type"), "{path}");
    }
    assert_eq!(said(&place.put("/zero", "x").await), (409, "wrong_file_type"));
    let tree = place.get("").await;
    assert_eq!(tree.body["tree"]["children"][0]["type"], "other", "{}", tree.body);
    let archive = place.fetch("/download?format=zip").await.bytes().await.unwrap();
    assert_eq!(names_in(&zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap()), [""; 0]);
    assert_eq!(place.delete("/zero").await.status, 200);
    place.end().await;
}

#[tokio::test]
async fn pipes_and_sockets_are_never_opened() {
    let place = Place::new().await;
    let folder = std::fs::File::open(place.root()).unwrap();
    mknodat(&folder, "pipe", FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let _socket = UnixListener::bind(place.root().join("socket")).unwrap();
    symlink("pipe", place.root().join("link")).unwrap();
    for name in ["pipe", "socket", "link"] {
        for path in [format!("/{name}"), format!("/{name}?raw=true"), format!("/{name}/download")] {
            assert_eq!(said(&place.get(&path).await), (409, "wrong_file_type"), "{path}");
        }
        assert_eq!(said(&place.put(&format!("/{name}"), "x").await), (409, "wrong_file_type"), "{name}");
    }
    let archive = place.fetch("/download?format=zip").await.bytes().await.unwrap();
    let archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    assert_eq!(names_in(&archive), ["link"], "a link is stored as one, nothing else");
    assert_eq!(place.delete("/pipe").await.status, 200);
    place.end().await;
}

/// Sends a path as it is, which no client library does, and gives status line and body.
fn raw(place: &Place, method: &str, path: &str) -> String {
    let base = place.api.url("");
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    let request = format!(
        "{method} /api/files/{}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        place.session.id
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traversal_in_every_form_is_refused() {
    let place = Place::new().await;
    let outside = outside();
    std::fs::write(place.root().parent().unwrap().join("beside"), SECRET).unwrap();
    place.write("folder/x", "");
    let away = outside.path().display();
    let forms = [
        "/../beside".to_owned(),
        "/folder/../../beside".to_owned(),
        "/%2e%2e/beside".to_owned(),
        "/.%2e/beside".to_owned(),
        "/%2e%2e%2fbeside".to_owned(),
        "/folder%2f..%2f..%2fbeside".to_owned(),
        "/..".to_owned(),
        "/%2e%2e".to_owned(),
        "/folder/%2e%2e/%2e%2e/beside".to_owned(),
        "/..%00/beside".to_owned(),
        "/beside%00.txt".to_owned(),
        "/%252e%252e/beside".to_owned(),
        "/%c0%ae%c0%ae/beside".to_owned(),
        format!("/{away}/file"),
        format!("//{away}/file"),
        format!("/%2f{away}/file"),
        format!("/file:%2f%2f{away}/file"),
    ];
    for form in &forms {
        for (method, suffix) in [
            ("GET", ""),
            ("GET", "?raw=true"),
            ("GET", "/download"),
            ("PUT", ""),
            ("DELETE", "?recursive=true"),
        ] {
            let answer = raw(&place, method, &format!("{form}{suffix}"));
            assert!(answer.starts_with("HTTP/1.1 4"), "{method} {form}{suffix}: {answer}");
            assert!(!answer.contains(SECRET), "{method} {form}{suffix}");
        }
    }
    for path in ["..", "../beside", "folder/../../beside", "a\0b"] {
        let named = place.post("/mkdir", json!({ "path": path })).await;
        assert_eq!(said(&named), (400, "invalid_path"), "{path:?}");
        let renamed = place.post("/rename", json!({ "from": "folder", "to": path })).await;
        assert_eq!(said(&renamed), (400, "invalid_path"), "{path:?}");
    }
    for route in ["?path=", "/download?format=zip&path=", "/download?format=tar.zst&path=", "/changes?path="]
    {
        for path in
            ["..", "../beside", "folder/../../beside", "%2e%2e/beside", "folder%2f..%2f..%2fbeside", "a%00b"]
        {
            let request = place.request(Method::GET, &format!("{route}{path}"));
            let answer = place.api.send(request.header("accept", "text/event-stream")).await.unwrap();
            assert_eq!(said(&answer), (400, "invalid_path"), "{route}{path}");
        }
    }
    untouched(&outside);
    assert_eq!(std::fs::read_to_string(place.root().parent().unwrap().join("beside")).unwrap(), SECRET);
    std::fs::remove_file(place.root().parent().unwrap().join("beside")).unwrap();
    assert!(Path::new(&place.root()).join("folder/x").exists());
    place.end().await;
}
