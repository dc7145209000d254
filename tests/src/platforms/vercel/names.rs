//! Calls that are about a sandbox by its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::objects::{now, of_sandbox, seen};
use super::reply::{Answer, Refusal, Reply};
use super::world::{New, Sandbox, Status, World};
use super::{PROJECT, objects};

const REGIONS: [&str; 4] = ["iad1", "sfo1", "fra1", "hnd1"];

impl World {
    pub(super) async fn create(self: &Arc<Self>, body: &Value) -> Answer {
        if body["projectId"] != PROJECT {
            return Err(Refusal::not_found("Project"));
        }
        let name = body["name"].as_str().map_or_else(|| self.id("sandbox"), str::to_owned);
        self.make(name, new(body), body["source"]["snapshotId"].as_str(), body["source"]["type"].as_str())
            .await
    }

    async fn make(
        self: &Arc<Self>,
        name: String,
        new: New,
        snapshot: Option<&str>,
        source: Option<&str>,
    ) -> Answer {
        let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(safe) {
            return Err(Refusal::bad("Invalid sandbox name"));
        }
        if !REGIONS.contains(&new.region.as_str()) {
            return Err(Refusal::bad(format!("Invalid region {}", new.region)));
        }
        if u64::try_from(new.timeout).is_ok_and(|timeout| timeout > self.options.longest_ms) {
            let minutes = self.options.longest_ms / 60_000;
            return Err(Refusal::bad(format!("timeout restricted to <= {minutes}m")));
        }
        let image = match (snapshot, source) {
            (Some(snapshot), _) => self.image_of_snapshot(snapshot)?,
            (None, Some("git" | "tarball")) => return Err(Refusal::bad("the fake has no network")),
            (None, _) => {
                let image = new.image.as_deref().unwrap_or("vercel/sandbox/universal:latest");
                let found = self.engine.image_of(image).await?;
                found.ok_or_else(|| Refusal::new(404, "not_found", format!("Image {image} not found")))?
            }
        };
        if self.active() >= self.options.concurrent {
            let mut refusal = Refusal::new(429, "rate_limited", "Too many concurrent sandboxes");
            refusal.retry_after = Some(1);
            return Err(refusal);
        }
        let session = self.pending(&name, &new, snapshot.map(str::to_owned));
        let sandbox = Sandbox {
            name: name.clone(),
            new,
            created_at: now(),
            session: Arc::clone(&session),
            current_snapshot: None,
        };
        {
            let mut inner = self.inner();
            if inner.sandboxes.contains_key(&name) {
                inner.sessions.remove(&session.id);
                return Err(Refusal::new(409, "conflict", format!("A sandbox named {name} already exists")));
            }
            inner.sandboxes.insert(name.clone(), sandbox.clone());
        }
        if let Err(error) = self.boot(&session, &image).await {
            self.inner().sandboxes.remove(&name);
            return Err(error.into());
        }
        Ok(Reply::Json(seen(&sandbox, &session, false)))
    }

    pub(super) async fn get(self: &Arc<Self>, name: &str, resume: bool) -> Answer {
        let mut sandbox = self.sandbox(name)?;
        let mut resumed = false;
        if resume {
            // It is slow rather than refused: the official client asks once.
            let settled =
                |status: Status| matches!(status, Status::Running | Status::Pending) || status.is_final();
            sandbox.session.until(settled).await;
            sandbox = self.sandbox(name)?;
        }
        if resume && sandbox.session.state().status.is_final() {
            let gone = || Refusal::new(410, "snapshot_not_found", "Snapshot not found");
            let snapshot = sandbox.current_snapshot.clone().ok_or_else(gone)?;
            let image = self.image_of_snapshot(&snapshot)?;
            let next = self.pending(name, &sandbox.new, Some(snapshot));
            let mut taken = false;
            {
                let mut inner = self.inner();
                let current = inner.sandboxes.get_mut(name).ok_or_else(|| Refusal::not_found("Sandbox"))?;
                // Another call may have been quicker.
                if current.session.id == sandbox.session.id {
                    current.session = Arc::clone(&next);
                    taken = true;
                }
            }
            if taken {
                self.boot(&next, &image).await?;
                resumed = true;
            }
            sandbox = self.sandbox(name)?;
        }
        if resume {
            sandbox.session.until(|status| status != Status::Pending).await;
        }
        Ok(Reply::Json(seen(&sandbox, &sandbox.session, resumed)))
    }

