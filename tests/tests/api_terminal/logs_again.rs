//! A log that is followed goes on after the server was killed, with what is missing.

use std::io::Write;
use std::path::PathBuf;

use agcluster_core::provider::ListFilter;
use agcluster_tests::system::{Api, Installation, Plan, Provider, last_id, whole_frames};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::process::Command;

use super::{scripted, soon};

/// What was written, and the id behind which it goes on. How much of it stands in one frame is not promised.
#[derive(Debug, Default)]
struct Log {
    text: String,
    id: Option<String>,
}

impl Log {
    fn take(&mut self, answer: &str) {
        let frames = whole_frames(answer);
        self.id = last_id(&frames).map(str::to_owned).or(self.id.take());
        for (_, data) in frames {
            let data: Value = serde_json::from_str(&data).unwrap();
            self.text.push_str(data["data"].as_str().unwrap_or_default());
        }
    }
}

async fn log(api: &Api, session: &str, query: &str, id: Option<&str>) -> Response {
    let mut request = api.request(Method::GET, &format!("/api/agents/{session}/logs?tail=10000&{query}"));
    if let Some(id) = id {
        request = request.header("last-event-id", id);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

/// Everything so far.
async fn whole(api: &Api, session: &str) -> String {
    let mut whole = Log::default();
    whole.take(&soon(log(api, session, "follow=false", None).await.text()).await.unwrap());
    whole.text
}

/// Reads on until something was said.
async fn read(response: &mut Response, so_far: &mut Log, wanted: &str) {
    let mut answer = String::new();
    while !answer.contains(wanted) || !answer.ends_with("\n\n") {
        let piece = soon(response.chunk()).await.unwrap().unwrap();
        answer.push_str(std::str::from_utf8(&piece).unwrap());
    }
    so_far.take(&answer);
}

/// Lets the agent server's standard error say lines of its own, whatever the server does.
async fn say(installation: &Installation, lines: &[&str]) {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    if installation.provider() == Provider::Process {
        let log = std::fs::OpenOptions::new().append(true).open(log_file(installation)).unwrap();
        (&log).write_all(text.as_bytes()).unwrap();
        return;
    }
    let platform = installation.platform().await.unwrap();
    let all = platform.list(ListFilter::cluster(installation.cluster())).await.unwrap();
    let write = ["sh", "-c", "printf %s \"$1\" > /proc/1/fd/2", "sh", &text];
    let mut docker = Command::new("docker");
    docker.args(["exec", "--user", "0"]).arg(&all[0].id.0).args(write);
    assert!(soon(docker.status()).await.unwrap().success());
}

/// The one file with a container's log, among those of the process provider.
fn log_file(installation: &Installation) -> PathBuf {
    let mut folders = vec![installation.state_folder().unwrap()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() == "output.log" {
                return entry.path();
            }
        }
    }
    panic!("there is no log")
}

async fn followed_over_a_kill(provider: Provider) {
    Installation::with(Plan::on(provider), async |installation| {
        let api = installation.api("sk-ant-key");
        let session = scripted(&api).await;
        let mut seen = Log::default();
        for round in ["one", "two"] {
            let mut followed = log(&api, &session.id, "follow=true", seen.id.as_deref()).await;
            say(installation, &[&format!("{round} begun")]).await;
            read(&mut followed, &mut seen, &format!("{round} begun")).await;
            // On its way while the server is killed.
            say(installation, &[&format!("{round} a"), &format!("{round} b")]).await;
            installation.kill().await?;
            let mut answer = String::new();
            while let Ok(Some(piece)) = soon(followed.chunk()).await {
                answer.push_str(std::str::from_utf8(&piece).unwrap());
            }
            seen.take(&answer);
            say(installation, &[&format!("{round} while nobody reads")]).await;
            installation.start().await?;
            installation.adopted().await?;
        }
        say(installation, &["the end"]).await;
        let mut followed = log(&api, &session.id, "follow=true", seen.id.as_deref()).await;
        read(&mut followed, &mut seen, "the end").await;
        assert_eq!(seen.text, whole(&api, &session.id).await);
        let said = seen.text.lines().filter(|line| line.starts_with("one ") || line.starts_with("two "));
        assert_eq!(said.count(), 8, "{}", seen.text);
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_log_of_a_process_goes_on_after_a_kill_of_the_server() {
    followed_over_a_kill(Provider::Process).await;
}

#[tokio::test]
async fn the_log_of_a_container_goes_on_after_a_kill_of_the_server() {
    followed_over_a_kill(Provider::Docker).await;
}
