//! What goes into statements and comes out of them, the same for all databases.

use crate::store::{Result, StoreError};

/// A value for a statement. Absent is an absent number.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Arg<'a> {
    Int(i64),
    OptInt(Option<i64>),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// A value of a row.
#[derive(Debug, Clone)]
pub(in crate::store) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// A row.
#[derive(Debug, Default)]
pub(in crate::store) struct Row(pub(in crate::store) Vec<Cell>);

impl Row {
    /// The number in a column.
    pub(super) fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(unreadable)
    }

    /// The number in a column that may be empty.
    pub(super) fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Cell::Int(value)) => Ok(Some(*value)),
            Some(Cell::Null) => Ok(None),
            _ => Err(unreadable()),
        }
    }

    /// A number that is never negative.
    pub(super) fn count(&self, column: usize) -> Result<u64> {
        u64::try_from(self.int(column)?).map_err(|_| unreadable())
    }

    /// The text in a column, which it leaves.
    pub(super) fn text(&mut self, column: usize) -> Result<String> {
        match self.0.get_mut(column) {
            Some(Cell::Text(value)) => Ok(std::mem::take(value)),
            _ => Err(unreadable()),
        }
    }

    /// The bytes in a column, which they leave.
    pub(super) fn blob(&mut self, column: usize) -> Result<Vec<u8>> {
        match self.0.get_mut(column) {
            Some(Cell::Blob(value)) => Ok(std::mem::take(value)),
            _ => Err(unreadable()),
        }
    }

    /// What the JSON in a column says.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&mut self, column: usize) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|_| unreadable())
    }
}

/// A number as databases have them.
pub(super) fn int(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| StoreError::Broken(format!("{value} is too great a number")))
}

/// Something as JSON.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Broken(format!("it has no form in JSON: {error}")))
}

/// That a row is not what this program writes.
pub(super) fn unreadable() -> StoreError {
    StoreError::Broken("a row of the database is not what this program writes".to_owned())
}
