//! How labels are kept in the five tags that a sandbox may have.
//!
//! Values are of letters, digits, `.`, `_` and `-` only, because a list is filtered by `key:value`.

use std::collections::BTreeMap;

use agcluster_core::provider::Labels;
use jiff::Timestamp;

pub(super) const CLUSTER: &str = "agcluster-cluster";
pub(super) const SESSION: &str = "agcluster-session";
const AGENT: &str = "agcluster-agent";
/// The generation; of what is only kept for the next one, behind a `.` the snapshot that has its workspace.
const GENERATION: &str = "agcluster-generation";
/// Nanoseconds since 1970.
const EXPIRES_AT: &str = "agcluster-expires-at";

/// What tags say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tagged {
    pub(super) labels: Labels,
    /// The snapshot with the workspace of a container that is gone.
    pub(super) kept: Option<String>,
}

/// The tags of a container, or of what is kept of it.
pub(super) fn of(labels: &Labels, kept: Option<&str>) -> BTreeMap<String, String> {
    let generation = match kept {
        Some(snapshot) => format!("{}.{snapshot}", labels.generation),
        None => labels.generation.to_string(),
    };
    let mut tags = BTreeMap::from([
        (CLUSTER.to_owned(), labels.cluster.clone()),
        (SESSION.to_owned(), labels.session.clone()),
        (AGENT.to_owned(), labels.agent.clone()),
        (GENERATION.to_owned(), generation),
    ]);
    if let Some(at) = labels.expires_at {
        tags.insert(EXPIRES_AT.to_owned(), at.as_nanosecond().to_string());
    }
    tags
}

/// Back from a sandbox's tags; `None` when it is not ours.
pub(super) fn read(tags: &BTreeMap<String, String>) -> Option<Tagged> {
    let get = |key: &str| tags.get(key).cloned();
    let generation = get(GENERATION)?;
    let (generation, kept) = match generation.split_once('.') {
        Some((generation, snapshot)) => (generation, Some(snapshot.to_owned())),
        None => (generation.as_str(), None),
    };
    let expires_at =
        get(EXPIRES_AT).and_then(|at| at.parse().ok()).and_then(|at| Timestamp::from_nanosecond(at).ok());
    let labels = Labels {
        cluster: get(CLUSTER)?,
        session: get(SESSION)?,
        agent: get(AGENT)?,
        generation: generation.parse().ok()?,
        expires_at,
    };
    Some(Tagged { labels, kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels {
            cluster: "default".to_owned(),
            session: "conv-1".to_owned(),
            agent: "agent-1".to_owned(),
            generation: 4_000_000_000,
            expires_at: Some("2026-01-02T03:04:05.000000006Z".parse().unwrap()),
        }
    }

    #[test]
    fn survive_and_fit() {
        for kept in [None, Some("snap_1")] {
            let tags = of(&labels(), kept);
            assert!(tags.len() <= 5, "{tags:?}");
            let safe = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            assert!(tags.iter().all(|(key, value)| safe(key) && safe(value)), "{tags:?}");
            let tagged = Tagged { labels: labels(), kept: kept.map(str::to_owned) };
            assert_eq!(read(&tags), Some(tagged));
        }
    }

    #[test]
    fn of_somebody_else_are_not_ours() {
        assert_eq!(read(&BTreeMap::from([("env".to_owned(), "staging".to_owned())])), None);
    }
}
