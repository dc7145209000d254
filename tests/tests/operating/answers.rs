//! Live answers against their description: one at least of every kind that any operation gives when all is well.

mod held;
mod requests;

use std::path::Path;

use agcluster_tests::git_host::GitHost;
use agcluster_tests::system::{Provider, System};
use serde_json::json;

use crate::fuzz::python;
use held::Held;

/// What opens the repositories.
const TOKEN: &str = "ghp-of-the-answers";

/// Beside them the golden ones in the shapes of OpenAI and Anthropic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_as_it_is_described() {
    let system = System::start_with(Provider::Process, &["--git-plain-http"]).await.unwrap();
    let host = GitHost::start(TOKEN).await.unwrap();
    host.make("public.git").await.unwrap();
    let repository = host.url(&system.host().await.unwrap(), "public.git");
    let scripted = "{id: scripted, name: Scripted, driver: scripted}";
    std::fs::write(system.agent_configs().join("scripted.yaml"), scripted).unwrap();
    system.configs().files().reload().await;
    let api = system.api("a-key-of-the-answers");
    let mut held = Held::of(&api);
    Box::pin(requests::all(&mut held, &repository)).await;
    let answers = held.answers();
    system.stop().await.unwrap();
    host.stop().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("answers.json"), json!(answers).to_string()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let at = |path: &str| root.join(path).display().to_string();
    let (description, sources) = (at("docs/api/openapi.json"), at("agcluster-server/src"));
    let arguments = ["-c", include_str!("answers/hold.py"), &description, &sources, "answers.json"];
    python(&arguments, folder.path()).await.unwrap_or_else(|said| panic!("{said}"));
}
