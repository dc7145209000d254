//! Calls that are about one session.

use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::{Api, Failure, Session, Snapshot};

#[derive(Deserialize)]
struct OfSession {
    session: Session,
}

#[derive(Deserialize)]
struct OfSnapshot {
    snapshot: Snapshot,
}

#[derive(Serialize)]
struct Extension {
    duration: u64,
}

#[derive(Serialize)]
struct Expiration {
    expiration: u64,
}

impl Api {
    pub(crate) async fn session(&self, id: &str) -> Result<Session, Failure> {
        let path = ["v2", "sandboxes", "sessions", id];
        let seen: OfSession = self.call(Method::GET, &path, &[], self.timeouts.call()).await?;
        Ok(seen.session)
    }

    /// Begins to end a session; a persistent sandbox's files are saved before it is over.
    pub(crate) async fn stop(&self, session: &str) -> Result<Session, Failure> {
        let path = ["v2", "sandboxes", "sessions", session, "stop"];
        let seen: OfSession = self.call(Method::POST, &path, &[], self.timeouts.change()).await?;
        Ok(seen.session)
    }

    /// Moves the end of a session's life, by at least a second.
    pub(crate) async fn extend(&self, session: &str, by: Duration) -> Result<Session, Failure> {
        let path = ["v2", "sandboxes", "sessions", session, "extend-timeout"];
        let body = Extension { duration: millis(by).max(1000) };
        let seen: OfSession = self.send(Method::POST, &path, &[], &body, self.timeouts.call()).await?;
        Ok(seen.session)
    }

    /// Saves a session's files, which ends it. 0 keeps them for ever.
    pub(crate) async fn snapshot(&self, session: &str, expiration_ms: u64) -> Result<Snapshot, Failure> {
        let path = ["v2", "sandboxes", "sessions", session, "snapshot"];
        let body = Expiration { expiration: expiration_ms };
        let seen: OfSnapshot = self.send(Method::POST, &path, &[], &body, self.timeouts.change()).await?;
        Ok(seen.snapshot)
    }
}

/// Milliseconds, as the wire has durations.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
