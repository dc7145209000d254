//! What goes up and down, each with what makes it do so. Gauges are their server's own, so each has a program of its own.

use std::time::Duration;

use agcluster_tests::postgres::Postgres;
use agcluster_tests::system::{Api, Installation, Numbers, Plan, Provider, Session};
use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

/// What does not come within this does not come.
const LIMIT: Duration = Duration::from_secs(60);
const POOL: &str = "agcluster_store_connections";
/// A row when the server's writer waits for somebody else's lock.
const WRITER_WAITS: &str = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'agcluster-writer-%' AND wait_event_type = 'Lock'";

/// Looks until the numbers are so.
async fn until(api: &Api, what: &str, is_so: impl Fn(&Numbers) -> bool) -> anyhow::Result<Numbers> {
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        loop {
            looks.tick().await;
            let numbers = api.numbers().await?;
            if is_so(&numbers) {
                return Ok(numbers);
            }
        }
    };
    tokio::time::timeout(LIMIT, looking).await.with_context(|| format!("never seen: {what}"))?
}

async fn chat(api: &Api, session: &Session, body: Value) -> anyhow::Result<StatusCode> {
    let request = api.request(Method::POST, &format!("/api/agents/{}/chat", session.id));
    Ok(api.send(request.header("accept", "application/json").json(&body)).await?.status)
}

async fn queue(api: &Api, session: &Session, message: &str) -> anyhow::Result<()> {
    let status = chat(api, session, json!({ "message": message, "background": true, "queue": true })).await?;
    ensure!(status == StatusCode::ACCEPTED, "{status}");
    Ok(())
}

/// Reads from the store until that cannot be asked any more. It may refuse.
async fn read_on(api: &Api) -> anyhow::Result<()> {
    loop {
        api.get("/api/jobs").await?;
    }
}

#[tokio::test]
async fn sessions_turns_queues_and_streams_are_counted_while_they_are_there() {
    Installation::with(Plan::on(Provider::Memory), async |installation| {
        let api = installation.api("key");
        let running = [("provider", "memory"), ("status", "running")];
        let none = api.numbers().await?;
        for name in ["agcluster_sessions", "agcluster_turns_running", "agcluster_turns_waiting"] {
            ensure!(none.total(name, &[]) == 0.0, "{name}: {none:?}");
        }
        ensure!(none.total("agcluster_agent_requests_under_way", &[]) == 0.0, "{none:?}");

        let session = api.launch(json!({ "driver": "scripted" })).await?;
        let mut stream = session.chat("@@gate go").await?;
        stream.until("question_asked").await?;
        queue(&api, &session, "@@say two").await?;
        queue(&api, &session, "@@say three").await?;
        let busy = api.numbers().await?;
        ensure!(busy.total("agcluster_sessions", &running) == 1.0, "{busy:?}");
        ensure!(busy.total("agcluster_turns_running", &[]) == 1.0, "{busy:?}");
        ensure!(busy.total("agcluster_turns_waiting", &[]) == 2.0, "{busy:?}");
        ensure!(busy.total("agcluster_journal_readers", &[]) == 1.0, "{busy:?}");
        ensure!(busy.total("agcluster_agent_requests_under_way", &[]) >= 1.0, "events are read: {busy:?}");

        // Answered as JSON, a chat's head comes with its end. The look itself is under way, too.
        let waiting = chat(&api, &session, json!({ "message": "@@say four", "queue": true }));
        let seen = until(&api, "a chat that waits for its head", |numbers| {
            numbers.total("agcluster_http_requests_under_way", &[]) == 2.0
                && numbers.total("agcluster_turns_waiting", &[]) == 3.0
        });
        let opened = async {
            seen.await?;
            let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
            session.post("answer", answer).await
        };
        let (answered, opened) = tokio::join!(waiting, opened);
        ensure!(answered? == StatusCode::OK && opened?.status == StatusCode::OK);
        stream.rest().await?;

        session.delete().await?;
        until(&api, "nothing of it", |numbers| {
            numbers.total("agcluster_http_requests_under_way", &[]) == 1.0
                && numbers.total("agcluster_journal_readers", &[]) == 0.0
                && numbers.total("agcluster_agent_requests_under_way", &[]) == 0.0
                && numbers.total("agcluster_sessions", &running) == 0.0
        })
        .await?;
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn connections_that_read_are_counted_as_they_are_used() {
    let postgres = Postgres::start().await.unwrap();
    let plan = Plan::on(Provider::Memory).with(&[&format!("--database-url={}", postgres.url())]);
    Installation::with(plan, async |installation| {
        let api = installation.api("key");
        let session = api.launch(json!({ "driver": "scripted" })).await?;
        ensure!(api.get("/api/jobs").await?.status == StatusCode::OK);
        let idle = until(&api, "a connection that waits", |numbers| {
            numbers.total(POOL, &[("state", "used")]) == 0.0
                && numbers.total(POOL, &[("state", "idle")]) >= 1.0
        });
        ensure!(idle.await?.total("agcluster_store_connections_max", &[]) == 8.0);

        // While somebody else has the tables, whoever reads or writes waits: one write is being made, and one behind it.
        let other_session = api.launch(json!({ "driver": "scripted" })).await?;
        drop(session.chat("@@stream 100000 every 20ms of 20 bytes").await?);
        drop(other_session.chat("@@hang").await?);
        other_session.events(0).await?.until("turn_started").await?;
        let mut other = PgConnection::connect(&postgres.url()).await?;
        let mut lock = other.begin().await?;
        sqlx::query("LOCK TABLE turns, events IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await?;
        // From a connection of its own: within a transaction one always sees the same.
        let mut looks = PgConnection::connect(&postgres.url()).await?;
        let writing = async {
            while sqlx::query(WRITER_WAITS).fetch_optional(&mut looks).await?.is_none() {}
            anyhow::Ok(())
        };
        tokio::time::timeout(LIMIT, writing).await.context("nothing is written")??;
        other_session.post("interrupt", json!({})).await?;
        let seen = until(&api, "a read and a write that wait", |numbers| {
            numbers.total(POOL, &[("state", "used")]) >= 1.0
                && numbers.total("agcluster_store_writes_waiting", &[]) >= 1.0
        });
        tokio::select! {
            seen = seen => { seen?; }
            done = read_on(&api) => return done,
        }
        lock.rollback().await?;
        until(&api, "nothing that waits", |numbers| {
            numbers.total(POOL, &[("state", "used")]) == 0.0
                && numbers.total("agcluster_store_writes_waiting", &[]) == 0.0
        })
        .await?;
        for session in [session, other_session] {
            ensure!(session.delete().await?.status.is_success());
        }
        Ok(())
    })
    .await
    .unwrap();
}
