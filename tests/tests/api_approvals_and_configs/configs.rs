//! Configurations of the caller's own, over HTTP.

use reqwest::Method;

use super::*;

fn mine(id: &str) -> Value {
    json!({
        "id": id, "name": "Mine", "driver": "scripted", "system_prompt": { "type": "preset", "preset": "claude_code", "append": "be kind" },
        "agents": { "helper": { "description": "d", "prompt": "p", "tools": ["Read"], "model": "haiku" } },
        "mcp_servers": {
            "local": { "type": "stdio", "command": "npx", "args": ["-y", "x"], "env": { "TOKEN": "${TOKEN}" } },
            "events": { "type": "sse", "url": "https://example.com/sse", "headers": null },
            "remote": { "type": "http", "url": "https://example.com/mcp", "headers": { "X-Team": "a" } },
        },
        "env": { "RUST_LOG": "debug" }, "cwd": "/workspace/app", "setting_sources": ["project"], "allowed_tools": ["Read", "Task"],
    })
}

async fn send(api: &Api, method: Method, path: &str, body: &Value, if_match: Option<&str>) -> Answer {
    let mut request = api.request(method, path).json(body);
    if let Some(tag) = if_match {
        request = request.header("if-match", tag);
    }
    api.send(request).await.unwrap()
}

