//! What an answer says that it cost.

use super::*;

/// Tokens in, tokens out and both, as each API names them.
const NAMES: [(&str, [&str; 2]); 4] = [
    (CHAT, ["prompt_tokens", "completion_tokens"]),
    ("/chat/completions", ["prompt_tokens", "completion_tokens"]),
    ("/v1/responses", ["input_tokens", "output_tokens"]),
    ("/v1/messages", ["input_tokens", "output_tokens"]),
];

/// The usage that the last of a stream's data with one has.
fn last_usage(data: &[Value]) -> Value {
    let of = |datum: &Value| {
        [&datum["usage"], &datum["response"]["usage"]].into_iter().find(|usage| usage.is_object()).cloned()
    };
    data.iter().rev().find_map(of).unwrap()
}

/// With the real agent program, whose model API counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_has_the_usage_of_its_turn_whole_and_as_a_stream() {
    let system = coder(Provider::Process).await;
    let api = system.api(KEY);
    for (path, [input, output]) in NAMES {
        let mut body = ask("@@bash echo hi\n@@text Done.");
        body["model"] = "coder".into();
        body["max_tokens"] = 1000.into();
        body["input"] = "@@bash echo hi\n@@text Done.".into();
        let headers = [("x-conversation-id", "c")];
        let whole = send(&api, path, &headers, body.clone()).await;
        assert_eq!(whole.status, StatusCode::OK, "{}", whole.body);
        let turn = whole.headers["x-turn-id"].to_str().unwrap();
        let used = api.get(&format!("/api/jobs/{turn}")).await.unwrap().body["usage"].clone();
        let tokens = |usage: &Value, name: &str| usage[name].as_u64().unwrap();
        let cached = tokens(&used, "cache_read_tokens") + tokens(&used, "cache_write_tokens");
        // Anthropic counts apart what came of the model's cache.
        let apart = if path == "/v1/messages" { cached } else { 0 };
        let told = &whole.body["usage"];
        assert!(tokens(told, output) > 0 && tokens(told, input) > 0, "{path}: {told}");
        assert_eq!(tokens(told, output), tokens(&used, "output_tokens"), "{path}: {told} {used}");
        assert_eq!(
            tokens(told, input) + apart,
            tokens(&used, "input_tokens") + cached,
            "{path}: {told} {used}"
        );
        if path != "/v1/messages" {
            assert_eq!(tokens(told, "total_tokens"), tokens(&used, "total_tokens"), "{path}");
        }
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
        let streamed = last_usage(&frames(post(&api, path, &headers, &body)).await);
        assert!(tokens(&streamed, output) > 0, "{path}: {streamed}");
    }
    system.stop().await.unwrap();
}