    pub(super) fn list(&self, query: &BTreeMap<String, Vec<String>>) -> Answer {
        let one = |key: &str| query.get(key).and_then(|values| values.first()).map(String::as_str);
        let tags = query.get("tags").map(Vec::as_slice).unwrap_or_default();
        if tags.len() > 1 {
            return Err(Refusal::bad("Only one tag filter is supported at a time"));
        }
        if one("project") != Some(PROJECT) {
            return Err(Refusal::not_found("Project"));
        }
        let by = one("sortBy").unwrap_or("createdAt");
        let prefix = one("namePrefix");
        if prefix.is_some() && by != "name" {
            return Err(Refusal::bad("namePrefix requires sortBy=name"));
        }
        if query.contains_key("status") && by != "createdAt" {
            return Err(Refusal::bad("status requires sortBy=createdAt"));
        }
        let tag = tags.first().and_then(|tag| tag.split_once(':'));
        let inner = self.inner();
        let mut found: Vec<_> = inner
            .sandboxes
            .values()
            .filter(|sandbox| prefix.is_none_or(|prefix| sandbox.name.starts_with(prefix)))
            .filter(|sandbox| {
                tag.is_none_or(|(key, value)| sandbox.new.tags.get(key).is_some_and(|seen| seen == value))
            })
            .collect();
        if by != "name" {
            found.sort_by_key(|sandbox| (sandbox.created_at, &sandbox.name));
        }
        if one("sortOrder").unwrap_or("desc") == "desc" {
            found.reverse();
        }
        let limit = one("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10_usize);
        let begin = one("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0_usize);
        let page: Vec<_> = found.iter().skip(begin).take(limit).collect();
        let next = (begin + page.len() < found.len()).then(|| (begin + page.len()).to_string());
        let sandboxes: Vec<_> = page.iter().map(|sandbox| of_sandbox(sandbox, &sandbox.session)).collect();
        let count = sandboxes.len();
        Ok(Reply::Json(json!({"sandboxes": sandboxes, "pagination": {"count": count, "next": next}})))
    }

    pub(super) fn update(&self, name: &str, body: &Value) -> Answer {
        let mut inner = self.inner();
        let sandbox = inner.sandboxes.get_mut(name).ok_or_else(|| Refusal::not_found("Sandbox"))?;
        let new = &mut sandbox.new;
        if let Some(tags) = body.get("tags") {
            new.tags = strings(tags);
        }
        if let Some(persistent) = body["persistent"].as_bool() {
            new.persistent = persistent;
        }
        if let Some(timeout) = body["timeout"].as_i64() {
            let more = timeout - new.timeout;
            new.timeout = timeout;
            sandbox.session.change(|state| state.expires_at += more.max(0));
        }
        if let Some(policy) = body.get("networkPolicy") {
            new.network_policy = Some(policy.clone());
        }
        if let Some(snapshot) = body["currentSnapshotId"].as_str() {
            sandbox.current_snapshot = Some(snapshot.to_owned());
        }
        let session = Arc::clone(&sandbox.session);
        Ok(Reply::Json(json!({
            "sandbox": of_sandbox(sandbox, &session),
            "routes": objects::routes(&session),
        })))
    }

    pub(super) async fn delete(&self, name: &str, orphans: bool) -> Answer {
        let removed = {
            let mut inner = self.inner();
            let removed = inner.sandboxes.remove(name).ok_or_else(|| Refusal::not_found("Sandbox"))?;
            if orphans {
                inner.delete_orphans(name);
            }
            removed
        };
        if !removed.session.state().status.is_final() {
            removed.session.go(Status::Stopping);
            self.finish(&removed.session).await?;
            removed.session.go(Status::Stopped);
        }
        Ok(Reply::Json(json!({"sandbox": of_sandbox(&removed, &removed.session)})))
    }

    pub(super) async fn fork(self: &Arc<Self>, name: &str, body: &Value) -> Answer {
        let source = self.sandbox(name)?;
        let mut forked = source.new.clone();
        let over = new(body);
        for (field, take) in [
            ("persistent", (|to, from| to.persistent = from.persistent) as fn(&mut New, &New)),
            ("timeout", |to, from| to.timeout = from.timeout),
            ("resources", |to, from| to.vcpus = from.vcpus),
            ("ports", |to, from| to.ports.clone_from(&from.ports)),
            ("tags", |to, from| to.tags.clone_from(&from.tags)),
            ("env", |to, from| to.env.clone_from(&from.env)),
            ("image", |to, from| to.image.clone_from(&from.image)),
            ("region", |to, from| to.region.clone_from(&from.region)),
            ("networkPolicy", |to, from| to.network_policy.clone_from(&from.network_policy)),
        ] {
            if body.get(field).is_some() {
                take(&mut forked, &over);
            }
        }
        let fork = body["name"].as_str().map_or_else(|| self.id("sandbox"), str::to_owned);
        self.make(fork, forked, source.current_snapshot.as_deref(), None).await
    }
}

/// The fields of a body, with Vercel's defaults.
fn new(body: &Value) -> New {
    New {
        persistent: body["persistent"].as_bool().unwrap_or(true),
        image: body["image"].as_str().map(str::to_owned),
        region: body["region"].as_str().unwrap_or("iad1").to_owned(),
        vcpus: body["resources"]["vcpus"].as_u64().unwrap_or(2),
        timeout: body["timeout"].as_i64().unwrap_or(300_000),
        network_policy: body.get("networkPolicy").cloned(),
        tags: strings(&body["tags"]),
        env: strings(&body["env"]),
        ports: body["ports"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
        snapshot_expiration: body["snapshotExpiration"].as_i64(),
    }
}

pub(super) fn strings(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
