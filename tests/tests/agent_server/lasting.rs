//! Nothing is lost while nobody listens, and what is alive is told.

use std::time::{Duration, Instant};

use agcluster_protocol::{Event, EventBody, Outcome, Phase};
use anyhow::{Context, ensure};
use serde_json::json;

use crate::crash::written;
use crate::harness::{Agent, outcome, soon};

fn signal(agent: &Agent, name: &str) -> anyhow::Result<()> {
    let sent = std::process::Command::new("kill").args([name, &agent.id().to_string()]).status()?;
    ensure!(sent.success(), "{name} cannot be sent");
    Ok(())
}

fn is_stopped(agent: &Agent) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", agent.id())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T'))
}

fn gapless(events: &[Event]) -> bool {
    events.iter().zip(1..).all(|(event, seq)| event.seq == seq)
}

#[tokio::test]
async fn an_agent_server_that_stood_still_goes_on_and_nothing_is_lost() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure_as(json!({"acknowledges": true})).await?;
    let mut stream = agent.events(0).await?;
    // The program goes on writing into its pipe, which the agent server does not read meanwhile.
    let mut turn = agent.prompt("@@slow 3 300 one two three four five six seven eight nine ten").await?;
    let delta = |event: &Event| matches!(event.body, EventBody::TextDelta { .. }).then_some(());
    turn.until("the first text", delta).await?;
    signal(&agent, "-STOP")?;
    soon("the standstill", async {
        while !is_stopped(&agent) {
            tokio::task::yield_now().await;
        }
    })
    .await?;
    let standing = Instant::now();
    let asked = tokio::time::timeout(Duration::from_secs(4), agent.liveness()).await;
    ensure!(asked.is_err() && standing.elapsed() >= Duration::from_secs(4), "it did not stand still");
    signal(&agent, "-CONT")?;
    let events = soon("the end of the turn", turn.rest()).await??;
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    let all = agent.all_events().await?;
    ensure!(gapless(&all), "{all:?}");
    let mut seen = Vec::new();
    while seen.len() < all.len() {
        seen.push(soon("an event", stream.next()).await??.context("the stream ended")?);
    }
    ensure!(seen == all, "a reader saw something else");
    let whole =
        |event: &Event| matches!(&event.body, EventBody::Text { text, .. } if text.ends_with("nine ten"));
    ensure!(all.iter().filter(|event| whole(event)).count() == 1, "{all:?}");
    agent.stop().await
}

#[tokio::test]
async fn who_was_away_finds_everything_and_acknowledges_it() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure_as(json!({"acknowledges": true})).await?;
    // Nobody reads the turn's events.
    drop(agent.prompt("@@repeat 30000 word \n").await?);
    agent.live("the end of the turn", |live| live.turn.is_none()).await?;
    let all = agent.all_events().await?;
    ensure!(gapless(&all) && all.len() > 1000 && all.iter().any(Event::is_terminal), "{}", all.len());
    let newest = all.len() as u64;
    agent.acknowledge(newest).await?;
    agent.acknowledge(1).await?;
    let events = agent.liveness().await?.events;
    ensure!((events.acknowledged, events.held_back) == (newest, false), "{events:?}");
    let beyond = agent.acknowledge(events.newest + 1000).await;
    ensure!(beyond.is_err_and(|error| error.to_string().contains("cursor_in_future")), "taken");
    agent.stop().await
}

#[tokio::test]
async fn what_is_alive_is_told_by_a_clock_for_each_thing() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    let live = agent.liveness().await?;
    ensure!(
        live.phase == Phase::Unconfigured && live.program.is_none() && live.session.is_none(),
        "{live:?}"
    );
    let configured = agent.configure(json!({})).await?;
    let live = agent.liveness().await?;
    ensure!(live.phase == Phase::Ready && live.session.as_deref() == Some("s"), "{live:?}");
    let told = live.configured.context("not told")?;
    ensure!(told.agent == configured.agent && told.conversation == configured.conversation, "{told:?}");
    ensure!(live.turn.is_none() && live.tools.is_empty() && live.asked.is_empty(), "not idle");

    let mut turn = agent.prompt("@@bash echo $$ > id; while [ ! -e go ]; do sleep 0.1; done\n@@hang").await?;
    written(&agent, "id").await?;
    let quiet = |ms: u64| ms >= 500;
    let live = agent
        .live("a tool that takes its time", |live| {
            live.tools.first().is_some_and(|tool| quiet(tool.running_ms))
        })
        .await?;
    ensure!(live.tools.len() == 1 && live.tools[0].name == "Bash", "{live:?}");
    ensure!(live.model.is_some_and(|model| model.open_requests == 0 && model.silent_ms == 0), "{live:?}");
    ensure!(live.turn.is_some_and(|turn| turn.age_ms >= turn.silent_ms && quiet(turn.age_ms)), "{live:?}");
    std::fs::write(agent.workspace().join("go"), "")?;
    // The program may say something of its own after it has asked the model: each is waited for.
    let silent = |live: &agcluster_protocol::Liveness| {
        let program = live.program.as_ref();
        live.model.is_some_and(|model| model.open_requests == 1 && quiet(model.silent_ms))
            && program.is_some_and(|program| program.running && quiet(program.silent_ms))
    };
    let live = agent.live("a model that says nothing", silent).await?;
    ensure!(live.tools.is_empty(), "{live:?}");
    agent.interrupt().await?;
    ensure!(turn.end().await? == Outcome::Interrupted, "not interrupted");
    let idle = |live: &agcluster_protocol::Liveness| {
        live.turn.is_none() && live.model.is_some_and(|model| model.open_requests == 0)
    };
    agent.live("idleness", idle).await?;
    agent.stop().await
}
