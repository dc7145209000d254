//! Statements of SQLite.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments, AssertSqlSafe, Connection as _, Decode, Row as _, SqlSafeStr, SqliteConnection, TypeInfo,
    Value, ValueRef,
};

use super::error;
use crate::store::sql::{Arg, Bulk, Cell, Connection, Row};
use crate::store::{Result, StoreError};

/// How many rows one statement inserts, at the most: so many different statements are kept ready.
const SHAPES: [usize; 5] = [1, 4, 16, 64, MOST];
const MOST: usize = 256;
/// The log is carried over when about so much was written.
const ENOUGH: u64 = 16 << 20;
/// What a row costs besides its bytes: its part of pages that are written again.
const PAGE: u64 = 256;

/// How much waits in the log.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    /// About so many bytes were written since it was last carried over.
    pub(super) written: AtomicU64,
    /// It is so long that the next writer should find it empty.
    pub(super) long: AtomicBool,
}

/// The connection that writes.
#[derive(Debug)]
pub(in crate::store) struct SqliteWriter {
    connection: SqliteConnection,
    pressure: Arc<Pressure>,
}

impl SqliteWriter {
    pub(super) fn new(connection: SqliteConnection, pressure: Arc<Pressure>) -> Self {
        Self { connection, pressure }
    }

    pub(super) fn into_inner(self) -> SqliteConnection {
        self.connection
    }

    /// Notes how much was written.
    fn note(&self, bulk: &Bulk, args: &[Arg<'_>]) {
        let bytes: usize = args.iter().map(size).sum();
        let cost = bytes as u64 + (args.len() / bulk.kinds.len()) as u64 * PAGE;
        self.pressure.written.fetch_add(cost, Ordering::Relaxed);
    }

    async fn run(&mut self, sql: impl SqlSafeStr, args: &[Arg<'_>]) -> Result<u64> {
        let query = sqlx::query_with(sql, arguments(args)?);
        let done = query.execute(&mut self.connection).await.map_err(|error| error::of(&error))?;
        Ok(done.rows_affected())
    }
}

#[async_trait]
impl Connection for SqliteWriter {
    const KEEPS_RECENT: bool = true;

    async fn begin(&mut self) -> Result<()> {
        self.run("BEGIN IMMEDIATE", &[]).await.map(drop)
    }

    async fn commit(&mut self) -> Result<()> {
        self.run("COMMIT", &[]).await.map(drop)
    }

    async fn rollback(&mut self) -> Result<()> {
        self.run("ROLLBACK", &[]).await.map(drop)
    }

    async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64> {
        self.run(sql, args).await
    }

    async fn fetch(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        let query = sqlx::query_with(sql, arguments(args)?);
        rows(query.fetch_all(&mut self.connection).await)
    }

    async fn insert(&mut self, bulk: &'static Bulk, args: &[Arg<'_>]) -> Result<()> {
        for rows in args.chunks(MOST * bulk.kinds.len()) {
            let mut statement = Statement::default();
            statement.insert(bulk, rows);
            self.run(AssertSqlSafe(statement.sql), &statement.args).await?;
        }
        self.note(bulk, args);
        Ok(())
    }

    /// Each statement is a way to the thread of SQLite's and back, which takes longer than a few rows do: so it is one.
    async fn insert_at_once(&mut self, tables: &[(&'static Bulk, Vec<Arg<'_>>)]) -> Result<bool> {
        if tables.iter().any(|(bulk, args)| args.len() > MOST * bulk.kinds.len()) {
            return Ok(false);
        }
        let mut all = Statement { sql: "BEGIN IMMEDIATE;".to_owned(), args: Vec::new() };
        for (bulk, args) in tables {
            all.insert(bulk, args);
        }
        all.sql.push_str("COMMIT");
        self.run(AssertSqlSafe(all.sql), &all.args).await?;
        for (bulk, args) in tables {
            self.note(bulk, args);
        }
        Ok(true)
    }

    fn wants_tending(&self) -> bool {
        self.pressure.written.load(Ordering::Relaxed) > ENOUGH
    }

    async fn tend(&mut self) -> Result<()> {
        if self.pressure.long.swap(false, Ordering::Relaxed) {
            // Most was carried over just now, and nobody adds to it: after this, the log begins anew.
            self.fetch("PRAGMA wal_checkpoint(PASSIVE)", &[]).await?;
        }
        Ok(())
    }

    async fn close(self) {
        end(self.connection).await;
    }
}

/// Ends a connection, and waits until it is.
pub(super) async fn end(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "the connection to SQLite ended badly");
    }
}

