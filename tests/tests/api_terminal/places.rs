//! The same where the agent has a user of its own: on child processes and in containers.

use agcluster_tests::system::{Provider, Screen, System};
use reqwest::Method;
use serde_json::json;

use super::soon;

/// A terminal and a command as the agent's user, in a session of the real agent.
async fn as_the_agents_user(provider: Provider) {
    let system = System::start(provider).await.unwrap();
    let api = system.api("sk-ant-key");
    let session = api.launch(json!({ "allowed_tools": ["Bash"] })).await.unwrap();
    let mut screen = Screen::open(&api, &session, "main").await.unwrap();
    screen.write("echo \"uid-$(id -u)-\"; echo home-$HOME-; echo key-$(env | grep -c KEY)-\r").await.unwrap();
    screen.until("uid-1000-").await.unwrap();
    screen.until("key-0-").await.unwrap();
    let home = if provider == Provider::Docker { "home-/home/agent-" } else { "home-/" };
    screen.until(home).await.unwrap();
    // The tokens and the sockets of the agent server are not the agent's.
    screen.write("touch made-here; stat -c owner-%u- made-here\r").await.unwrap();
    screen.until("owner-1000-").await.unwrap();
    let request = api.request(Method::POST, &format!("/api/agents/{}/exec", session.id));
    let request = request.header("accept", "application/json").json(&json!({ "command": ["id", "-u"] }));
    let answer = soon(api.send(request)).await.unwrap();
    assert_eq!(answer.body["stdout"], "1000\n", "{}", answer.body);
    screen.write("exit\r").await.unwrap();
    screen.frame("close").await.unwrap();
    assert_eq!(screen.end().await.unwrap().0, 1000);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn in_a_container_a_terminal_is_the_agents_users() {
    as_the_agents_user(Provider::Docker).await;
}

#[tokio::test]
async fn beside_this_process_a_terminal_is_the_agents_users() {
    as_the_agents_user(Provider::Process).await;
}
