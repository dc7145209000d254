//! Agents as models.

use agcluster_core::conformance::Outcome;
use anyhow::{Context, ensure};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::place::{Place, fine, frames, get};

const TURN: &str = "@@think hm\n@@tool Bash {\"command\": \"ls\"} => a.txt\n@@say it is done";

/// What a client asks, in a conversation of its own.
fn ask(place: &Place<'_>, path: &str, mut body: Value, streams: bool) -> RequestBuilder {
    body["model"] = "scripted".into();
    body["stream"] = streams.into();
    body["max_tokens"] = 1000.into();
    place.api.request(Method::POST, path).header("x-conversation-id", "c").json(&body)
}

fn messages(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": text }] })
}

pub(crate) async fn openai_s_chat_answers_and_streams(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let path = "/v1/chat/completions";
    let models = get(&place.api, "/v1/models").await?;
    ensure!(models.to_string().contains("\"scripted\""), "{models}");
    let whole = fine(place.api.send(ask(place, path, messages(TURN), false)).await?)?;
    let message = &whole["choices"][0]["message"];
    ensure!(message["content"] == "it is done", "{whole}");
    let reasoning = message["reasoning_content"].as_str().unwrap_or_default();
    ensure!(reasoning.contains("hm") && reasoning.contains("→ a.txt"), "{whole}");
    ensure!(whole["usage"]["total_tokens"].is_u64(), "{whole}");

    let chunks = frames(ask(place, path, messages(TURN), true)).await?;
    let said = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    ensure!(said.collect::<String>() == "it is done", "{chunks:?}");
    ensure!(chunks.last() == Some(&"[DONE]".into()), "{chunks:?}");
    let unknown = json!({ "model": "gpt-4o", "messages": messages("hi")["messages"] });
    let unknown = place.api.post(path, unknown).await?;
    ensure!(unknown.status == 404 && unknown.body["error"]["code"] == "model_not_found", "{}", unknown.body);
    Ok(Outcome::Passed)
}

pub(crate) async fn openai_s_responses_answer_stream_and_go_on(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let path = "/v1/responses";
    let whole = fine(place.api.send(ask(place, path, json!({ "input": TURN }), false)).await?)?;
    ensure!(whole["status"] == "completed" && whole["output"].to_string().contains("it is done"), "{whole}");
    let id = whole["id"].as_str().context("a response has an id")?;
    let goes_on = json!({ "input": "@@recall", "previous_response_id": id });
    let events = frames(ask(place, path, goes_on, true)).await?;
    let last = events.last().context("a stream has events")?;
    ensure!(last["type"] == "response.completed" && last.to_string().contains("it is done"), "{last}");
    let again = get(&place.api, &format!("{path}/{id}")).await?;
    ensure!(again["output"] == whole["output"], "{again}");
    Ok(Outcome::Passed)
}

pub(crate) async fn anthropic_s_messages_answer_and_stream(place: &Place<'_>) -> anyhow::Result<Outcome> {
    let path = "/v1/messages";
    let whole = fine(place.api.send(ask(place, path, messages(TURN), false)).await?)?;
    let blocks = whole["content"].as_array().context("a message has blocks")?;
    ensure!(whole["stop_reason"] == "end_turn", "{whole}");
    ensure!(blocks.last().is_some_and(|block| block["text"] == "it is done"), "{whole}");
    let events = frames(ask(place, path, messages(TURN), true)).await?;
    let said = events.iter().filter_map(|event| event["delta"]["text"].as_str());
    ensure!(said.collect::<String>() == "it is done", "{events:?}");
    ensure!(events.last().is_some_and(|event| event["type"] == "message_stop"), "{events:?}");
    Ok(Outcome::Passed)
}
