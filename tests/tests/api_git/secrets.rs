//! A private repository in Docker, whose token stands nowhere that the agent can look, and in no database.

use super::*;

/// Looks at everything that is there to be looked at, as the agent; gives where it found the text.
const SEARCH: &str = "for p in /proc/[0-9]*; do for f in environ cmdline; do \
    tr '\\0' '\\n' 2>/dev/null < $p/$f | grep -qF -e \"$(cat /tmp/needle)\" && echo $p/$f; done; done; \
    grep -rlF -e \"$(cat /tmp/needle)\" /workspace /home /tmp /var /etc /run 2>/dev/null | grep -v needle; echo searched";

#[tokio::test]
async fn the_token_of_a_private_repository_is_nowhere_in_the_container() {
    let ground = Ground::on(Provider::Docker).await;
    ground.host.make("private.git").await.unwrap();
    let (api, url) = (ground.api(), ground.url("private.git"));
    let config = json!({ "allowed_tools": ["Bash"], "permission_mode": "bypassPermissions", "model": "claude-sonnet-4-5" });
    let request = json!({ "config": config, "repo": url, "git_credentials": credentials() });
    let session = api.launch_with(request).await.unwrap();
    let bash = async |command: &str| {
        let answer =
            session.ask(&format!("@@bash {}", serde_json::to_string(command).unwrap())).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["tools"][0]["output"].as_str().unwrap_or_default().to_owned()
    };
    let seen = bash("cat private/README.md private/.git/config; stat -c %U private/.git").await;
    assert!(seen.contains("# Hello") && seen.contains(&format!("url = {url}")), "{seen}");
    assert!(!seen.contains("127.0.0.1") && !seen.contains("root"), "{seen}");
    // The needle is put together in the container, so that the prompt is not what is found.
    let (half, rest) = TOKEN.split_at(8);
    bash(&format!("printf %s%s '{half}' '{rest}' > /tmp/needle")).await;
    let found = bash(SEARCH).await;
    assert_eq!(found.trim(), "searched", "{found}");
    bash("cd private && git config user.email a@b && git config user.name A && echo more >> README.md").await;
    let commit = json!({ "path": "private", "message": "more", "all": true });
    fine(tell(&api, &session, "commit", commit).await);
    let push = json!({ "path": "private", "url": url, "credentials": credentials() });
    fine(tell(&api, &session, "push", push).await);
    let found = bash(SEARCH).await;
    assert_eq!(found.trim(), "searched", "{found}");
    assert!(holding(&ground, &session.id).contains("agcluster.db"), "the search finds what is there");
    assert_eq!(holding(&ground, TOKEN), "");
    ground.stop().await;
}

/// The files of the server that hold a text.
fn holding(ground: &Ground, text: &str) -> String {
    let data = std::fs::read_dir(ground.system.data()).unwrap().map(|entry| entry.unwrap().path());
    let holds = |file: &std::path::PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    data.filter(holds).map(|file| file.display().to_string()).collect()
}
