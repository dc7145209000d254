//! The same on platforms with containers: what is stored is the agent's user's.

use agcluster_tests::form::Form;
use agcluster_tests::system::{Provider, System};
use reqwest::Method;

use serde_json::json;

use crate::place::names_in;

async fn files_come_and_go(provider: Provider) {
    let system = System::start(provider).await.unwrap();
    let api = system.api("key");
    let session = api.launch(json!({ "driver": "scripted" })).await.unwrap();
    let at = |path: &str| format!("/api/files/{}{path}", session.id);
    let form = Form::of(&[("a.txt", "one"), ("src/b.rs", "two")]);
    let uploaded = api.send(form.on(api.request(Method::POST, &at("/upload?target_path=in")))).await.unwrap();
    assert_eq!(uploaded.body["total_files"], 2, "{}", uploaded.body);
    assert_eq!(api.get(&at("/in/src/b.rs")).await.unwrap().body["content"], "two");
    let tree = api.get(&at("?path=in")).await.unwrap();
    assert_eq!((&tree.body["total_files"], &tree.body["total_items"]), (&json!(2), &json!(3)));

    let large = vec![b'x'; 8 << 20];
    let put = api.send(api.request(Method::PUT, &at("/large")).body(large.clone())).await.unwrap();
    assert_eq!(put.body["size_bytes"], large.len(), "{}", put.body);
    let part =
        api.request(Method::GET, &at("/large")).header("range", "bytes=8388600-").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.text().await.unwrap().as_str()), (206, "xxxxxxxx"));
    let refused =
        api.send(api.request(Method::PUT, &at("/large?overwrite=false")).body(large)).await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "file_exists"));

    let archive =
        api.request(Method::GET, &at("/download?format=zip")).send().await.unwrap().bytes().await.unwrap();
    let archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    assert!(names_in(&archive).iter().any(|name| name == "in/src/b.rs"));
    assert_eq!(api.delete(&at("/in?recursive=true")).await.unwrap().status, 200);
    session.delete().await.unwrap();
    system.stop().await.unwrap();
}

#[tokio::test]
async fn files_come_and_go_on_a_process() {
    files_come_and_go(Provider::Process).await;
}

#[tokio::test]
async fn files_come_and_go_on_docker() {
    files_come_and_go(Provider::Docker).await;
}

#[tokio::test]
async fn files_come_and_go_on_a_cloud() {
    files_come_and_go(Provider::FlyMachines).await;
}

#[tokio::test]
async fn what_is_uploaded_belongs_to_the_agents_user() {
    for provider in [Provider::Process, Provider::Docker] {
        let system = System::start(provider).await.unwrap();
        let api = system.api("key");
        let agent = json!({ "allowed_tools": ["Bash"], "permission_mode": "bypassPermissions", "model": "claude-sonnet-4-5" });
        let session = api.launch(agent).await.unwrap();
        let form = Form::of(&[("folder/a.txt", "one\n")]);
        let path = format!("/api/files/{}/upload", session.id);
        api.send(form.on(api.request(Method::POST, &path))).await.unwrap();
        let command = "echo two >> folder/a.txt && touch folder/b && [ $(stat -c %u folder/a.txt) = $(id -u) ] && cat folder/a.txt";
        let answer = session.ask(&format!("@@bash {}", json!(command))).await.unwrap();
        assert_eq!(answer.body["tools"][0]["output"], "one\ntwo", "{}: {}", provider.name(), answer.body);
        system.stop().await.unwrap();
    }
}
