//! What counts when a request names its session in several ways.

use super::*;

/// The ways, in the order of the documentation.
const WAYS: [&str; 5] =
    ["X-Session-ID", "X-Conversation-ID", "X-OpenWebUI-Chat-Id", "previous_response_id", "user"];
const DOCUMENTED: &str = include_str!("../../../docs/integrations/openai-sdk.md");

/// A request that names its session in these ways, each with its own value.
fn named(api: &Api, path: &str, ways: &[(&str, &str)]) -> RequestBuilder {
    let mut body = ask("@@say hi");
    body["input"] = "@@say hi".into();
    body["max_tokens"] = 1000.into();
    let mut request = api.request(Method::POST, path);
    for (way, value) in ways {
        if way.starts_with("X-") {
            request = request.header(*way, *value);
        } else if *way == "user" && path == "/v1/messages" {
            body["metadata"] = json!({ "user_id": value });
        } else {
            body[*way] = (*value).into();
        }
    }
    request.json(&body)
}

async fn led_to(api: &Api, path: &str, ways: &[(&str, &str)]) -> String {
    let answer = api.send(named(api, path, ways)).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{path} {ways:?}: {}", answer.body);
    session_of(&answer)
}

#[tokio::test]
async fn of_any_two_ways_to_name_a_session_the_one_that_is_documented_first_counts() {
    let system = system().await;
    let api = system.api("key");
    let launched = scripted(&api).await;
    let stored = api.send(named(&api, "/v1/responses", &[])).await.unwrap();
    let stored = stored.body["id"].as_str().unwrap();
    let value = |way| match way {
        "X-Session-ID" => launched.id.as_str(),
        "previous_response_id" => stored,
        _ => "same",
    };
    for path in ["/v1/responses", CHAT, "/chat/completions", "/v1/messages"] {
        let ways = WAYS.into_iter().filter(|way| path == "/v1/responses" || *way != "previous_response_id");
        let ways: Vec<_> = ways.map(|way| (way, value(way))).collect();
        let mut alone = Vec::new();
        for way in &ways {
            alone.push(led_to(&api, path, &[*way]).await);
        }
        let different: std::collections::HashSet<_> = alone.iter().collect();
        assert_eq!(different.len(), ways.len(), "{path}: each alone leads to a session of its own");
        for (nth, first) in ways.iter().enumerate() {
            for second in &ways[nth + 1..] {
                let both = led_to(&api, path, &[*second, *first]).await;
                assert_eq!(both, alone[nth], "{path}: {} before {}", first.0, second.0);
            }
        }
        assert_eq!(led_to(&api, path, &ways).await, alone[0], "{path}");
    }
    system.stop().await.unwrap();
}

#[test]
fn the_order_is_documented() {
    for (nth, way) in WAYS.iter().enumerate() {
        assert!(DOCUMENTED.contains(&format!("\n{}. `{way}`", nth + 1)), "{way}");
    }
}