/// One or more statements, and their values.
#[derive(Default)]
struct Statement<'a> {
    sql: String,
    args: Vec<Arg<'a>>,
}

impl<'a> Statement<'a> {
    /// `INSERT INTO t (a, b) SELECT * FROM (VALUES (?,?),(?,?)) WHERE column1 IS NOT NULL;` where rows of nulls fill it up
    /// to one of the [`SHAPES`].
    fn insert(&mut self, bulk: &Bulk, args: &[Arg<'a>]) {
        let columns = bulk.kinds.len();
        let rows = args.len() / columns;
        if rows == 0 {
            return;
        }
        let shape = SHAPES.into_iter().find(|shape| *shape >= rows).unwrap_or(rows);
        self.args.extend(args);
        self.args.extend(std::iter::repeat_n(Arg::OptInt(None), (shape - rows) * columns));
        let row = format!("({})", vec!["?"; columns].join(","));
        let values = vec![row.as_str(); shape].join(",");
        let Bulk { into, conflict, .. } = bulk;
        // A conflict that is an error ends the transaction anyway. Said beforehand, SQLite need not be able to undo the
        // statement alone.
        let or = if conflict.is_empty() { "OR ROLLBACK " } else { "" };
        self.sql += &format!(
            "INSERT {or}INTO {into} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL {conflict};"
        );
    }
}

fn size(arg: &Arg<'_>) -> usize {
    match arg {
        Arg::Int(_) | Arg::OptInt(_) => 4,
        Arg::Text(text) => text.len(),
        Arg::Blob(bytes) => bytes.len(),
    }
}

/// The values of a statement.
pub(super) fn arguments(args: &[Arg<'_>]) -> Result<SqliteArguments> {
    let mut all = SqliteArguments::default();
    all.reserve(args.len(), 0);
    for arg in args {
        let added = match arg {
            Arg::Int(value) => all.add(*value),
            Arg::OptInt(value) => all.add(*value),
            Arg::Text(text) => all.add(*text),
            Arg::Blob(bytes) => all.add(*bytes),
        };
        added.map_err(|_| StoreError::Broken("a value cannot be given to SQLite".to_owned()))?;
    }
    Ok(all)
}

/// The rows that a statement gave.
pub(super) fn rows(rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<Row>> {
    let rows = rows.map_err(|error| error::of(&error))?;
    rows.iter().map(row).collect()
}

fn row(row: &SqliteRow) -> Result<Row> {
    let unreadable = || StoreError::Broken("a row of the database cannot be read".to_owned());
    let cell = |column: usize| {
        let value = row.try_get_raw(column).map_err(|_| unreadable())?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let kind = value.to_owned().type_info().name().to_owned();
        let cell = match kind.as_str() {
            "INTEGER" => <i64 as Decode<sqlx::Sqlite>>::decode(value).map(Cell::Int),
            "TEXT" => <String as Decode<sqlx::Sqlite>>::decode(value).map(Cell::Text),
            _ => <Vec<u8> as Decode<sqlx::Sqlite>>::decode(value).map(Cell::Blob),
        };
        cell.map_err(|_| unreadable())
    };
    (0..row.len()).map(cell).collect::<Result<_>>().map(Row)
}
