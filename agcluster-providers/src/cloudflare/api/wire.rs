//! Bodies, as the gateway writes and takes them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `GET /v1/health`.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    /// Always `agcluster`.
    pub(crate) gateway: String,
    pub(crate) version: String,
    pub(crate) protocol: u32,
    /// `default` or `durable_object`.
    pub(crate) scheduling_policy: String,
    pub(crate) features: Features,
}

/// What the runtime of a deployment has.
#[derive(Debug, Deserialize)]
pub(crate) struct Features {
    pub(crate) containers: bool,
}

/// `PUT /v1/containers/{id}`.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct CreateOrder {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) enable_internet: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<String>,
    pub(crate) ready_port: u16,
    pub(crate) ready_path: &'static str,
    pub(crate) ready_timeout_ms: u64,
    pub(crate) idle_timeout_ms: u64,
    pub(crate) expires_at: Timestamp,
}

/// `POST /v1/containers/{id}/stop`.
#[derive(Debug, Serialize)]
pub(super) struct StopOrder {
    pub(super) grace_ms: u128,
}

/// `POST /v1/containers/{id}/extend`.
#[derive(Debug, Serialize)]
pub(super) struct ExtendOrder {
    pub(super) expires_at: Timestamp,
}

/// A container.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) state: SeenState,
    /// Grows with each start, and never comes again.
    pub(crate) generation: u64,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) exit: Option<SeenExit>,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeenState {
    Starting,
    Running,
    Stopping,
    Stopped,
}

/// How a container ended.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SeenExit {
    pub(crate) code: Option<i32>,
    pub(crate) reason: Option<String>,
}

/// `GET /v1/containers`.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) containers: Vec<Seen>,
    /// Where the next page begins; none after the last one.
    pub(crate) cursor: Option<String>,
}
