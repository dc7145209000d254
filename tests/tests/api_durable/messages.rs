//! The transcript, in pages and as a file.

use super::*;

#[tokio::test]
async fn a_transcript_is_read_page_by_page() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let script = "@@think hm\n@@tool Bash {\"command\": \"ls\"} => file\n@@say done";
    session.ask(script).await.unwrap();
    session.ask("again").await.unwrap();
    session.ask("@@fail model_api on fire").await.unwrap();
    let path = format!("/api/agents/{}/messages", session.id);
    let whole = api.get(&path).await.unwrap().body;
    let all = whole["messages"].as_array().unwrap();
    assert_eq!(whole["next"], Value::Null);
    let said = |message: &Value| message["blocks"][0]["text"].as_str().unwrap_or_default().to_owned();
    let of_user = |message: &&Value| message["role"] == "user";
    let prompts: Vec<_> = all.iter().filter(of_user).map(said).collect();
    assert_eq!(prompts, [script, "again", "@@fail model_api on fire"]);
    let blocks: Vec<&Value> = all
        .iter()
        .filter(|message| message["role"] == "assistant")
        .flat_map(|m| m["blocks"].as_array().unwrap())
        .collect();
    let call = blocks.iter().find(|block| block["type"] == "tool_call").unwrap();
    assert_eq!((&call["name"], &call["result"]["content"]), (&json!("Bash"), &json!("file")));
    assert!(blocks.iter().any(|block| block["type"] == "thinking" && block["text"] == "hm"));
    assert_eq!(all.last().unwrap()["end"]["outcome"], "failed");
    assert!(all.iter().all(|message| message["complete"] == true && message["at"].is_string()));

    let (mut pages, mut after) = (Vec::new(), 0);
    loop {
        let page = api.get(&format!("{path}?limit=2&after={after}")).await.unwrap().body;
        pages.extend(page["messages"].as_array().unwrap().clone());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(&pages, all);
    for bad in ["limit=0", "limit=201", "limit=x"] {
        assert_eq!(
            refusal(&api.get(&format!("{path}?{bad}")).await.unwrap()),
            (400, "invalid_query"),
            "{bad}"
        );
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_that_grows_is_given_again_until_it_is_complete() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let running = job(&api, &session, "@@say first\n@@gate go\n@@say second").await;
    session.events(0).await.unwrap().until("question_asked").await.unwrap();
    let path = format!("/api/agents/{}/messages", session.id);
    let page = api.get(&path).await.unwrap().body;
    assert_eq!(page["messages"][1]["complete"], false, "{page}");
    open_gate(&session, "go").await;
    end_of(&api, &running).await;
    let later = api.get(&format!("{path}?after={}", page["cursor"])).await.unwrap().body;
    let message = &later["messages"][0];
    assert_eq!((&message["first"], &message["complete"]), (&page["messages"][1]["first"], &json!(true)));
    assert!(message["blocks"].to_string().contains("first"), "{message}");
    assert!(later["messages"][1]["blocks"].to_string().contains("second"), "{later}");
    let head = api.get(&format!("{path}?after={}", later["cursor"])).await.unwrap().body;
    assert_eq!(head["messages"], json!([]));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_transcript_is_exported_whole() {
    let system = system().await;
    let (api, other) = (system.api("key").described(), system.api("yours"));
    let session = scripted(&api).await;
    session.ask("@@tool Bash {\"command\": \"ls\"} => ```\n@@say done").await.unwrap();
    // More than one read of the journal holds.
    session.ask("@@stream 2000").await.unwrap();
    let id = &session.id;
    let all = api.get(&format!("/api/agents/{id}/messages?limit=200")).await.unwrap().body;
    let export =
        |format: &'static str| api.request(Method::GET, &format!("/api/agents/{id}/export{format}")).send();
    let jsonl = export("?format=jsonl").await.unwrap();
    assert_eq!(jsonl.headers()["content-type"], "application/x-ndjson");
    assert!(jsonl.headers()["content-disposition"].to_str().unwrap().contains(&format!("{id}.jsonl")));
    let lines: Vec<Value> =
        jsonl.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(lines), all["messages"]);
    let markdown = export("?format=markdown").await.unwrap();
    assert_eq!(markdown.headers()["content-type"], "text/markdown; charset=utf-8");
    let text = markdown.text().await.unwrap();
    assert!(text.starts_with(&format!("# Session {id}\n")), "{text}");
    for part in ["\n## User, ", "\n## Assistant, ", "**Tool Bash**", "\n````\n```\n````\n", "\ndone\n"] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    let bad = api.get(&format!("/api/agents/{id}/export?format=pdf")).await.unwrap();
    assert_eq!(refusal(&bad), (400, "invalid_query"));
    for route in ["messages", "export"] {
        let theirs = other.get(&format!("/api/agents/{id}/{route}")).await.unwrap();
        assert_eq!(refusal(&theirs), (404, "session_not_found"), "{route}");
    }
    system.stop().await.unwrap();
}
