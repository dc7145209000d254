//! What is wrong with a request, in the shape of the API that it was made to.

use super::*;

#[tokio::test]
async fn a_request_without_a_key_is_refused() {
    let system = system().await;
    let api = system.api("key");
    let client = reqwest::Client::new();
    for path in [CHAT, "/chat/completions", "/v1/responses", "/v1/messages"] {
        let response = client.post(api.url(path)).json(&ask("hi")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["type"], "authentication_error", "{path}");
        assert_eq!(body["error"]["code"], "unauthorized", "{path}");
    }
    let models = client.get(api.url("/v1/models")).send().await.unwrap();
    assert_eq!(models.status(), StatusCode::UNAUTHORIZED);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_those_there_are() {
    let system = system().await;
    let api = system.api("key");
    for model in ["gpt-4o", "", "scripted/claude-sonnet-4-5", "code-assistant/gpt-4o", "../etc"] {
        let mut body = ask("hi");
        body["model"] = model.into();
        body["max_tokens"] = 100.into();
        body["input"] = "hi".into();
        for path in [CHAT, "/chat/completions", "/v1/responses", "/v1/messages"] {
            let refused = send(&api, path, &[], body.clone()).await;
            assert_eq!((error(&refused).0, error(&refused).2), (404, "model_not_found"), "{model} {path}");
            let message = refused.body["error"]["message"].as_str().unwrap();
            assert!(message.contains("code-assistant") && message.contains("scripted"), "{message}");
        }
        let refused = send(&api, CHAT, &[("x-conversation-id", "c")], body).await;
        assert_eq!(refused.body["error"]["param"], "model");
    }
    assert_eq!(sessions(&api).await.len(), 0);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_that_cannot_be_done_names_the_parameter_and_launches_nothing() {
    let system = system().await;
    let api = system.api("key");
    let user = |content: Value| json!([{ "role": "user", "content": content }]);
    let image = |url: &str| user(json!([{ "type": "image_url", "image_url": { "url": url } }]));
    for (field, value, code) in [
        ("messages", json!([]), "messages_empty"),
        ("messages", json!([{ "role": "system", "content": "be kind" }]), "no_user_message"),
        ("messages", user(json!("  ")), "no_user_message"),
        ("messages", user(json!([])), "no_user_message"),
        (
            "messages",
            json!([{ "role": "user", "content": "x" }, { "role": "assistant", "content": "y" }]),
            "last_message_not_user",
        ),
        ("messages", image("https://example.com/cat.png"), "image_url_unsupported"),
        ("messages", image("data:image/png;base64,bm90IGEgcGljdHVyZQ=="), "image_invalid"),
        ("messages", image("data:image/bmp;base64,aGk="), "image_type_unsupported"),
        ("n", json!(2), "unsupported_parameter"),
        ("tools", json!([{ "type": "function", "function": { "name": "f" } }]), "unsupported_parameter"),
        ("logprobs", json!(true), "unsupported_parameter"),
        ("user", json!("x".repeat(300)), "user_invalid"),
    ] {
        let mut body = ask("hi");
        body[field] = value;
        let refused = send(&api, CHAT, &[], body).await;
        assert_eq!(error(&refused), (400, "invalid_request_error", code), "{}", refused.body);
        let param = refused.body["error"]["param"].as_str().unwrap();
        assert!(param.starts_with(field), "{param}");
    }
    let long = "x".repeat(300);
    let refused = send(&api, CHAT, &[("x-conversation-id", &long)], ask("hi")).await;
    assert_eq!(error(&refused), (400, "invalid_request_error", "conversation_id_invalid"));
    assert_eq!(sessions(&api).await.len(), 0);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_conversation_in_which_nobody_asks_is_refused_whichever_api_it_comes_by() {
    let system = system().await;
    let api = system.api("key");
    for (path, field) in [
        (CHAT, "messages"),
        ("/chat/completions", "messages"),
        ("/v1/responses", "input"),
        ("/v1/messages", "messages"),
    ] {
        let none = json!({ "model": "scripted", "max_tokens": 100, "system": "be kind", field: [] });
        let refused = send(&api, path, &[], none).await;
        assert_eq!(
            (error(&refused).0, error(&refused).2),
            (400, "messages_empty"),
            "{path} {}",
            refused.body
        );
        if path != "/v1/messages" {
            let system = json!([{ "role": "system", "content": "be kind" }]);
            let system = json!({ "model": "scripted", field: system });
            let refused = send(&api, path, &[], system).await;
            assert_eq!((error(&refused).0, error(&refused).2), (400, "no_user_message"), "{path}");
            let message = refused.body["error"]["message"].as_str().unwrap();
            assert!(message.contains("user"), "{path}: {message}");
        }
    }
    assert_eq!(sessions(&api).await.len(), 0);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_picture_that_is_none_is_refused_whichever_api_it_comes_by() {
    let system = system().await;
    let api = system.api("key");
    let url = "data:image/png;base64,bm90IGEgcGljdHVyZQ==";
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "bm90IGEgcGljdHVyZQ==" });
    let user = |part: Value| json!([{ "role": "user", "content": [part] }]);
    for (path, field, said, param) in [
        (
            CHAT,
            "messages",
            user(json!({ "type": "image_url", "image_url": { "url": url } })),
            Some("messages[0].content[0]"),
        ),
        (
            "/v1/responses",
            "input",
            user(json!({ "type": "input_image", "image_url": url })),
            Some("input[0].content[0]"),
        ),
        (
            "/v1/messages",
            "messages",
            user(json!({ "type": "image", "source": source })),
            // In its shape there is no place for it.
            None,
        ),
    ] {
        let body = json!({ "model": "scripted", "max_tokens": 100, field: said });
        let refused = send(&api, path, &[], body).await;
        assert_eq!((error(&refused).0, error(&refused).2), (400, "image_invalid"), "{}", refused.body);
        assert_eq!(refused.body["error"]["param"].as_str(), param, "{}", refused.body);
    }
    assert_eq!(sessions(&api).await.len(), 0);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_in_openai_s_shape() {
    let system = system().await;
    let api = system.api("key");
    for (body, status, code) in [
        ("{", 400, "invalid_json"),
        ("{\"model\": \"scripted\"}", 422, "invalid_request"),
        ("{\"model\": 3, \"messages\": []}", 422, "invalid_request"),
    ] {
        let request = api.request(Method::POST, CHAT).header("content-type", "application/json").body(body);
        let refused = api.send(request).await.unwrap();
        assert_eq!(error(&refused), (status, "invalid_request_error", code));
    }
    let nowhere = send(&api, "/v1/embeddings", &[], json!({})).await;
    assert_eq!(error(&nowhere), (404, "invalid_request_error", "route_not_found"));
    let large = vec![b' '; 33 << 20];
    for path in [CHAT, "/chat/completions", "/v1/responses", "/v1/messages"] {
        let post = |kind: &str, body: Vec<u8>| {
            api.send(api.request(Method::POST, path).header("content-type", kind).body(body))
        };
        let other = api.send(api.request(Method::PATCH, path)).await.unwrap();
        for (refused, status, code) in [
            (other, 405, "method_not_allowed"),
            (post("text/plain", b"hi".to_vec()).await.unwrap(), 415, "unsupported_media_type"),
            (post("application/json", large.clone()).await.unwrap(), 413, "too_large"),
        ] {
            assert_eq!((error(&refused).0, error(&refused).2), (status, code), "{path}: {}", refused.body);
            assert_eq!(refused.body["type"] == "error", path == "/v1/messages", "{path}");
        }
    }
    system.stop().await.unwrap();
}
