//! Statements of PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _, SqlSafeStr,
    TypeInfo as _, ValueRef as _,
};

use super::error::{self, Fault};
use crate::store::sql::{Arg, Bulk, Cell, Connection, Kind, Row, Script, migrator};
use crate::store::{Result, StoreError};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long any statement may take, seen from here. PostgreSQL itself gives up sooner, see the driver.
pub(super) const STATEMENT: Duration = Duration::from_secs(20);
/// The most rows and bytes of one statement.
const ROWS: usize = 5_000;
const BYTES: usize = 16 << 20;

/// Whoever holds this lock writes. One a schema; locks are apart for each database anyway.
const LOCK: &str = "SELECT pg_advisory_lock(hashtextextended('agcluster:' || current_schema(), 0))";
/// Ends what an earlier connection of the same store may still be doing, for its lock goes only with it.
const END_EARLIER: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE application_name = $1 AND pid <> pg_backend_pid()";

/// The connection that writes, with the lock.
#[derive(Debug)]
pub(in crate::store) struct PgWriter {
    connection: PgConnection,
    place: String,
}

/// Waits for PostgreSQL, but not for ever.
pub(super) async fn within<T>(
    limit: Duration,
    act: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(limit, act).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Fault::Late),
    }
}

impl PgWriter {
    /// Connects and takes the lock.
    pub(super) async fn open(options: &PgConnectOptions, place: &str) -> Result<Self, Fault> {
        let mut connection = within(CONNECT, options.connect()).await?;
        let name = options.get_application_name().unwrap_or_default().to_owned();
        within(STATEMENT, sqlx::query(END_EARLIER).bind(name).execute(&mut connection)).await?;
        let schema = sqlx::query("SELECT current_schema() IS NOT NULL").fetch_one(&mut connection);
        if !within(STATEMENT, schema).await?.get::<bool, _>(0) {
            return Err(Fault::NoSchema);
        }
        // Waits as long as `lock_timeout` says, for a server that was killed takes a moment to be gone.
        match within(STATEMENT, sqlx::query(LOCK).execute(&mut connection)).await {
            Err(Fault::Sqlx(sqlx::Error::Database(error))) if error.code().as_deref() == Some("55P03") => {
                Err(Fault::Locked)
            }
            Err(fault) => Err(fault),
            Ok(_) => Ok(Self { connection, place: place.to_owned() }),
        }
    }

    /// The newest step that the tables have seen.
    pub(super) async fn version(&mut self) -> Result<i64, Fault> {
        let exists = "SELECT to_regclass(quote_ident(current_schema()) || '._sqlx_migrations') IS NOT NULL";
        let exists = within(STATEMENT, sqlx::query(exists).fetch_one(&mut self.connection)).await?;
        if !exists.get::<bool, _>(0) {
            return Ok(0);
        }
        let version = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
        Ok(within(STATEMENT, sqlx::query(version).fetch_one(&mut self.connection)).await?.get(0))
    }

    /// Takes the steps that have not been taken.
    pub(super) async fn migrate(&mut self, scripts: &[Script]) -> Result<(), Fault> {
        // Each statement of it has PostgreSQL's own limit.
        migrator(scripts).run(&mut self.connection).await.map_err(Fault::from)
    }

    async fn run(&mut self, sql: impl SqlSafeStr, args: PgArguments) -> Result<u64> {
        let query = sqlx::query_with(sql, args).execute(&mut self.connection);
        let done = within(STATEMENT, query).await.map_err(|fault| error::of(&self.place, &fault))?;
        Ok(done.rows_affected())
    }
}

#[async_trait]
impl Connection for PgWriter {
    // Its tables are in the order in which rows come anyway.
    const KEEPS_RECENT: bool = false;

    async fn begin(&mut self) -> Result<()> {
        self.run("BEGIN", PgArguments::default()).await.map(drop)
    }

    async fn commit(&mut self) -> Result<()> {
        self.run("COMMIT", PgArguments::default()).await.map(drop)
    }

    async fn rollback(&mut self) -> Result<()> {
        self.run("ROLLBACK", PgArguments::default()).await.map(drop)
    }

    async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64> {
        self.run(sql, arguments(args)?).await
    }

    async fn fetch(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        let query = sqlx::query_with(sql, arguments(args)?).fetch_all(&mut self.connection);
        rows(&within(STATEMENT, query).await.map_err(|fault| error::of(&self.place, &fault))?)
    }

