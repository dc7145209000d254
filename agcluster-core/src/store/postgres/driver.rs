//! The ways into a database of PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};
use uuid::Uuid;

use super::connection::{self, PgWriter, STATEMENT, within};
use super::error::{self, Fault};
use crate::store::sql::{Arg, Driver, Row, connections_of};
use crate::store::{Connections, DatabaseUrl, Result};

/// How many read at once.
const READERS: u32 = 8;
/// How long one waits for its turn to read, and for a connection.
const TURN: Duration = Duration::from_secs(5);
/// A connection that read nothing for so long is ended.
const IDLE: Duration = Duration::from_secs(300);

/// A database of PostgreSQL.
#[derive(Debug)]
pub(in crate::store) struct Postgres {
    place: String,
    writing: PgConnectOptions,
    readers: PgPool,
}

impl Postgres {
    pub(super) fn new(url: &DatabaseUrl, options: PgConnectOptions) -> Self {
        let options = options.disable_statement_logging().options([
            ("statement_timeout", "15s"),
            ("lock_timeout", "3s"),
            ("idle_in_transaction_session_timeout", "30s"),
            // So that the lock of a machine that is gone does not stay for hours.
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ]);
        // A name of its own, to be known by when it must be ended from another connection.
        let name = format!("agcluster-writer-{}", Uuid::new_v4().simple());
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(TURN)
            .idle_timeout(IDLE)
            .connect_lazy_with(options.clone().application_name("agcluster"));
        Self { place: url.to_string(), writing: options.application_name(&name), readers }
    }

    /// A connection that writes.
    pub(super) async fn writer(&self) -> Result<PgWriter, Fault> {
        PgWriter::open(&self.writing, &self.place).await
    }
}

#[async_trait]
impl Driver for Postgres {
    type Connection = PgWriter;

    async fn connect(&self) -> Result<PgWriter> {
        self.writer().await.map_err(|fault| error::of(&self.place, &fault))
    }

    async fn fetch(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        let query = sqlx::query_with(sql, connection::arguments(args)?).fetch_all(&self.readers);
        let rows = within(STATEMENT, query).await.map_err(|fault| error::of(&self.place, &fault))?;
        connection::rows(&rows)
    }

    fn readers(&self) -> Connections {
        connections_of(&self.readers)
    }

    async fn tend(&self) -> Result<()> {
        // PostgreSQL looks after itself.
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
    }
}
