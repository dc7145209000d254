//! The models that requests may name.

use super::*;

#[tokio::test]
async fn configurations_are_models_alone_and_with_each_model() {
    let system = system().await;
    let api = system.api("key");
    let list = api.get("/v1/models").await.unwrap().body;
    assert_eq!(list["object"], "list");
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    for id in ["code-assistant", "code-assistant/claude-sonnet-4-5", "research-agent", "scripted"] {
        assert!(ids.contains(&id), "{id} is not among {ids:?}");
        for path in [format!("/v1/models/{id}"), format!("/v1/models/{}", id.replace('/', "%2F"))] {
            let model = api.get(&path).await.unwrap();
            assert_eq!((model.status, &model.body["id"]), (StatusCode::OK, &json!(id)), "{path}");
            assert_eq!(
                (&model.body["object"], &model.body["owned_by"]),
                (&json!("model"), &json!("agcluster"))
            );
        }
    }
    assert!(!ids.iter().any(|id| id.starts_with("scripted/")), "{ids:?}");
    // What people choose from tells them apart, too.
    let names: std::collections::HashSet<_> =
        list["data"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert!(
        names.contains("Code Assistant") && names.contains("Code Assistant (claude-opus-4-5)"),
        "{names:?}"
    );
    let none = api.get("/v1/models/gpt-4o").await.unwrap();
    assert_eq!(error(&none), (404, "invalid_request_error", "model_not_found"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_of_anthropic_s_gets_the_list_in_its_shape() {
    let system = system().await;
    let client = reqwest::Client::new();
    let request = client.get(system.api("key").url("/v1/models"));
    let request = request.header("x-api-key", "key").header("anthropic-version", "2023-06-01");
    let list: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!((&list["has_more"], &list["data"][0]["type"]), (&json!(false), &json!("model")));
    assert_eq!(list["first_id"], list["data"][0]["id"]);
    let one = async |path: &str, key: &str| {
        let request = client.get(system.api("key").url(path)).header("anthropic-version", "2023-06-01");
        let response = request.header("x-api-key", key).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    for id in ["code-assistant", "code-assistant/claude-opus-4-5"] {
        let (status, model) = one(&format!("/v1/models/{id}"), "key").await;
        let expected = list["data"].as_array().unwrap().iter().find(|model| model["id"] == id);
        assert_eq!((status, Some(&model)), (200, expected));
    }
    for (path, key, status, kind) in [
        ("/v1/models/gpt-4o", "key", 404, "not_found_error"),
        ("/v1/models", "", 401, "authentication_error"),
    ] {
        let (is, refused) = one(path, key).await;
        assert_eq!(
            (is, &refused["type"], &refused["error"]["type"]),
            (status, &json!("error"), &json!(kind))
        );
    }
    system.stop().await.unwrap();
}