    async fn insert(&mut self, bulk: &'static Bulk, args: &[Arg<'_>]) -> Result<()> {
        let columns = bulk.kinds.len();
        let mut rest = args;
        while !rest.is_empty() {
            let (mut rows, mut bytes) = (0, 0);
            for row in rest.chunks(columns) {
                bytes += row.iter().map(size).sum::<usize>();
                if rows == ROWS || (rows > 0 && bytes > BYTES) {
                    break;
                }
                rows += 1;
            }
            let (now, later) = rest.split_at(rows * columns);
            self.run(AssertSqlSafe(statement(bulk)), arrays(bulk, now)?).await?;
            rest = later;
        }
        Ok(())
    }

    fn wants_tending(&self) -> bool {
        false
    }

    async fn tend(&mut self) -> Result<()> {
        // Notices soon that the connection, and so the lock, is lost.
        self.run("SELECT 1", PgArguments::default()).await.map(drop)
    }

    async fn close(self) {
        if let Err(Fault::Sqlx(error)) = within(CONNECT, self.connection.close()).await {
            tracing::debug!(%error, "the connection to PostgreSQL ended badly");
        }
    }
}

/// `INSERT INTO t (a, b) SELECT * FROM UNNEST($1::bigint[], $2::text[])`.
fn statement(bulk: &Bulk) -> String {
    let arrays = (1..).zip(bulk.kinds).map(|(number, kind)| {
        let kind = match kind {
            Kind::Int => "bigint",
            Kind::Text => "text",
            Kind::Blob => "bytea",
        };
        format!("${number}::{kind}[]")
    });
    let arrays = arrays.collect::<Vec<_>>().join(", ");
    format!("INSERT INTO {} SELECT * FROM UNNEST({arrays}) {}", bulk.into, bulk.conflict)
}

fn size(arg: &Arg<'_>) -> usize {
    match arg {
        Arg::Int(_) | Arg::OptInt(_) => 8,
        Arg::Text(text) => text.len(),
        Arg::Blob(bytes) => bytes.len(),
    }
}

fn unusable() -> StoreError {
    StoreError::Broken("a value cannot be given to PostgreSQL".to_owned())
}

/// Rows, one array a column.
fn arrays(bulk: &Bulk, args: &[Arg<'_>]) -> Result<PgArguments> {
    let columns = bulk.kinds.len();
    let mut all = PgArguments::default();
    for (column, kind) in bulk.kinds.iter().enumerate() {
        let column = args.iter().skip(column).step_by(columns);
        let added = match kind {
            Kind::Int => all.add(column.map(number).collect::<Result<Vec<Option<i64>>>>()?),
            Kind::Text => all.add(column.map(text).collect::<Result<Vec<&str>>>()?),
            Kind::Blob => all.add(column.map(blob).collect::<Result<Vec<&[u8]>>>()?),
        };
        added.map_err(|_| unusable())?;
    }
    Ok(all)
}

fn number(arg: &Arg<'_>) -> Result<Option<i64>> {
    match arg {
        Arg::Int(value) => Ok(Some(*value)),
        Arg::OptInt(value) => Ok(*value),
        Arg::Text(_) | Arg::Blob(_) => Err(unusable()),
    }
}

fn text<'a>(arg: &Arg<'a>) -> Result<&'a str> {
    if let Arg::Text(text) = arg { Ok(text) } else { Err(unusable()) }
}

fn blob<'a>(arg: &Arg<'a>) -> Result<&'a [u8]> {
    if let Arg::Blob(bytes) = arg { Ok(bytes) } else { Err(unusable()) }
}

/// The values of a statement.
pub(super) fn arguments(args: &[Arg<'_>]) -> Result<PgArguments> {
    let mut all = PgArguments::default();
    for arg in args {
        let added = match arg {
            Arg::Int(value) => all.add(*value),
            Arg::OptInt(value) => all.add(*value),
            Arg::Text(text) => all.add(*text),
            Arg::Blob(bytes) => all.add(*bytes),
        };
        added.map_err(|_| unusable())?;
    }
    Ok(all)
}

/// The rows that a statement gave.
pub(super) fn rows(rows: &[PgRow]) -> Result<Vec<Row>> {
    rows.iter().map(row).collect()
}

fn row(row: &PgRow) -> Result<Row> {
    let cell = |column: usize| {
        let value = row.try_get_raw(column)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let kind = value.type_info().name().to_owned();
        match kind.as_str() {
            "INT4" => row.try_get::<i32, _>(column).map(|value| Cell::Int(value.into())),
            "INT8" => row.try_get(column).map(Cell::Int),
            "TEXT" => row.try_get(column).map(Cell::Text),
            _ => row.try_get(column).map(Cell::Blob),
        }
    };
    let cells = (0..row.len()).map(cell).collect::<Result<_, sqlx::Error>>();
    cells.map(Row).map_err(|_| StoreError::Broken("a row of the database cannot be read".to_owned()))
}
