//! The database's tables, made and changed step by step.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

/// A step, whose number is its place in the list of all, from 1.
pub(in crate::store) struct Script {
    /// What it is about, in a word or two.
    pub(in crate::store) name: &'static str,
    /// The statements.
    pub(in crate::store) sql: &'static str,
}

/// What takes these steps, where they have not been taken yet.
pub(in crate::store) fn migrator(scripts: &[Script]) -> Migrator {
    let migrations = (1..).zip(scripts).map(|(version, script)| {
        let sql = AssertSqlSafe(script.sql.to_owned()).into_sql_str();
        Migration::new(version, Cow::Borrowed(script.name), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // The lock of the store itself is held, and a waiting one would have no end.
    migrator.set_locking(false);
    migrator
}

/// The number of the newest step.
pub(in crate::store) fn newest(scripts: &[Script]) -> i64 {
    i64::try_from(scripts.len()).unwrap_or(i64::MAX)
}
