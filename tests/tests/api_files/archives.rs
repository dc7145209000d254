//! Archives.

use std::io::{Cursor, Read};
use std::os::unix::fs::{PermissionsExt, symlink};

use reqwest::Method;
use zip::ZipArchive;

use crate::place::{Place, names_in, said};

fn plant(place: &Place) {
    place.write("src/main.rs", "fn main() {}");
    place.write("run.sh", "#!/bin/sh\n");
    std::fs::set_permissions(place.root().join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir(place.root().join("empty")).unwrap();
    symlink("/etc/passwd", place.root().join("link")).unwrap();
    place.write(&format!("{}/deep.txt", "long-name-".repeat(15)), "deep");
    symlink("t".repeat(150), place.root().join("long-link")).unwrap();
}

#[tokio::test]
async fn a_zip_has_everything_and_links_as_links() {
    let place = Place::new().await;
    plant(&place);
    let response = place.request(Method::POST, "/download").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/zip");
    let name = format!("workspace_{}.zip", place.session.id);
    assert!(response.headers()["content-disposition"].to_str().unwrap().contains(&name));
    let mut zip = ZipArchive::new(Cursor::new(response.bytes().await.unwrap())).unwrap();
    let mut names = names_in(&zip);
    names.sort();
    let long = "long-name-".repeat(15);
    assert_eq!(
        names,
        [
            "empty/",
            "link",
            "long-link",
            &format!("{long}/"),
            &format!("{long}/deep.txt"),
            "run.sh",
            "src/",
            "src/main.rs"
        ]
    );
    let mut link = zip.by_name("link").unwrap();
    assert!(link.is_symlink());
    let mut target = String::new();
    link.read_to_string(&mut target).unwrap();
    assert_eq!(target, "/etc/passwd", "the link itself, and nothing of what it leads to");
    drop(link);
    assert_eq!(zip.by_name("run.sh").unwrap().unix_mode().unwrap() & 0o777, 0o755);
    place.end().await;
}

#[tokio::test]
async fn a_tar_is_what_tar_reads() {
    let place = Place::new().await;
    plant(&place);
    let response = place.fetch("/download?format=tar.zst").await;
    assert_eq!(response.headers()["content-type"], "application/zstd");
    let tar = zstd::decode_all(&response.bytes().await.unwrap()[..]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.tar"), tar).unwrap();
    let unpacked =
        std::process::Command::new("tar").args(["xf", "a.tar"]).current_dir(&folder).output().unwrap();
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
    let at = |path: &str| folder.path().join(path);
    assert_eq!(std::fs::read(at("src/main.rs")).unwrap(), b"fn main() {}");
    assert_eq!(std::fs::metadata(at("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(std::fs::read_link(at("link")).unwrap().to_str(), Some("/etc/passwd"));
    assert_eq!(std::fs::read_link(at("long-link")).unwrap().to_str(), Some(&*"t".repeat(150)));
    assert!(at("empty").is_dir());
    assert_eq!(std::fs::read(at(&format!("{}/deep.txt", "long-name-".repeat(15)))).unwrap(), b"deep");
    place.end().await;
}

#[tokio::test]
async fn a_folder_is_packed_alone_and_too_much_is_refused_beforehand() {
    let place = Place::with(&["--archive-max-size=10", "--archive-max-entries=3"]).await;
    place.write("small/a", "12345");
    place.write("large/a", "12345678901");
    place.write("many/a/b/c", "");
    place.write("many/d", "");
    let small = place.fetch("/download?format=zip&path=small").await;
    let zip = ZipArchive::new(Cursor::new(small.bytes().await.unwrap())).unwrap();
    assert_eq!(names_in(&zip), ["a"]);
    assert_eq!(said(&place.get("/download?format=zip&path=large").await), (413, "too_large"));
    assert_eq!(said(&place.get("/download?format=zip&path=many").await), (413, "too_many"));
    assert_eq!(said(&place.get("/download?format=rar").await), (400, "invalid_query"));
    assert_eq!(said(&place.get("/download?format=zip&path=none").await), (404, "file_not_found"));
    place.end().await;
}

#[tokio::test]
async fn folders_that_are_too_deep_are_refused_and_none_is_left_out() {
    let place = Place::new().await;
    let deep = |folders: usize| "d/".repeat(folders);
    place.write(&format!("{}bottom", deep(250)), "here");
    for format in ["zip", "tar.zst"] {
        let whole = place.fetch(&format!("/download?format={format}")).await;
        assert_eq!(whole.status(), 200, "{format}");
        let bytes = whole.bytes().await.unwrap();
        if format == "zip" {
            let zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
            assert!(names_in(&zip).contains(&format!("{}bottom", deep(250))));
        } else {
            let tar = zstd::decode_all(&bytes[..]).unwrap();
            assert!(String::from_utf8_lossy(&tar).contains("d/bottom"));
        }
    }
    place.write(&format!("{}bottom", deep(251)), "too deep");
    for format in ["zip", "tar.zst"] {
        let refused = place.get(&format!("/download?format={format}")).await;
        assert_eq!(said(&refused), (413, "too_many"), "{format}");
        assert!(refused.body["detail"].as_str().unwrap().contains("further down"), "{}", refused.body);
        assert_eq!(place.fetch(&format!("/download?format={format}&path=d")).await.status(), 200);
    }
    place.end().await;
}
