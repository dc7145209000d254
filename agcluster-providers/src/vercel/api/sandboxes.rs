//! Calls that are about a sandbox by its name.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::{Api, Failure, NetworkBody, Sandbox, Seen, Snapshot};

/// A sandbox to make. Absent fields are left out, as Vercel's own client does.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewSandbox {
    pub(crate) project_id: String,
    pub(crate) ports: Vec<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Source>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resources: Option<VCpus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) persistent: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network_policy: Option<NetworkBody>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    /// Milliseconds; 0 is for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot_expiration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep_last_snapshots: Option<KeepLast>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failover_regions: Vec<String>,
}

/// How large a machine is.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct VCpus {
    pub(crate) vcpus: u32,
}

/// How many snapshots of a persistent sandbox are kept.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct KeepLast {
    pub(crate) count: u32,
}

/// What a sandbox begins with, in place of an image.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Source {
    Snapshot { snapshot_id: String },
}

/// A tag that a list is filtered by; Vercel takes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

#[derive(Deserialize)]
struct Page {
    sandboxes: Vec<Sandbox>,
    pagination: Pagination,
}

#[derive(Deserialize)]
struct Pagination {
    next: Option<String>,
}

#[derive(Deserialize)]
struct Changed {
    sandbox: Sandbox,
}

#[derive(Deserialize)]
struct Snapshots {
    snapshots: Vec<Snapshot>,
}

#[derive(Serialize)]
struct TagsOnly<'a> {
    tags: &'a BTreeMap<String, String>,
}

const PAGE: &str = "50";
/// More pages than a project can have: then the list has no end, and something is wrong.
const MOST_PAGES: usize = 400;

impl Api {
    pub(crate) async fn create(&self, new: &NewSandbox) -> Result<Seen, Failure> {
        self.send(Method::POST, &["v3", "sandboxes"], &[], new, self.timeouts.change()).await
    }

    /// Looks, and starts nothing.
    pub(crate) async fn get(&self, name: &str) -> Result<Seen, Failure> {
        let path = ["v2", "sandboxes", name];
        self.call(Method::GET, &path, &[self.in_project()], self.timeouts.call()).await
    }

    /// Starts a new session of a persistent sandbox that stands still, beginning with its last snapshot.
    pub(crate) async fn resume(&self, name: &str) -> Result<Seen, Failure> {
        let path = ["v2", "sandboxes", name];
        let query = [self.in_project(), ("resume", "true")];
        self.call(Method::GET, &path, &query, self.timeouts.change()).await
    }

    /// All sandboxes with a tag; without one, all whose name begins with `prefix`.
    pub(crate) async fn list(&self, tag: Option<Tag<'_>>, prefix: &str) -> Result<Vec<Sandbox>, Failure> {
        let filter = tag.map(|tag| format!("{}:{}", tag.key, tag.value));
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query = vec![("project", self.credentials.project.as_str()), ("limit", PAGE)];
            match &filter {
                Some(filter) => query.push(("tags", filter)),
                None => query.extend([("sortBy", "name"), ("sortOrder", "asc"), ("namePrefix", prefix)]),
            }
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let path = ["v2", "sandboxes"];
            let page: Page = self.call(Method::GET, &path, &query, self.timeouts.call()).await?;
            found.extend(page.sandboxes);
            match page.pagination.next {
                Some(next) => cursor = Some(next),
                None => return Ok(found),
            }
        }
        Err(Failure::nonsense("the list of sandboxes has no end".to_owned()))
    }

    /// Asks for one sandbox of the project, to see whether the API answers.
    pub(crate) async fn probe(&self, limit: Duration) -> Result<(), Failure> {
        let query = [("project", self.credentials.project.as_str()), ("limit", "1")];
        let _: Page = self.call(Method::GET, &["v2", "sandboxes"], &query, limit).await?;
        Ok(())
    }

    /// Replaces a sandbox's tags.
    pub(crate) async fn set_tags(&self, name: &str, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        let path = ["v2", "sandboxes", name];
        let limit = self.timeouts.call();
        let _: Changed =
            self.send(Method::PATCH, &path, &[self.in_project()], &TagsOnly { tags }, limit).await?;
        Ok(())
    }

    /// Removes a sandbox and ends its session. `with_snapshots` removes those of its snapshots, too, that no other sandbox uses.
    pub(crate) async fn delete(&self, name: &str, with_snapshots: bool) -> Result<Sandbox, Failure> {
        let path = ["v2", "sandboxes", name];
        let mut query = vec![self.in_project()];
        query.extend(with_snapshots.then_some(("deleteOrphanSnapshots", "true")));
        let gone: Changed = self.call(Method::DELETE, &path, &query, self.timeouts.change()).await?;
        Ok(gone.sandbox)
    }

    /// The snapshots of a sandbox, newest first.
    pub(crate) async fn snapshots(&self, name: &str) -> Result<Vec<Snapshot>, Failure> {
        let query = [("project", self.credentials.project.as_str()), ("name", name), ("limit", "10")];
        let path = ["v2", "sandboxes", "snapshots"];
        let mut found: Snapshots = self.call(Method::GET, &path, &query, self.timeouts.call()).await?;
        found.snapshots.retain(|snapshot| snapshot.status == "created");
        found.snapshots.sort_by(|a, b| b.created_at.0.total_cmp(&a.created_at.0));
        Ok(found.snapshots)
    }

    pub(crate) async fn delete_snapshot(&self, id: &str) -> Result<(), Failure> {
        let path = ["v2", "sandboxes", "snapshots", id];
        let _: serde_json::Value = self.call(Method::DELETE, &path, &[], self.timeouts.call()).await?;
        Ok(())
    }
}
