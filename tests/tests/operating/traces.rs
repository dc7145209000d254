use std::collections::HashMap;

use agcluster_tests::otlp::{Collector, Span, text};
use agcluster_tests::system::{Installation, Plan, Provider};
use reqwest::Method;
use serde_json::json;

const KEY: &str = "sk-ant-not-to-be-seen";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of a trace, by their ids.
fn trace(spans: &[Span]) -> HashMap<String, &Span> {
    let ours = spans.iter().filter(|span| hex(&span.trace_id) == TRACE);
    ours.map(|span| (hex(&span.span_id), span)).collect()
}

/// The names of a span and of those that it is in, innermost first, and the id of the parent of the last.
fn way_up<'a>(spans: &HashMap<String, &'a Span>, mut span: &'a Span) -> (Vec<String>, String) {
    let mut names = vec![span.name.clone()];
    loop {
        let parent = hex(&span.parent_span_id);
        let Some(next) = spans.get(&parent) else { return (names, parent) };
        span = next;
        names.push(span.name.clone());
    }
}

#[tokio::test]
async fn one_request_is_one_trace_down_to_the_calls_of_the_container() {
    let collector = Collector::start().await.unwrap();
    let plan = Plan::on(Provider::Memory).with(&["--otlp-endpoint", &collector.url()]);
    Installation::with(plan, async |installation| {
        let api = installation.api(KEY);
        let body = json!({ "api_key": KEY, "config": { "driver": "scripted" } });
        let request = api.request(Method::POST, "/api/agents/launch").json(&body);
        let launched = api.send(request.header("traceparent", format!("00-{TRACE}-{CALLER}-01"))).await?;
        let session = api.session(launched.body["session_id"].as_str().unwrap());
        session.chat("@@say this-prompt-is-private").await?.rest().await?;
        Ok(())
    })
    .await
    .unwrap();

    let all = collector.spans().unwrap();
    let launch = trace(&all);
    for span in launch.values() {
        let (names, root) = way_up(&launch, span);
        assert_eq!(root, CALLER, "{names:?} does not lead to the caller");
        assert_eq!(names.last().unwrap(), "POST /api/agents/launch");
    }
    let under_the_launch = |name: &str, operation: &str| {
        let found = launch
            .values()
            .find(|span| span.name == name && text(&span.attributes, "operation") == Some(operation));
        let span = found.unwrap_or_else(|| panic!("{name} {operation} is not in the trace"));
        assert!(way_up(&launch, span).0.contains(&"launch".to_owned()), "{name} {operation}");
    };
    under_the_launch("provider_call", "create");
    under_the_launch("provider_call", "endpoint");
    under_the_launch("agent_call", "configure");

    let query = all.iter().find(|span| text(&span.attributes, "operation") == Some("query")).unwrap();
    let chat = all.iter().find(|span| span.name == "POST /api/agents/{id}/chat").unwrap();
    assert_eq!(query.trace_id, chat.trace_id, "the chat's trace leads to the agent server");
    for span in &all {
        let shown = format!("{span:?}");
        assert!(!shown.contains(KEY) && !shown.contains("this-prompt-is-private"), "{shown}");
    }
}
