//! Whose a container is. Labels are all that is left to go by after a crash.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::hex;

/// The deployment that made it; a server never touches another's.
pub const LABEL_CLUSTER: &str = "agcluster.cluster";
/// The public id of the session.
pub const LABEL_SESSION: &str = "agcluster.session";
/// The id of the agent.
pub const LABEL_AGENT: &str = "agcluster.agent";
/// The generation of the container within its session.
pub const LABEL_GENERATION: &str = "agcluster.generation";
/// When it may be removed by anyone of its cluster, in RFC 3339.
pub const LABEL_EXPIRES_AT: &str = "agcluster.expires_at";

/// The longest part of a name that comes from a session id: with the longest generation it makes 63 characters.
const LONGEST_SESSION: usize = 47;
/// How much of a digest tells two shortened session ids apart.
const DIGEST_BYTES: usize = 6;

/// Whose a container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Labels {
    /// See [`LABEL_CLUSTER`].
    pub cluster: String,
    /// See [`LABEL_SESSION`].
    pub session: String,
    /// See [`LABEL_AGENT`].
    pub agent: String,
    /// See [`LABEL_GENERATION`].
    pub generation: u32,
    /// See [`LABEL_EXPIRES_AT`].
    pub expires_at: Option<Timestamp>,
}

impl Labels {
    /// The deterministic name of the container: unique by session and generation, at most 63 characters of `[a-z0-9-]`, so
    /// that every platform takes it. A session id that does not fit is shortened, and told apart by a digest of it.
    pub fn container_name(&self) -> String {
        let kept: String = self
            .session
            .to_ascii_lowercase()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(LONGEST_SESSION)
            .collect();
        let session = if kept == self.session {
            kept
        } else {
            let digest = hex(&Sha256::digest(self.session.as_bytes())[..DIGEST_BYTES]);
            let room = LONGEST_SESSION - digest.len() - 1;
            format!("{}-{digest}", &kept[..kept.len().min(room)])
        };
        format!("agc-{session}-g{}", self.generation)
    }

    /// As the key-value pairs that platforms store.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let mut map = BTreeMap::from([
            (LABEL_CLUSTER.to_owned(), self.cluster.clone()),
            (LABEL_SESSION.to_owned(), self.session.clone()),
            (LABEL_AGENT.to_owned(), self.agent.clone()),
            (LABEL_GENERATION.to_owned(), self.generation.to_string()),
        ]);
        if let Some(at) = self.expires_at {
            map.insert(LABEL_EXPIRES_AT.to_owned(), at.to_string());
        }
        map
    }

    /// Back from what a platform stored; `None` when they are not ours.
    pub fn from_map<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        Some(Self {
            cluster: get(LABEL_CLUSTER)?.to_owned(),
            session: get(LABEL_SESSION)?.to_owned(),
            agent: get(LABEL_AGENT)?.to_owned(),
            generation: get(LABEL_GENERATION)?.parse().ok()?,
            expires_at: get(LABEL_EXPIRES_AT).and_then(|at| at.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels {
            cluster: "default".into(),
            session: "conv-8b2f8f0e-9d5a-4a53-8a3e-0d5b7f1f6c11".into(),
            agent: "agent-0123456789ab".into(),
            generation: 3,
            expires_at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        }
    }

    #[test]
    fn survive_the_platform() {
        let map = labels().to_map();
        assert_eq!(Labels::from_map(|key| map.get(key).map(String::as_str)), Some(labels()));
    }

    #[test]
    fn of_somebody_else_are_not_ours() {
        assert_eq!(Labels::from_map(|_| None), None);
    }

    #[test]
    fn name_different_containers_differently_and_no_longer_than_platforms_take() {
        let long = |end: char| format!("{}{end}", "s".repeat(80));
        let sessions =
            [long('a'), long('b'), "A".into(), "a".into(), "a!".into(), "\u{e4}".into(), String::new()];
        let names: std::collections::BTreeSet<_> = sessions
            .iter()
            .map(|session| {
                let labels = Labels { session: session.clone(), generation: u32::MAX, ..labels() };
                labels.container_name()
            })
            .collect();
        assert_eq!(names.len(), sessions.len(), "{names:?}");
        assert!(names.iter().all(|name| name.len() <= 63), "{names:?}");
    }

    #[test]
    fn name_their_container_the_same_each_time() {
        assert_eq!(labels().container_name(), "agc-conv-8b2f8f0e-9d5a-4a53-8a3e-0d5b7f1f6c11-g3");
        assert!(labels().container_name().len() <= 63);
    }
}
