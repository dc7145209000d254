//! Making changes.

use agcluster_protocol::TurnId;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::draft::Draft;
use super::heads::Head;
use super::recent::Table;
use super::statements::{AUDIT, CONFIGS, DISCARDED, EVENTS, HEADS, META, SESSIONS, TRANSCRIPT, TURNS};
use super::value::{int, json};
use super::{Arg, Bulk, Connection, Driver, Inner};
use crate::journal::Record;
use crate::session::SessionId;
use crate::store::plan::{Plan, conflict};
use crate::store::{Change, IdempotencyRecord, Result, StoreError};

impl<D: Driver> Inner<D> {
    pub(super) async fn commit(&self, changes: &[Change]) -> Result<()> {
        let plan = Plan::of(changes);
        let mut writing = self.writing().await?;
        writing.keep_pace().await?;
        let draft = match writing.heads(|heads| Draft::of(&plan, heads)) {
            Ok(draft) => draft,
            Err(error) => {
                writing.certain();
                return Err(error);
            }
        };
        let recent = writing.heads(|heads| Ok(heads.recent.filled()))?;
        match make(writing.connection()?, &plan, &draft, recent).await {
            Ok(()) => {
                let (discards, tend) = (!draft.removed.is_empty(), writing.connection()?.wants_tending());
                let recent = writing.change_heads(|heads| {
                    draft.tell(heads, D::Connection::KEEPS_RECENT);
                    (heads.recent.is_much(), heads.recent.came())
                });
                writing.certain();
                let (settle, came) = recent.unwrap_or_default();
                self.came.send_replace(came);
                if discards || settle {
                    self.wakes.events.notify_one();
                }
                if tend {
                    self.wakes.tend.notify_one();
                }
                Ok(())
            }
            Err(error @ StoreError::Conflict { .. }) => {
                if writing.connection()?.rollback().await.is_ok() {
                    writing.certain();
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

async fn make<C: Connection>(
    connection: &mut C,
    plan: &Plan<'_>,
    draft: &Draft<'_>,
    recent: Table,
) -> Result<()> {
    let bodies: Vec<Bytes> = draft.events.iter().map(|(.., record)| record.json()).collect();
    let events = events(draft, &bodies, C::KEEPS_RECENT.then_some(recent))?;
    if plan.is_of_events() {
        return put(connection, events).await;
    }
    connection.begin().await?;
    sessions(connection, draft).await?;
    for (bulk, args) in &events {
        connection.insert(bulk, args).await?;
    }
    turns(connection, plan, draft).await?;
    transcript(connection, plan, draft).await?;
    keys(connection, plan, draft).await?;
    others(connection, plan).await?;
    connection.commit().await
}

/// Puts rows into tables, in a transaction of their own.
pub(super) async fn put<const N: usize>(
    connection: &mut impl Connection,
    tables: [(&'static Bulk, Vec<Arg<'_>>); N],
) -> Result<()> {
    if connection.insert_at_once(&tables).await? {
        return Ok(());
    }
    connection.begin().await?;
    for (bulk, args) in &tables {
        connection.insert(bulk, args).await?;
    }
    connection.commit().await
}

/// Puts rows into a table, each made of something.
async fn insert<T>(
    connection: &mut impl Connection,
    bulk: &'static Bulk,
    rows: &[T],
    row: impl Fn(&T) -> Vec<Arg<'_>>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut args = Vec::with_capacity(rows.len() * bulk.kinds.len());
    for each in rows {
        args.extend(row(each));
    }
    connection.insert(bulk, &args).await
}

async fn sessions(connection: &mut impl Connection, draft: &Draft<'_>) -> Result<()> {
    for (_, key) in &draft.removed {
        // Everything but the events goes with it.
        connection.execute("DELETE FROM sessions WHERE key = $1", &[Arg::Int(*key)]).await?;
    }
    insert(connection, &DISCARDED, &draft.removed, |(_, key)| vec![Arg::Int(*key)]).await?;
    let rows = draft.sessions.iter().map(|(key, record)| Ok((*key, &record.id, json(record)?)));
    let rows: Vec<(i64, &SessionId, String)> = rows.collect::<Result<_>>()?;
    insert(connection, &SESSIONS, &rows, |(key, id, record)| {
        vec![Arg::Int(*key), Arg::Text(id.as_str()), Arg::Text(record)]
    })
    .await
}

/// The rows of events, with those of the heads that they move. Where events are recent first, the heads move when they are
/// settled.
fn events<'a>(
    draft: &Draft<'_>,
    bodies: &'a [Bytes],
    recent: Option<Table>,
) -> Result<[(&'static Bulk, Vec<Arg<'a>>); 2]> {
    let mut heads = Vec::new();
    if recent.is_some() {
        for key in &draft.created {
            heads.extend(Head::new(*key).row()?);
        }
    } else {
        for head in draft.heads.values() {
            heads.extend(head.row()?);
        }
    }
    let mut events = Vec::with_capacity(draft.events.len() * EVENTS.kinds.len());
    for ((_, key, record), body) in draft.events.iter().zip(bodies) {
        events.extend(row(*key, record, body)?);
    }
    Ok([(&HEADS, heads), (recent.map_or(&EVENTS, Table::rows), events)])
}

/// The row of an event.
pub(super) fn row<'a>(key: i64, record: &Record, body: &'a [u8]) -> Result<[Arg<'a>; 6]> {
    Ok([
        Arg::Int(key),
        Arg::Int(int(record.seq())?),
        Arg::Int(record.event.at.as_microsecond()),
        Arg::Int(record.event.generation.into()),
        Arg::OptInt(record.source_seq.map(int).transpose()?),
        Arg::Blob(body),
    ])
}

async fn turns(connection: &mut impl Connection, plan: &Plan<'_>, draft: &Draft<'_>) -> Result<()> {
    struct Turn {
        id: TurnId,
        session: i64,
        owner: String,
        open: bool,
        record: String,
    }
    let rows = plan.turns.iter().map(|record| {
        Ok(Turn {
            id: record.id,
            session: draft.key(&record.session)?,
            owner: record.owner.to_hex(),
            open: record.state.is_open(),
            record: json(record)?,
        })
    });
    let rows: Vec<Turn> = rows.collect::<Result<_>>()?;
    insert(connection, &TURNS, &rows, |turn| {
        vec![
            Arg::Blob(turn.id.0.as_bytes()),
            Arg::Int(turn.session),
            Arg::Text(&turn.owner),
            Arg::Int(turn.open.into()),
            Arg::Text(&turn.record),
        ]
    })
    .await
}

async fn transcript(connection: &mut impl Connection, plan: &Plan<'_>, draft: &Draft<'_>) -> Result<()> {
    for session in &plan.cleared {
        let sql = "DELETE FROM transcript WHERE session = (SELECT key FROM sessions WHERE id = $1)";
        connection.execute(sql, &[Arg::Text(session.as_str())]).await?;
    }
    let rows = plan.transcript.iter();
    let rows = rows.map(|(session, seq, chunk)| Ok((draft.key(session)?, int(*seq)?, json(chunk)?)));
    let rows: Vec<_> = rows.collect::<Result<_>>()?;
    insert(connection, &TRANSCRIPT, &rows, |(session, seq, chunk)| {
        vec![Arg::Int(*session), Arg::Int(*seq), Arg::Text(chunk)]
    })
    .await
}

async fn keys(connection: &mut impl Connection, plan: &Plan<'_>, draft: &Draft<'_>) -> Result<()> {
    for (owner, key) in &plan.freed_keys {
        let owner = owner.to_hex();
        let sql = "DELETE FROM idempotency WHERE owner = $1 AND key = $2";
        connection.execute(sql, &[Arg::Text(&owner), Arg::Text(key)]).await?;
    }
    for record in &plan.keys {
        let (owner, key, text) = (record.owner.to_hex(), draft.key(&record.session)?, json(record)?);
        let sql = "INSERT INTO idempotency (owner, key, session, record) VALUES ($1, $2, $3, $4) \
            ON CONFLICT (owner, key) DO NOTHING";
        let args = [Arg::Text(&owner), Arg::Text(&record.key), Arg::Int(key), Arg::Text(&text)];
        if connection.execute(sql, &args).await? == 0 {
            let sql = "SELECT record FROM idempotency WHERE owner = $1 AND key = $2";
            let rows = connection.fetch(sql, &[Arg::Text(&owner), Arg::Text(&record.key)]).await?;
            for mut row in rows {
                if !row.json::<IdempotencyRecord>(0)?.agrees(record) {
                    return Err(conflict(record));
                }
            }
        }
    }
    Ok(())
}

async fn others(connection: &mut impl Connection, plan: &Plan<'_>) -> Result<()> {
    for (owner, id) in &plan.removed_configs {
        let owner = owner.to_hex();
        let sql = "DELETE FROM configs WHERE owner = $1 AND id = $2";
        connection.execute(sql, &[Arg::Text(&owner), Arg::Text(id)]).await?;
    }
    let configs =
        plan.configs.iter().map(|record| Ok((record.owner.to_hex(), record.id.clone(), json(record)?)));
    let configs: Vec<_> = configs.collect::<Result<_>>()?;
    insert(connection, &CONFIGS, &configs, |(owner, id, record)| {
        vec![Arg::Text(owner), Arg::Text(id), Arg::Text(record)]
    })
    .await?;
    let audit = plan.audit.iter().map(|record| {
        let text = json(record)?;
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        Ok((digest, record.owner.to_hex(), text))
    });
    let audit: Vec<([u8; 32], String, String)> = audit.collect::<Result<_>>()?;
    insert(connection, &AUDIT, &audit, |(digest, owner, record)| {
        vec![Arg::Blob(digest), Arg::Text(owner), Arg::Text(record)]
    })
    .await?;
    insert(connection, &META, &plan.meta, |(key, value)| vec![Arg::Text(key), Arg::Text(value)]).await
}
