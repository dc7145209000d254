//! Where sessions are, and what comes between.

use agcluster_tests::system::{Provider, System};
use anyhow::ensure;
use serde_json::json;

use super::{KEY, agent, outputs, said, terminal, turn};

pub(crate) async fn a_session_runs_where_it_was_asked_for_and_leaves_nothing_there(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let request = json!({ "config": agent(&["Bash"]), "provider": provider.name() });
    let session = system.api(KEY).launch_with(request).await?;
    ensure!(session.launched["provider"] == provider.name(), "{}", session.launched);
    let frames = turn(&session, "@@bash echo here > here.txt; cat here.txt; pwd\n@@text Done there.").await?;
    let output = outputs(&frames);
    ensure!(
        output.contains("here") && output.contains("/workspace") || provider == Provider::Process,
        "{output}"
    );
    ensure!(said(&frames) == "Done there.", "{frames:#?}");
    ensure!(session.get().await?.body["provider"] == provider.name());
    // Its next container is made there too.
    ensure!(session.post("restart", json!({})).await?.status.is_success());
    let frames = turn(&session, "@@bash echo again\n@@text Done again.").await?;
    ensure!(outputs(&frames).contains("again") && said(&frames) == "Done again.", "{frames:#?}");
    let listed = system.api(KEY).get("/api/agents/sessions").await?.body;
    ensure!(listed["sessions"][0]["provider"] == provider.name(), "{listed}");
    ensure!(!system.left_behind().await?.is_empty(), "the platform does not show the session");
    ensure!(session.delete().await?.status.is_success());
    let left = system.left_behind().await?;
    ensure!(left.is_empty(), "{left:#?}");
    system.stop().await
}

pub(crate) async fn a_stream_that_is_cut_on_the_way_goes_on_where_it_was(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start_to_be_cut(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    let mut chat = session.chat("@@gate half One sentence that is cut in the middle.").await?;
    chat.until("content_delta").await?;
    system.model().reached("half").await;
    system.cut_streams();
    system.model().open("half");
    let frames = chat.rest().await?;
    ensure!(*terminal(&frames) == json!({ "type": "complete", "status": "success" }), "{frames:#?}");
    ensure!(said(&frames) == "One sentence that is cut in the middle.", "{frames:#?}");
    system.stop().await
}
