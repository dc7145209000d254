//! What Vercel says of sandboxes, sessions, commands and snapshots. Fields that are not needed are not read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A sandbox with its current session.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Seen {
    pub(crate) sandbox: Sandbox,
    pub(crate) session: Session,
    pub(crate) routes: Vec<Route>,
}

/// A durable name in a project.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sandbox {
    pub(crate) name: String,
    pub(crate) persistent: bool,
    pub(crate) status: Status,
    pub(crate) created_at: Millis,
    pub(crate) expires_at: Option<Millis>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
}

/// One running machine of a sandbox, or one that ran.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) status: Status,
    /// How long it lives, from its start.
    pub(crate) timeout: Millis,
    pub(crate) created_at: Millis,
    pub(crate) started_at: Option<Millis>,
    /// The folder of its user; differs between images.
    pub(crate) cwd: String,
}

impl Session {
    /// When the platform ends it, as Vercel's own client reckons it.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        (self.status == Status::Running)
            .then(|| Millis(self.started_at.unwrap_or(self.created_at).0 + self.timeout.0).at())?
    }
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Pending,
    Running,
    Stopping,
    Snapshotting,
    Stopped,
    Failed,
    Aborted,
    /// One that came later than this was written.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Whether it will be no other any more.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Aborted)
    }
}

/// Where a port is reached from outside.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Route {
    pub(crate) url: String,
    pub(crate) port: u32,
}

/// A command that runs or ran in a session.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Command {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    /// Absent while it runs.
    pub(crate) exit_code: Option<i32>,
    pub(crate) started_at: Millis,
}

/// A saved file system.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) created_at: Millis,
}

/// A time or a duration. Vercel counts in milliseconds, and does not promise whole ones.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(transparent)]
pub(crate) struct Millis(pub(crate) f64);

impl Millis {
    /// As a time since 1970.
    pub(crate) fn at(self) -> Option<Timestamp> {
        // A number out of range becomes the nearest in range, which is no time either.
        Timestamp::from_millisecond(self.0 as i64).ok()
    }
}

/// A network policy, as requests have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum NetworkBody {
    Mode {
        mode: &'static str,
    },
    Custom {
        allow: Vec<String>,
        #[serde(skip_serializing_if = "Subnets::is_empty")]
        subnets: Subnets,
    },
}

/// Address ranges of a policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Subnets {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) deny: Vec<String>,
}

impl Subnets {
    fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}
