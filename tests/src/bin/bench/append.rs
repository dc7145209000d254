//! How many events a second a store keeps, beside the rows a second that the same database takes.

use std::sync::Arc;
use std::time::Instant;

use agcluster_core::journal::{Entry, Record};
use agcluster_core::protocol::{AgentOptions, DriverKind, EventBody, Secret, TurnId};
use agcluster_core::provider::Resources;
use agcluster_core::session::{
    AgentId, AgentSpec, ApprovalPolicy, Owner, SessionId, SessionPolicy, SessionRecord, State,
};
use agcluster_core::store::{Change, DatabaseUrl, Store, open};
use agcluster_tests::postgres::Postgres;
use anyhow::{Result, anyhow};
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};
use tokio_util::sync::CancellationToken;

use super::figure::{Figure, Unit};
use super::limits::{STEP, soon};
use super::options::Options;
use super::progress;
use super::samples::Samples;

/// Sessions that write at the same time: a commit holds a change of each, as a busy server's do.
const SESSIONS: usize = 500;
/// Events of each in a commit.
const EACH: u64 = 2;
/// Commits of one measured value: so many that most of their events are in their last place by its end, as a store puts off
/// that for a bounded number alone.
const COMMITS: usize = 200;
/// Characters of an event's text: a few words, as models send them.
const TEXT: usize = 48;
/// Rows that one raw statement inserts.
const ROWS: usize = 250;
/// Events a second that must be kept on SQLite.
const TARGET: f64 = 20_000.0;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(options: &Options, stop: &CancellationToken) -> Result<Vec<Figure>> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(anyhow!("interrupted")),
        figures = Box::pin(on_both(options)) => figures,
    }
}

