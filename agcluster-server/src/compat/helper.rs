//! What chat programs ask a model beside the conversation: titles, tags, what to ask next. No agent is bothered with it.
//!
//! The answers follow from the request, and have the shape that the program reads.

use std::collections::HashMap;

use axum::http::HeaderMap;
use serde_json::{Value, json};

/// Where Open WebUI can be told to say what a request is for.
const TASK: &str = "x-openwebui-task";
/// Words of a title.
const WORDS: usize = 6;
/// The longest title.
const TITLE: usize = 60;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Title,
    Tags,
    FollowUps,
    Queries,
    Completion,
    ImagePrompt,
    Emoji,
    ToolChoice,
    /// A title as bare text.
    PlainTitle,
    /// A title and the conversation's language.
    LanguageAndTitle,
}

/// The answer to a request that is no conversation: given the texts of its messages, system messages included, and what it
/// says of itself in its metadata.
pub(crate) fn answer(
    headers: &HeaderMap,
    metadata: Option<&HashMap<String, Value>>,
    texts: &[String],
) -> Option<String> {
    let last = texts.last()?;
    let said = headers.get(TASK).and_then(|task| task.to_str().ok());
    let said = said.or_else(|| metadata?.get("task")?.as_str());
    let task = said.and_then(named).or_else(|| recognised(texts))?;
    Some(match task {
        Task::Title => json!({ "title": title(last) }).to_string(),
        Task::Tags => json!({ "tags": ["General"] }).to_string(),
        Task::FollowUps => json!({ "follow_ups": [] }).to_string(),
        Task::Queries => json!({ "queries": [] }).to_string(),
        Task::Completion => json!({ "text": "" }).to_string(),
        Task::ImagePrompt => json!({ "prompt": title(last) }).to_string(),
        Task::ToolChoice => json!({ "tool_calls": [] }).to_string(),
        Task::Emoji => "💬".to_owned(),
        Task::PlainTitle => title(last),
        Task::LanguageAndTitle => json!({ "language": "English", "title": title(last) }).to_string(),
    })
}

/// By the name that Open WebUI has for it.
fn named(task: &str) -> Option<Task> {
    // Some versions write the name of the enumeration before it.
    let task = task.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    Some(match &*task {
        "title_generation" => Task::Title,
        "tags_generation" => Task::Tags,
        "follow_up_generation" => Task::FollowUps,
        "query_generation" => Task::Queries,
        "autocomplete_generation" => Task::Completion,
        "image_prompt_generation" => Task::ImagePrompt,
        "emoji_generation" => Task::Emoji,
        "function_calling" => Task::ToolChoice,
        _ => return None,
    })
}

/// By the prompt. Each is known by several marks, so that nobody's own request is taken for one.
fn recognised(texts: &[String]) -> Option<Task> {
    let last = texts.last()?.trim_start();
    let has = |mark: &str| last.contains(mark);
    if last.starts_with("### Task:") && has("<chat_history>") && has("</chat_history>") {
        let by_key = [
            ("\"title\"", Task::Title),
            ("\"tags\"", Task::Tags),
            ("\"follow_ups\"", Task::FollowUps),
            ("\"queries\"", Task::Queries),
            ("\"text\"", Task::Completion),
            ("\"prompt\"", Task::ImagePrompt),
        ];
        let instructions = last.split("<chat_history>").next().unwrap_or_default();
        return by_key.iter().find(|(key, _)| instructions.contains(key)).map(|(_, task)| *task);
    }
    if last.starts_with("Provide a concise, 5-word-or-less title for the conversation")
        && has("Conversation:")
    {
        return Some(Task::PlainTitle);
    }
    if last.starts_with("Analyze this conversation and provide:")
        && has("language of the conversation")
        && has("concise title")
    {
        return Some(Task::LanguageAndTitle);
    }
    if last.starts_with("Your task is to reflect the speaker's likely facial expression") && has("emoji") {
        return Some(Task::Emoji);
    }
    let first = texts.first()?.trim_start();
    let chooses = first.starts_with("Available Tools:") && first.contains("no tools match");
    (chooses && texts.len() > 1).then_some(Task::ToolChoice)
}

