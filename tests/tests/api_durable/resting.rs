//! Sessions that nobody needs, turns that get nowhere, and events that are too old.

use std::time::Duration;

use agcluster_core::provider::{ContainerState, ListFilter};
use agcluster_tests::system::{Chat, Installation, Plan};

use super::*;

/// One step takes seconds; one that takes so long hangs.
const LIMIT: Duration = Duration::from_secs(120);
/// So short that it is over while a test looks; whoever comes too late wakes it.
const SHORT: [&str; 2] = ["--session-idle-timeout=1", "--session-cleanup-interval=1"];

async fn soon<T>(what: &str, doing: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, doing).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

/// Reads events to their end, which is that the session stopped.
async fn until_stopped(events: &mut Chat) {
    let reading = async {
        let mut last = Value::Null;
        while let Some(frame) = events.next().await.unwrap() {
            last = frame.data;
        }
        last
    };
    let last = soon("the end of a session", reading).await;
    assert_eq!((&last["type"], &last["status"]), (&json!("session_changed"), &json!("stopped")), "{last}");
}

/// Looks until it has this status.
async fn until_status(session: &Session, status: &str) -> Value {
    let looking = async {
        loop {
            let look = session.get().await.unwrap().body;
            if look["status"] == status {
                return look;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(status, looking).await
}

/// It still has its memory, and is the container it was.
async fn remembers(session: &Session) {
    let recalled = session.ask("@@recall").await.unwrap().body;
    assert!(recalled["content"].as_str().unwrap_or_default().contains("remember me"), "{recalled}");
    assert_eq!(session.get().await.unwrap().body["generation"], 1, "it is the same container");
}

#[tokio::test]
async fn a_session_that_is_only_looked_at_is_idle() {
    let short = ["--session-idle-timeout=15", "--session-cleanup-interval=1"];
    let system = System::start_with(Provider::Memory, &short).await.unwrap();
    let api = system.api("key");
    let session = scripted(&api).await;
    let done = job(&api, &session, "@@say hi").await;
    end_of(&api, &done).await;
    let (id, mut events) = (&session.id, session.events(0).await.unwrap());
    let _tools = api.request(Method::GET, &format!("/api/tools/{id}/stream")).send().await.unwrap();
    let looks = [
        format!("/api/agents/{id}/messages"),
        "/api/agents/sessions".to_owned(),
        format!("/api/jobs/{done}"),
        format!("/api/resources/{id}"),
        format!("/api/agents/{id}/env/HOME"),
        format!("/api/agents/sessions/{id}"),
    ];
    let looking = async {
        for look in looks.iter().cycle() {
            if api.get(look).await.unwrap().code() == "session_not_found" {
                return;
            }
        }
    };
    soon("the end of a session that is looked at", looking).await;
    until_stopped(&mut events).await;
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_configuration_says_how_long_its_own_sessions_live() {
    let general = ["--session-idle-timeout=0", "--session-cleanup-interval=1"];
    let system = System::start_with(Provider::Memory, &general).await.unwrap();
    let api = system.api("key").described();
    let launch =
        async |policy: Value| api.launch(json!({ "driver": "scripted", "session": policy })).await.unwrap();
    let lasting = scripted(&api).await;
    let old = launch(json!({ "max_lifetime": 15 })).await;
    let chat = old.chat("@@say begun\n@@hang").await.unwrap();
    let idle = launch(json!({ "idle_timeout": 15 })).await;
    until_stopped(&mut idle.events(0).await.unwrap()).await;
    let frames = soon("the end of the turn", chat.rest()).await.unwrap();
    assert_eq!(frames.last().unwrap().data["code"], "session_stopped", "whatever it is doing");
    assert_eq!(lasting.get().await.unwrap().body["status"], "running");
    system.stop().await.unwrap();
}

/// On platforms that keep memory.
#[tokio::test]
async fn an_idle_session_is_paused_and_goes_on_also_after_the_server_was_killed() {
    for provider in [Provider::Process, Provider::Docker] {
        let plan = Plan::on(provider).with(&SHORT).with(&["--session-idle-action=pause"]);
        Box::pin(Installation::with(plan, async |installation| {
            let api = installation.api("key").described();
            let session = scripted(&api).await;
            assert_eq!(session.ask("@@say remember me").await?.body["content"], "remember me");
            let resting = until_status(&session, "paused").await;
            assert_eq!(resting["waking"]["keeps_memory"], true, "{resting}");
            // It is said before it is done.
            until_frozen(installation, &session).await;
            remembers(&session).await;
            let resting = until_status(&session, "paused").await;
            assert!(
                resting["waking"]["last_us"].as_u64().unwrap() > 0,
                "what waking cost is shown: {resting}"
            );
            until_frozen(installation, &session).await;
            installation.kill().await?;
            installation.start().await?;
            installation.adopted().await?;
            let found = session.get().await?.body;
            assert_eq!(found["status"], "paused", "{found}");
            remembers(&session).await;
            session.delete().await?;
            Ok(())
        }))
        .await
        .unwrap();
    }
}

/// Waits until a session's one container is frozen.
async fn until_frozen(installation: &Installation, session: &Session) {
    let platform = installation.platform().await.unwrap();
    let looking = async {
        loop {
            let all = platform.list(ListFilter::cluster(installation.cluster())).await.unwrap();
            let own: Vec<_> = all.iter().filter(|found| found.labels.session == session.id).collect();
            assert_eq!(own.len(), 1, "{own:?}");
            if own[0].state == ContainerState::Paused {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    soon("the pause", looking).await;
}

/// A pause is written down first, so it is on its way when it is said.
#[tokio::test]
async fn a_pause_that_a_kill_of_the_server_cut_off_is_finished_and_the_next_message_wakes() {
    for provider in [Provider::Process, Provider::Docker] {
        let plan = Plan::on(provider).with(&SHORT).with(&["--session-idle-action=pause"]);
        Box::pin(Installation::with(plan, async |installation| {
            let api = installation.api("key");
            let session = scripted(&api).await;
            session.ask("@@say remember me").await?;
            for begun in [true, true, false] {
                until_status(&session, "paused").await;
                if begun {
                    installation.kill().await?;
                } else {
                    // As if the platform had never heard of the pause, or had just thawed it for a message.
                    until_frozen(installation, &session).await;
                    installation.kill().await?;
                    let platform = installation.platform().await?;
                    let all = platform.list(ListFilter::cluster(installation.cluster())).await?;
                    platform.resume(&all[0].id).await?;
                }
                installation.start().await?;
                installation.adopted().await?;
                let found = session.get().await?.body;
                assert_eq!(found["status"], "paused", "{found}");
                until_frozen(installation, &session).await;
                remembers(&session).await;
            }
            session.delete().await?;
            Ok(())
        }))
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_paused_session_whose_container_went_says_so_and_is_restarted() {
    let plan = Plan::on(Provider::Process).with(&SHORT).with(&["--session-idle-action=pause"]);
    Box::pin(Installation::with(plan, async |installation| {
        let api = installation.api("key").described();
        let session = scripted(&api).await;
        session.ask("@@say remember me").await?;
        until_status(&session, "paused").await;
        let platform = installation.platform().await?;
        for container in platform.list(ListFilter::default()).await? {
            let keep = agcluster_core::provider::DestroyOptions { keep_workspace: true };
            platform.destroy(&container.id, keep).await?;
        }
        let refused = session.ask("hello?").await?;
        assert_eq!(refusal(&refused), (409, "session_not_running"), "{}", refused.body);
        let look = session.get().await?.body;
        assert_eq!((&look["status"], &look["reason"]), (&json!("failed"), &json!("its container is gone")));
        assert_eq!(session.post("restart", json!({})).await?.status, StatusCode::OK);
        let recalled = session.ask("@@recall").await?;
        assert!(recalled.body["content"].as_str().unwrap().contains("remember me"), "{}", recalled.body);
        session.delete().await?;
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test]
async fn a_stuck_turn_shows_why_and_is_interrupted() {
    let system = system().await;
    let api = system.api("key").described();
    let policy = json!({ "stuck_after": 1, "stuck_action": "interrupt" });
    let session = api.launch(json!({ "driver": "scripted", "session": policy })).await.unwrap();
    let chat = session.chat("@@say begun\n@@stall model").await.unwrap();
    let frames = soon("the end of the turn", chat.rest()).await.unwrap();
    let stuck = frames.iter().find(|frame| frame.kind() == "turn_stuck").unwrap();
    assert_eq!(stuck.data["data"]["on"], "model", "{}", stuck.data);
    assert_eq!(frames.last().unwrap().data["status"], "interrupted");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn events_that_are_too_old_are_dropped_while_nobody_writes() {
    let arguments = ["--events-max-age=3", "--session-cleanup-interval=1"];
    let system = System::start_with(Provider::Memory, &arguments).await.unwrap();
    let api = system.api("key").described();
    let session = scripted(&api).await;
    session.ask("@@stream 50").await.unwrap();
    let path = format!("/api/agents/{}/messages?after=1", session.id);
    let expired = soon("the events' end", async {
        loop {
            let answer = api.get(&path).await.unwrap();
            // What came first, with the launch, may be dropped in an earlier sweep.
            let earliest = answer.body["earliest"].as_u64();
            if answer.status == StatusCode::GONE && earliest > Some(50) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(expired.code(), "cursor_expired");
    let earliest = expired.body["earliest"].as_u64().unwrap();
    let mut fresh = session.events(earliest - 1).await.unwrap();
    assert_eq!(fresh.next().await.unwrap().unwrap().id, Some(earliest), "the newest is kept");
    assert_eq!(session.ask("@@say on").await.unwrap().body["content"], "on");
    system.stop().await.unwrap();
}