async fn on_both(options: &Options) -> Result<Vec<Figure>> {
    progress("append: SQLite");
    let folder = tempfile::Builder::new().prefix("agcluster-bench-").tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let store = open(&format!("sqlite://{}", path("store.db").display()).parse::<DatabaseUrl>()?).await?;
    let raw = SqliteConnectOptions::new()
        .filename(path("raw.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .connect()
        .await?;
    let on_sqlite = Both::measure(options.runs, &*store, Raw::Sqlite(raw)).await?;
    store.close().await;

    progress("append: PostgreSQL");
    let mut server = Postgres::start().await?;
    let store = open(&server.url().parse::<DatabaseUrl>()?).await?;
    let raw = PgConnection::connect(&server.new_database().await?).await?;
    let on_postgres = Both::measure(options.runs, &*store, Raw::Postgres(raw)).await?;
    store.close().await;
    server.stop().await?;

    let mut figures = on_sqlite.figures("SQLite");
    if let Some(first) = figures.first_mut() {
        *first = first.clone().at_least(TARGET);
    }
    figures.extend(on_postgres.figures("PostgreSQL"));
    Ok(figures)
}

/// The store's values and the database's own, taken in turn.
#[derive(Default)]
struct Both {
    store: Samples,
    raw: Samples,
}

impl Both {
    async fn measure(runs: usize, store: &dyn Store, mut raw: Raw) -> Result<Self> {
        let ids: Vec<_> =
            (0..SESSIONS).map(|number| SessionId::from_text(format!("conv-{number}"))).collect();
        let sessions = ids.iter().map(|id| Change::Session(Box::new(session(id))));
        store.commit(&sessions.collect::<Vec<_>>()).await?;
        raw.prepare().await?;
        let mut both = Self::default();
        let mut next = 1;
        // The first value makes files grow and caches fill, and is not kept.
        for run in 0..=runs {
            let commits: Vec<_> = (0..COMMITS as u64).map(|n| commit(&ids, next + n * EACH)).collect();
            next += COMMITS as u64 * EACH;
            let begun = Instant::now();
            for changes in &commits {
                soon("a commit", STEP, async { Ok(store.commit(changes).await?) }).await?;
            }
            let kept = begun.elapsed();
            let begun = Instant::now();
            for changes in &commits {
                soon("an insert", STEP, raw.insert(changes)).await?;
            }
            let inserted = begun.elapsed();
            if run > 0 {
                let events = (SESSIONS * COMMITS) as f64 * EACH as f64;
                both.store.push(events / kept.as_secs_f64());
                both.raw.push(events / inserted.as_secs_f64());
            }
        }
        Ok(both)
    }

    fn figures(self, database: &str) -> Vec<Figure> {
        let figure = |name: String| {
            Figure::new(name, Unit::PerSecond, self.store.clone())
                .over("the same bytes inserted raw", &self.raw)
        };
        vec![
            figure(format!("events kept on {database}")).judged_by_median(),
            figure(format!("events kept on {database}, as a part of raw rows")).judged_by_ratio(),
        ]
    }
}

/// A change of every session.
fn commit(sessions: &[SessionId], first: u64) -> Vec<Change> {
    let change = |session: &SessionId| {
        let records: Vec<_> = (first..first + EACH).map(record).collect();
        // Rendering is the journal's work, not the store's.
        records.iter().for_each(|record| drop(record.json()));
        Change::Events { session: session.clone(), records }
    };
    sessions.iter().map(change).collect()
}

fn record(seq: u64) -> Arc<Record> {
    let body = EventBody::TextDelta { block: 0, text: "x".repeat(TEXT) };
    let mut entry = Entry::own(1, Some(TurnId::generate()), body);
    entry.source_seq = Some(seq);
    Arc::new(Record::new(seq, entry))
}

fn session(id: &SessionId) -> SessionRecord {
    SessionRecord {
        id: id.clone(),
        agent_id: AgentId::generate(),
        config_id: "plain".to_owned(),
        owner: Owner::of(&Secret::new("bench")),
        provider: "memory".to_owned(),
        candidates: Vec::new(),
        agent: AgentSpec {
            driver: DriverKind::Scripted,
            options: AgentOptions::default(),
            resources: Resources::default(),
            image: None,
        },
        policy: SessionPolicy::default(),
        approvals: ApprovalPolicy::default(),
        disposable: false,
        files: std::collections::BTreeMap::new(),
        model_base_url: None,
        repository: None,
        created_at: Timestamp::now(),
        last_active: Timestamp::now(),
        state: State::default(),
        facts: None,
    }
}

/// The database itself, with one prepared statement for many rows.
enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The plainest table, in the order in which rows come: nothing takes them faster.
const TABLE: &str = "CREATE TABLE raw (session BIGINT NOT NULL, seq BIGINT NOT NULL, body ";

impl Raw {
    async fn prepare(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(raw) => {
                let table = format!("{TABLE} BLOB NOT NULL)");
                raw.execute(sqlx::query(AssertSqlSafe(table))).await?;
            }
            Self::Postgres(raw) => {
                let table = format!("{TABLE} BYTEA NOT NULL)");
                raw.execute(sqlx::query(AssertSqlSafe(table))).await?;
            }
        }
        Ok(())
    }

    /// Inserts what a commit holds, in one transaction.
    async fn insert(&mut self, changes: &[Change]) -> Result<()> {
        let mut rows = Vec::new();
        for (key, change) in (1i64..).zip(changes) {
            if let Change::Events { records, .. } = change {
                for record in records {
                    rows.push((key, i64::try_from(record.seq())?, record.json()));
                }
            }
        }
        match self {
            Self::Sqlite(raw) => {
                let mut all = raw.begin_with("BEGIN IMMEDIATE").await?;
                for rows in rows.chunks(ROWS) {
                    let values = vec!["(?,?,?)"; rows.len()].join(",");
                    let mut query = sqlx::query(AssertSqlSafe(format!("INSERT INTO raw VALUES {values}")));
                    for (session, seq, body) in rows {
                        query = query.bind(*session).bind(*seq).bind(body.to_vec());
                    }
                    query.execute(&mut *all).await?;
                }
                all.commit().await?;
            }
            Self::Postgres(raw) => {
                let mut all = raw.begin().await?;
                for rows in rows.chunks(ROWS) {
                    let values =
                        (0..rows.len()).map(|n| format!("(${},${},${})", 3 * n + 1, 3 * n + 2, 3 * n + 3));
                    let values = values.collect::<Vec<_>>().join(",");
                    let mut query = sqlx::query(AssertSqlSafe(format!("INSERT INTO raw VALUES {values}")));
                    for (session, seq, body) in rows {
                        query = query.bind(*session).bind(*seq).bind(body.to_vec());
                    }
                    query.execute(&mut *all).await?;
                }
                all.commit().await?;
            }
        }
        Ok(())
    }
}
