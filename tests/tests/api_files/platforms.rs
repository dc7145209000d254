//! The same where the agent has a user of its own: what is stored is that user's.

use agcluster_tests::form::Form;
use agcluster_tests::system::{Provider, System};
use reqwest::Method;

use serde_json::json;

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
