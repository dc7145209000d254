//! Text, thinking, what a turn costs, what the model is told.

use agcluster_tests::system::{Provider, System};
use anyhow::ensure;
use serde_json::json;

use super::{KEY, agent, of_kind, said, terminal, turn};

pub(crate) async fn text_streams_and_is_counted(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let before = system.api(KEY).numbers().await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    let frames = turn(&session, "@@text Hello from the other side of the wall.").await?;
    ensure!(said(&frames) == "Hello from the other side of the wall.", "{frames:#?}");
    let deltas: String = of_kind(&frames, "content_delta")
        .iter()
        .map(|data| data["text"].as_str().unwrap_or_default())
        .collect();
    ensure!(deltas == said(&frames), "the deltas make {deltas:?}");
    ensure!(*terminal(&frames) == json!({ "type": "complete", "status": "success" }), "{frames:#?}");
    let metadata = of_kind(&frames, "metadata");
    ensure!(metadata.len() == 1 && metadata[0]["usage"]["output_tokens"].as_u64() > Some(0), "{metadata:#?}");
    ensure!(metadata[0]["cost_usd"].as_f64() > Some(0.0), "{metadata:#?}");
    // Other cases may count in the same process at the same time.
    let after = system.api(KEY).numbers().await?;
    let grown = |name: &str, labels: &[(&str, &str)]| after.total(name, labels) - before.total(name, labels);
    for (kind, field) in [("input", "input_tokens"), ("output", "output_tokens")] {
        let counted = grown("agcluster_tokens_total", &[("model", "claude-sonnet-4-5"), ("kind", kind)]);
        let used = metadata[0]["usage"][field].as_f64();
        ensure!(
            used > Some(0.0) && Some(counted) >= used,
            "{counted} {kind} tokens are counted: {metadata:#?}"
        );
    }
    let microdollars = grown("agcluster_cost_microdollars_total", &[("model", "claude-sonnet-4-5")]);
    let cost = metadata[0]["cost_usd"].as_f64().unwrap_or_default();
    ensure!(microdollars + 1.0 >= cost * 1e6, "{microdollars} are counted of {cost}");
    ensure!(
        system
            .model()
            .requests()
            .iter()
            .filter(|request| request.is_messages())
            .all(|request| request.api_key() == Some(KEY))
    );
    system.stop().await
}

pub(crate) async fn a_second_turn_remembers_the_first_and_costs_only_its_own(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    let first = session.ask("@@text one").await?;
    let second = session.ask("@@text two").await?;
    ensure!(second.body["content"] == "two", "{}", second.body);
    let tokens = |answer: &serde_json::Value| answer["usage"]["output_tokens"].as_u64();
    ensure!(
        tokens(&second.body) <= tokens(&first.body).map(|count| count * 2),
        "usage adds up over turns: {} {}",
        first.body,
        second.body
    );
    let requests = system.model().requests();
    let last = requests
        .iter()
        .rfind(|request| request.is_messages())
        .map(|request| request.user_texts().join("\n"))
        .unwrap_or_default();
    ensure!(last.contains("@@text one") && last.contains("@@text two"), "the model was told {last}");
    system.stop().await
}

pub(crate) async fn thinking_streams(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    let frames = turn(&session, "@@think Let me see what there is => Seen.").await?;
    let thinking = of_kind(&frames, "thinking");
    ensure!(thinking.len() == 1 && thinking[0]["content"] == "Let me see what there is", "{frames:#?}");
    ensure!(!of_kind(&frames, "thinking_delta").is_empty(), "{frames:#?}");
    ensure!(said(&frames) == "Seen.", "{frames:#?}");
    system.stop().await
}

pub(crate) async fn prompts_model_and_settings_reach_the_model(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let mut config = agent(&["Bash"]);
    config["system_prompt"] = "You are a lighthouse keeper.".into();
    config["env"] = json!({ "LAMP": "lit" });
    let session = system.api(KEY).launch(config).await?;
    let frames = turn(&session, "@@bash echo lamp=$LAMP").await?;
    ensure!(super::outputs(&frames).contains("lamp=lit"), "{frames:#?}");
    let mut preset = agent(&["Bash"]);
    preset["system_prompt"] =
        json!({ "type": "preset", "preset": "claude_code", "append": "Mind the rocks." });
    let appended = system.api(KEY).launch(preset).await?;
    appended.ask("@@text ok").await?;
    let requests: Vec<_> =
        system.model().requests().into_iter().filter(|request| request.is_messages()).collect();
    let systems: Vec<String> = requests.iter().map(|request| request.system_text()).collect();
    ensure!(systems[0].contains("You are a lighthouse keeper."), "{systems:#?}");
    ensure!(
        systems.iter().any(|text| text.contains("Mind the rocks.") && text.contains("Claude Code")),
        "{systems:#?}"
    );
    ensure!(requests[0].json()["model"] == "claude-sonnet-4-5", "{}", requests[0].json()["model"]);
    let changed =
        session.post("settings", json!({ "model": "claude-haiku-4-5", "permission_mode": "plan" })).await?;
    ensure!(changed.status.is_success(), "{}", changed.body);
    session.ask("@@text ok").await?;
    let last = system
        .model()
        .requests()
        .into_iter()
        .rfind(|request| request.is_messages())
        .map(|request| request.json());
    ensure!(last.is_some_and(|body| body["model"] == "claude-haiku-4-5"));
    system.stop().await
}
