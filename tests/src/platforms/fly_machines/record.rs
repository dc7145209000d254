//! What the fake was asked.

use serde_json::Value;

/// A request and how it was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// What it was: `create_machine`, `wait`, ….
    pub action: &'static str,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query string.
    pub query: String,
    /// The body.
    pub body: Option<Value>,
    /// The status of the answer.
    pub status: u16,
}

/// So many are kept; later ones are only held to the description.
pub(super) const MOST: usize = 20_000;
