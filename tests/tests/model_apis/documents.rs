//! Documents, on their way through the real agent program to the model.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// One empty page.
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";

/// The sources of all documents in a request to the model.
fn documents(request: &Value) -> Vec<Value> {
    let messages = request["messages"].as_array().unwrap().iter();
    let blocks = messages.filter_map(|message| message["content"].as_array()).flatten();
    blocks.filter(|block| block["type"] == "document").map(|block| block["source"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pdf_reaches_the_model_whichever_api_it_comes_by() {
    let system = coder(Provider::Process).await;
    let api = system.api(KEY);
    let data = STANDARD.encode(PDF);
    let url = format!("data:application/pdf;base64,{data}");
    let source = json!({ "type": "base64", "media_type": "application/pdf", "data": data });
    let user = |kind: &str, part: Value| {
        let text = json!({ "type": kind, "text": "@@text I read it." });
        json!([{ "role": "user", "content": [text, part] }])
    };
    let file = json!({ "filename": "a.pdf", "file_data": url });
    let input = json!({ "type": "input_file", "filename": "a.pdf", "file_data": url });
    for (path, field, said) in [
        (CHAT, "messages", user("text", json!({ "type": "file", "file": file }))),
        ("/v1/responses", "input", user("input_text", input)),
        (
            "/v1/messages",
            "messages",
            user("text", json!({ "type": "document", "title": "a.pdf", "source": source })),
        ),
    ] {
        let body = json!({ "model": "coder", "max_tokens": 1000, field: said });
        let answer = send(&api, path, &[("x-conversation-id", path)], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        assert!(answer.body.to_string().contains("I read it."), "{path}: {}", answer.body);
        let asked = system.model().requests().into_iter().rfind(|request| request.is_messages()).unwrap();
        assert_eq!(documents(&asked.json()), std::slice::from_ref(&source), "{path}");
    }
    system.stop().await.unwrap();
}
