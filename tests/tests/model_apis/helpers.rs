//! What chat programs ask beside the conversation.

use super::*;

/// A title as Open WebUI asks for it.
const TITLE: &str = "### Task:\nGenerate a title.\n### Output:\nJSON format: { \"title\": \"your concise title here\" }\n### Chat History:\n<chat_history>\nUSER: boil eggs\nASSISTANT: ok\n</chat_history>";

#[tokio::test]
async fn titles_are_made_without_a_container() {
    let system = system().await;
    let api = system.api("key");
    let mut body = ask(TITLE);
    // Chat programs name another model for it, and the conversation that it is about.
    body["model"] = "some-small-model".into();
    let answer = send(&api, CHAT, &[("x-openwebui-chat-id", "c")], body.clone()).await;
    assert_eq!(said(&answer), r#"{"title":"Boil eggs"}"#);
    body["stream"] = true.into();
    let chunks = frames(post(&api, CHAT, &[], &body)).await;
    assert_eq!(chunks[1]["choices"][0]["delta"]["content"], r#"{"title":"Boil eggs"}"#);
    assert_eq!(chunks.last().unwrap(), "[DONE]");
    let tags = send(&api, CHAT, &[("x-openwebui-task", "tags_generation")], ask("tags, please")).await;
    assert_eq!(said(&tags), r#"{"tags":["General"]}"#);
    assert_eq!(sessions(&api).await.len(), 0);
    system.stop().await.unwrap();
}