/// The first words that the user said in the conversation that a request quotes.
fn title(text: &str) -> String {
    let quoted = text.rsplit_once("<chat_history>").map(|(_, rest)| rest.split("</chat_history>").next());
    let quoted = quoted.flatten().or_else(|| text.rsplit_once("Conversation:").map(|(_, rest)| rest));
    let quoted = quoted.unwrap_or(text).trim();
    let said = ["USER:", "User:", "Human:"].iter().find_map(|who| quoted.strip_prefix(who)).unwrap_or(quoted);
    let until = ["\nASSISTANT:", "\nAI:", "\nAssistant:", "\nUSER:", "\nUser:"];
    let end = until.iter().filter_map(|who| said.find(who)).min().unwrap_or(said.len());
    let words = said[..end].split_whitespace().take(WORDS);
    let title = words.map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()));
    let title = title.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut letters = title.chars().take(TITLE);
    match letters.next() {
        None => "New chat".to_owned(),
        Some(first) => first.to_uppercase().chain(letters).collect(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn asked(texts: &[&str]) -> Option<String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        answer(&HeaderMap::new(), None, &texts)
    }

    /// A prompt as Open WebUI makes it, which wants this key.
    fn open_webui(key: &str) -> String {
        format!(
            "### Task:\nDo it.\n### Output:\nJSON format: {{ \"{key}\": … }}\n### Chat History:\n<chat_history>\nUSER: how do I boil \"eggs\", please? I am hungry\nASSISTANT: In water.\n</chat_history>"
        )
    }

    #[test]
    fn open_webui_gets_what_it_reads() {
        let title = r#"{"title":"How do I boil eggs please"}"#;
        assert_eq!(asked(&[&open_webui("title")]).unwrap(), title);
        assert_eq!(asked(&[&open_webui("tags")]).unwrap(), r#"{"tags":["General"]}"#);
        assert_eq!(asked(&[&open_webui("follow_ups")]).unwrap(), r#"{"follow_ups":[]}"#);
        assert_eq!(asked(&[&open_webui("queries")]).unwrap(), r#"{"queries":[]}"#);
        assert_eq!(asked(&[&open_webui("text")]).unwrap(), r#"{"text":""}"#);
        let choose = ["Available Tools: []\nReturn an empty string if no tools match the query.", "Query: x"];
        assert_eq!(asked(&choose).unwrap(), r#"{"tool_calls":[]}"#);
    }

    #[test]
    fn librechat_gets_a_bare_title() {
        let convo = "Conversation:\nUser: fix my build\nAI: Done.";
        let prompt = format!("Provide a concise, 5-word-or-less title for the conversation, …\n\n{convo}");
        assert_eq!(asked(&[&prompt]).unwrap(), "Fix my build");
        let structured = format!(
            "Analyze this conversation and provide:\n1. The detected language of the conversation\n2. A concise title\n\n{convo}"
        );
        assert_eq!(asked(&[&structured]).unwrap(), r#"{"language":"English","title":"Fix my build"}"#);
    }

    #[test]
    fn what_a_request_says_of_itself_counts_first() {
        let header = (HeaderName::from_static(TASK), HeaderValue::from_static("tags_generation"));
        let headers = HeaderMap::from_iter([header]);
        let texts = ["a prompt of one's own".to_owned()];
        assert_eq!(answer(&headers, None, &texts).unwrap(), r#"{"tags":["General"]}"#);
        let metadata = HashMap::from([("task".to_owned(), json!("title_generation"))]);
        let title = answer(&HeaderMap::new(), Some(&metadata), &texts).unwrap();
        assert_eq!(title, r#"{"title":"A prompt of one's own"}"#);
        assert_eq!(named("TASKS.QUERY_GENERATION"), Some(Task::Queries));
    }

    #[test]
    fn nobody_s_own_request_is_taken_for_one() {
        let own = [
            "### Task:\nWrite a program that returns { \"title\": \"x\" }",
            "Generate a title for this chat",
            "Provide a concise title",
            "Analyze this conversation and provide: a summary",
            "<chat_history>\nUSER: hi\n</chat_history>",
        ];
        for text in own {
            assert_eq!(asked(&[text]), None, "{text}");
        }
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn a_conversation_of_nothing_has_a_title() {
        assert_eq!(title("<chat_history>\nUSER: ?!\n</chat_history>"), "New chat");
    }
}
