//! What a session must not reach: the key, and other sessions.

use agcluster_tests::system::{Provider, System};
use anyhow::ensure;
use serde_json::json;

use super::{KEY, agent, outputs, said, turn};

/// Looks for the key in everything that can be read: own and others' environments, arguments, memory, files.
const SEARCH: &str = r#"
needle=$(printf '%s-%s' sk-ant-test KEY-TAIL)
found() { echo "FOUND in $1"; }
env | grep -qF "$needle" && found env
for p in /proc/[0-9]*; do
  for f in environ cmdline; do tr '\0' '\n' < $p/$f 2>/dev/null | grep -qF "$needle" && [ $p != /proc/$$ ] && found $p/$f; done
  ls -l $p/fd 2>/dev/null | grep -qF "$needle" && found $p/fd
done
server=$(grep -lsxE 'agcluster-agen|agcluster-agent' /proc/[0-9]*/comm | sed 's#/comm##')
echo "servers: $server"
for p in $server; do dd if=$p/mem of=/dev/null bs=1 count=1 2>/dev/null && found $p/mem; done
grep -rlsF "$needle" "$PWD" "$HOME" /tmp /run /etc /var 2>/dev/null | grep -v "$HOME/.claude/projects" | sed 's/^/FOUND in /'
echo "searched"
"#;

pub(crate) async fn a_command_cannot_read_the_key(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    // A key of this run alone, of which the script knows the halves: what is found can have come from nowhere else.
    let tail = uuid::Uuid::new_v4().simple().to_string();
    let key = format!("sk-ant-test-{tail}");
    let session = system.api(&key).launch(agent(&["Bash"])).await?;
    let script = serde_json::to_string(&SEARCH.replace("KEY-TAIL", &tail))?;
    let frames = turn(&session, &format!("@@bash {script}")).await?;
    let output = outputs(&frames);
    ensure!(
        output.contains("searched") && output.contains("servers: /proc/"),
        "the search did not run: {frames:#?}"
    );
    ensure!(!output.contains("FOUND"), "{output}");
    ensure!(
        system.model().requests().iter().any(|request| request.api_key() == Some(&key)),
        "the key was not used"
    );
    ensure!(!session.get().await?.body.to_string().contains(&key));
    system.stop().await
}

pub(crate) async fn ten_sessions_work_at_once(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let api = system.api(KEY);
    let talks = (0..10).map(|n| {
        let api = api.clone();
        async move {
            let session = api.launch(agent(&["Bash"])).await?;
            let frames =
                turn(&session, &format!("@@bash echo {n} > mine.txt; ls; cat mine.txt\n@@text I am {n}."))
                    .await?;
            ensure!(outputs(&frames).trim() == format!("mine.txt\n{n}"), "{n}: {frames:#?}");
            ensure!(said(&frames) == format!("I am {n}."), "{n}: {frames:#?}");
            ensure!(session.delete().await?.status.is_success());
            Ok(())
        }
    });
    for result in futures::future::join_all(talks).await {
        result?;
    }
    ensure!(api.get("/api/agents/sessions").await?.body == json!({ "total": 0, "sessions": [] }));
    system.stop().await
}