#[tokio::test]
async fn what_is_saved_is_read_back_exactly_and_launched_by_its_owner_alone() {
    let system = system().await;
    let (api, other) = (system.api("mine"), system.api("yours"));
    let made = api.post("/api/configs", mine("my-agent")).await.unwrap();
    assert_eq!(
        (made.status, &made.body["config_id"]),
        (StatusCode::CREATED, &json!("my-agent")),
        "{}",
        made.body
    );
    assert_eq!(made.headers["location"], "/api/configs/my-agent");
    let read = api.get("/api/configs/my-agent").await.unwrap();
    assert_eq!(read.headers["etag"], made.headers["etag"]);
    let wanted = mine("my-agent");
    for (field, value) in wanted.as_object().unwrap() {
        assert_eq!(&read.body[field], value, "{field}");
    }
    assert!(read.body["created_at"].is_string() && read.body["updated_at"].is_string());

    for path in ["/api/configs/", "/api/configs"] {
        let list = api.get(path).await.unwrap().body;
        let own: Vec<_> =
            list["configs"].as_array().unwrap().iter().filter(|config| config["source"] == "user").collect();
        assert_eq!(own.len(), 1, "{list}");
        assert_eq!(
            list["configs"].as_array().unwrap().iter().filter(|config| config["source"] == "preset").count(),
            5
        );
        assert_eq!(other.get(path).await.unwrap().body["total"], 5);
    }
    assert_eq!(api.get("/api/configs/custom/list").await.unwrap().body["total"], 1);
    assert_eq!(refusal(&other.get("/api/configs/my-agent").await.unwrap()), (404, "config_not_found"));

    let launch =
        json!({ "api_key": "mine", "config_id": "my-agent", "mcp_env": { "local": { "TOKEN": "t" } } });
    let session = api.launch_with(launch.clone()).await.unwrap();
    assert_eq!(session.launched["config_id"], "my-agent");
    let refused = other
        .post("/api/agents/launch", json!({ "api_key": "yours", "config_id": "my-agent" }))
        .await
        .unwrap();
    assert_eq!(refusal(&refused), (404, "config_not_found"));
    let theirs = json!({ "id": "my-agent", "name": "Theirs", "driver": "scripted" });
    assert_eq!(
        other.post("/api/configs", theirs).await.unwrap().status,
        StatusCode::CREATED,
        "ids do not clash"
    );
    assert_eq!(api.get("/api/configs/my-agent").await.unwrap().body["name"], "Mine");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_overwritten_or_hidden_by_mistake() {
    let system = system().await;
    std::fs::write(system.agent_configs().join("ours.yaml"), "id: ours\nname: Ours\n").unwrap();
    system.configs().files().reload().await;
    let api = system.api("key");
    for id in ["code-assistant", "ours", "validate", "inline-1"] {
        for path in ["/api/configs", "/api/configs/custom"] {
            let refused = api.post(path, mine(id)).await.unwrap();
            assert_eq!(refusal(&refused), (409, "config_reserved"), "{id}");
        }
    }
    for id in ["code-assistant", "ours", "inline-1"] {
        let removed = api.delete(&format!("/api/configs/{id}")).await.unwrap();
        assert_eq!(refusal(&removed), (404, "config_not_found"), "{id}");
    }
    assert_eq!(api.post("/api/configs", mine("a")).await.unwrap().status, StatusCode::CREATED);
    assert_eq!(refusal(&api.post("/api/configs", mine("a")).await.unwrap()), (409, "config_exists"));
    assert_eq!(
        api.post("/api/configs/custom", mine("a")).await.unwrap().status,
        StatusCode::OK,
        "that one saves"
    );
    let nobody = reqwest::Client::new().post(api.url("/api/configs")).json(&mine("b")).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_one_owner_has_nobody_else_changes_and_a_file_that_comes_later_hides_nothing() {
    let system = system().await;
    let (api, other) = (system.api("mine"), system.api("yours"));
    assert_eq!(api.post("/api/configs", mine("a")).await.unwrap().status, StatusCode::CREATED);
    let mut theirs = mine("a");
    theirs["name"] = "Theirs".into();
    let changed = send(&other, Method::PUT, "/api/configs/a", &theirs, None).await;
    assert_eq!(refusal(&changed), (404, "config_not_found"));
    for path in ["/api/configs/a", "/api/configs/custom/a"] {
        assert_eq!(refusal(&other.delete(path).await.unwrap()), (404, "config_not_found"), "{path}");
    }
    // Under the same id, each has and removes its own.
    assert_eq!(other.post("/api/configs/custom", theirs).await.unwrap().status, StatusCode::OK);
    assert_eq!(other.get("/api/configs/a").await.unwrap().body["name"], "Theirs");
    assert_eq!(other.delete("/api/configs/a").await.unwrap().status, StatusCode::OK);
    assert_eq!(api.get("/api/configs/a").await.unwrap().body["name"], "Mine");

    std::fs::write(system.agent_configs().join("a.yaml"), "id: a\nname: Everybody's\n").unwrap();
    system.configs().files().reload().await;
    assert_eq!(api.get("/api/configs/a").await.unwrap().body["name"], "Mine");
    assert_eq!(other.get("/api/configs/a").await.unwrap().body["name"], "Everybody's");
    assert_eq!(refusal(&other.post("/api/configs", mine("a")).await.unwrap()), (409, "config_reserved"));
    let removed = api.delete("/api/configs/a").await.unwrap();
    assert_eq!(removed.status, StatusCode::OK, "one's own can still be removed: {}", removed.body);
    assert_eq!(api.get("/api/configs/a").await.unwrap().body["name"], "Everybody's");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn seeded_files_that_would_lie_outside_or_are_too_much_are_refused_by_name() {
    let system = system().await;
    let api = system.api("key");
    let many: serde_json::Map<_, _> = (0..101).map(|number| (number.to_string(), "".into())).collect();
    for files in [
        json!({ "../up": "x" }),
        json!({ "/etc/passwd": "x" }),
        json!({ "a/../../b": "x" }),
        json!({ "a\nb": "x" }),
        json!({ "a": "x", "a/b": "y" }),
        json!({ "a": 5 }),
        json!(["a"]),
        many.into(),
    ] {
        let mut config = mine("a");
        config["files"] = files.clone();
        let tried = api.post("/api/configs/validate", config.clone()).await.unwrap();
        assert_eq!((tried.status, &tried.body["valid"]), (StatusCode::OK, &json!(false)), "{files}");
        let field = tried.body["errors"][0]["field"].as_str().unwrap();
        assert!(field.starts_with("files"), "{files}: {}", tried.body);
        assert_eq!(
            refusal(&api.post("/api/configs", config.clone()).await.unwrap()),
            (400, "config_invalid")
        );
        let inline =
            api.post("/api/agents/launch", json!({ "api_key": "key", "config": config })).await.unwrap();
        assert_eq!(refusal(&inline), (400, "config_invalid"), "{files}");
    }
    assert_eq!(api.get("/api/configs/custom/list").await.unwrap().body["total"], 0);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_schema_that_is_served_is_the_file_that_presets_name_for_editors() {
    let system = system().await;
    let served = system.api("key").get("/api/configs/schema").await.unwrap().body;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/presets");
    let mut seen = 0;
    for preset in std::fs::read_dir(&folder).unwrap() {
        let text = std::fs::read_to_string(preset.unwrap().path()).unwrap();
        let named = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let schema = std::fs::read_to_string(folder.join(named)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&schema).unwrap(), served);
        seen += 1;
    }
    assert_eq!(seen, 5);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_change_needs_the_revision_that_was_seen_where_that_is_said() {
    let system = system().await;
    let api = system.api("key");
    let missing = send(&api, Method::PUT, "/api/configs/a", &mine("a"), None).await;
    assert_eq!(refusal(&missing), (404, "config_not_found"));
    let made = api.post("/api/configs", mine("a")).await.unwrap();
    let first = made.headers["etag"].to_str().unwrap().to_owned();
    let mut changed = mine("a");
    changed["name"] = "Changed".into();
    let second = send(&api, Method::PUT, "/api/configs/a", &changed, Some(&first)).await;
    assert_eq!(
        (second.status, &second.body["config"]["name"]),
        (StatusCode::OK, &json!("Changed")),
        "{}",
        second.body
    );
    let late = send(&api, Method::PUT, "/api/configs/a", &changed, Some(&first)).await;
    assert_eq!(refusal(&late), (412, "config_changed"));
    let differs = send(&api, Method::PUT, "/api/configs/a", &mine("b"), None).await;
    assert_eq!(refusal(&differs), (400, "config_id_differs"));
    let late = send(&api, Method::DELETE, "/api/configs/a", &json!(null), Some(&first)).await;
    assert_eq!(refusal(&late), (412, "config_changed"));
    let tag = second.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(
        send(&api, Method::DELETE, "/api/configs/a", &json!(null), Some(&tag)).await.status,
        StatusCode::OK
    );
    assert_eq!(refusal(&api.delete("/api/configs/custom/a").await.unwrap()), (404, "config_not_found"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn no_secret_is_kept_and_the_server_s_own_are_out_of_reach() {
    let system = system().await;
    let api = system.api("key");
    let mut secret = mine("a");
    secret["mcp_servers"]["remote"]["headers"]["Authorization"] = "Bearer hush-73".into();
    let refused = api.post("/api/configs", secret).await.unwrap();
    assert_eq!(refusal(&refused), (400, "config_secret"));
    assert_eq!(refused.body["errors"][0]["field"], "mcp_servers.remote.headers.Authorization");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("mcp_env")
            && !refused.body.to_string().contains("hush-73")
    );

    // What the server's environment has is in no configuration's reach.
    let curious =
        json!({ "id": "curious", "name": "C", "driver": "scripted", "env": { "STOLEN": "${PATH}" } });
    assert_eq!(api.post("/api/configs", curious).await.unwrap().status, StatusCode::CREATED);
    let session = api.launch_with(json!({ "config_id": "curious" })).await.unwrap();
    let warnings = session.launched["warnings"].to_string();
    assert!(
        warnings.contains("env.STOLEN") && warnings.contains("there is no value for `PATH`"),
        "{warnings}"
    );
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_document_is_checked_without_being_kept() {
    let system = system().await;
    let api = system.api("key");
    let post = |kind: &str, body: &str| {
        let request = api
            .request(Method::POST, "/api/configs/validate")
            .header("content-type", kind)
            .body(body.to_owned());
        let api = api.clone();
        async move { api.send(request).await.unwrap() }
    };
    let good = post("application/yaml", "id: x\nname: X\ntypo: 1\nmax_turns: 5\n").await;
    assert_eq!((&good.body["valid"], &good.body["errors"]), (&json!(true), &json!([])), "{}", good.body);
    assert_eq!(
        (&good.body["config"]["max_turns"], &good.body["warnings"][0]["line"]),
        (&json!(5), &json!(3))
    );
    let bad = post(
        "application/json",
        "{\"id\": \"X\", \"mcp_servers\": {\"m\": {\"type\": \"websocket\", \"url\": \"ws://x\"}}}",
    )
    .await;
    assert_eq!(
        (bad.status, &bad.body["valid"], &bad.body["config"]),
        (StatusCode::OK, &json!(false), &Value::Null)
    );
    let fields: Vec<_> =
        bad.body["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["id", "name", "mcp_servers.m.type"]);
    let taken = post("text/yaml", "id: code-assistant\nname: X").await;
    assert_eq!((&taken.body["valid"], &taken.body["errors"][0]["field"]), (&json!(false), &json!("id")));
    let secret = post("text/yaml", "id: x\nname: X\nenv: {MY_TOKEN: hush}").await;
    assert_eq!(
        (&secret.body["valid"], &secret.body["errors"][0]["field"]),
        (&json!(false), &json!("env.MY_TOKEN"))
    );
    let broken = post("application/yaml", "id: [x").await;
    assert_eq!((broken.status, &broken.body["valid"]), (StatusCode::OK, &json!(false)));
    assert_eq!(refusal(&post("application/json", "{").await), (400, "invalid_json"));
    assert_eq!(refusal(&post("text/plain", "id: x").await), (415, "unsupported_media_type"));
    assert_eq!(refusal(&post("application/yaml", &"x".repeat(256 * 1024 + 1)).await), (413, "too_large"));
    assert_eq!(api.get("/api/configs/custom/list").await.unwrap().body["total"], 0);
    let refused = api
        .post(
            "/api/configs/custom",
            json!({ "id": "m", "name": "M", "mcp_servers": { "m": { "type": "websocket" } } }),
        )
        .await
        .unwrap();
    assert_eq!(refusal(&refused), (400, "config_invalid"));
    let schema = api.get("/api/configs/schema").await.unwrap();
    assert_eq!(schema.headers["content-type"], "application/schema+json");
    assert_eq!(schema.body["required"], json!(["id", "name"]));
    system.stop().await.unwrap();
}

/// With processes of this machine, which have a workspace.
#[tokio::test]
async fn own_configurations_and_inline_sessions_go_on_after_the_server_was_killed_and_files_are_written_once()
{
    Installation::with(Plan::on(Provider::Process), async |installation| {
        let api = installation.api("key");
        let mut config = mine("files");
        config["files"] = json!({ "docs/read.me": "as configured", "/workspace/top.txt": "top" });
        assert_eq!(api.post("/api/configs", config.clone()).await?.status, StatusCode::CREATED);
        let launch = json!({ "config_id": "files", "mcp_env": { "local": { "TOKEN": "hidden-73" } } });
        let session = api.launch_with(launch.clone()).await?;
        let root = workspace(installation, "docs/read.me")?;
        assert_eq!(std::fs::read_to_string(root.join("docs/read.me"))?, "as configured");
        assert_eq!(std::fs::read_to_string(root.join("top.txt"))?, "top");
        std::fs::write(root.join("docs/read.me"), "edited")?;
        std::fs::remove_file(root.join("top.txt"))?;

        config
            .as_object_mut()
            .unwrap()
            .retain(|field, _| field != "id" && field != "name" && field != "files");
        let inline = json!({ "config": config, "mcp_env": launch["mcp_env"] });
        let other = api.launch_with(inline.clone()).await?;

        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        assert_eq!(api.get("/api/configs/files").await?.body["name"], "Mine");
        assert_eq!(refusal(&session.post("restart", json!({})).await?), (409, "credentials_required"));
        let restarted = session.post("restart", json!({ "mcp_env": launch["mcp_env"] })).await?;
        assert_eq!(restarted.status, StatusCode::OK, "{}", restarted.body);
        assert_eq!(std::fs::read_to_string(root.join("docs/read.me"))?, "edited");
        assert!(!root.join("top.txt").exists(), "files are put there once");

        assert_eq!(refusal(&other.post("restart", json!({})).await?), (409, "credentials_required"));
        let mut wrong = inline.clone();
        wrong["config"]["allowed_tools"] = json!(["Bash"]);
        assert_eq!(refusal(&other.post("restart", wrong).await?), (409, "config_differs"));
        let restarted = other.post("restart", inline).await?;
        assert_eq!(restarted.status, StatusCode::OK, "{}", restarted.body);
        assert!(!restarted.body.to_string().contains("hidden-73"));
        Ok(())
    })
    .await
    .unwrap();
}

/// The workspace that has this file, among those of the process provider.
fn workspace(installation: &Installation, file: &str) -> anyhow::Result<std::path::PathBuf> {
    let mut folders = vec![installation.state_folder().unwrap()];
    while let Some(folder) = folders.pop() {
        if folder.join(file).is_file() {
            return Ok(folder);
        }
        for entry in std::fs::read_dir(&folder)?.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    anyhow::bail!("no workspace has {file}")
}
