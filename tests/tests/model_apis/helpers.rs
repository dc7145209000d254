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

/// Of each kind one, by what Open WebUI says of it.
const TASKS: [(&str, &str); 7] = [
    ("title_generation", r#"{"title":"Boil eggs"}"#),
    ("tags_generation", r#"{"tags":["General"]}"#),
    ("follow_up_generation", r#"{"follow_ups":[]}"#),
    ("query_generation", r#"{"queries":[]}"#),
    ("autocomplete_generation", r#"{"text":""}"#),
    ("emoji_generation", "\u{1f4ac}"),
    ("function_calling", r#"{"tool_calls":[]}"#),
];

/// Where no container can be made, an agent cannot answer.
#[tokio::test]
async fn what_is_asked_beside_the_conversation_is_answered_where_no_container_can_be_made() {
    let system = System::start_without_engine().await.unwrap();
    let api = system.api("key");
    for (task, expected) in TASKS {
        for path in [CHAT, "/chat/completions"] {
            let answer = send(&api, path, &[("x-openwebui-task", task)], ask(TITLE)).await;
            assert_eq!(said(&answer), expected, "{task}");
        }
    }
    assert_eq!(said(&send(&api, CHAT, &[], ask(TITLE)).await), r#"{"title":"Boil eggs"}"#);
    let librechat = "Provide a concise, 5-word-or-less title for the conversation\n\nConversation:\nUser: fix my build\nAI: Done.";
    assert_eq!(said(&send(&api, CHAT, &[], ask(librechat)).await), "Fix my build");
    let mut own = ask("boil eggs");
    own["model"] = "code-assistant".into();
    assert!(send(&api, CHAT, &[], own).await.status.is_server_error());
    system.stop().await.unwrap();
}
