//! Sandboxes, sessions, commands and snapshots as answers have them.

use serde_json::{Map, Value, json};

use super::commands::Command;
use super::snapshots::Snapshot;
use super::world::{Sandbox, Session};

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

pub(super) fn seen(sandbox: &Sandbox, session: &Session, resumed: bool) -> Value {
    let mut seen = json!({
        "sandbox": of_sandbox(sandbox, session),
        "session": of_session(session),
        "routes": routes(session),
    });
    if resumed {
        seen["resumed"] = true.into();
    }
    seen
}

pub(super) fn of_sandbox(sandbox: &Sandbox, session: &Session) -> Value {
    let state = session.state();
    let new = &sandbox.new;
    let mut value = json!({
        "name": sandbox.name,
        "persistent": new.persistent,
        "currentSessionId": session.id,
        "status": state.status.as_str(),
        "createdAt": sandbox.created_at,
        "updatedAt": now(),
        "region": new.region,
        "vcpus": new.vcpus,
        "memory": new.vcpus * 2048,
        "timeout": new.timeout,
        "cwd": super::machine::CWD,
        "statusUpdatedAt": state.updated_at,
    });
    let image = new.image.as_ref().map(|image| json!(format!("{image}@sha256:{:064x}", 1)));
    let expires = (state.status == super::world::Status::Running).then(|| json!(state.expires_at));
    optional(&mut value, "image", image);
    optional(&mut value, "expiresAt", expires);
    optional(&mut value, "networkPolicy", new.network_policy.as_ref().map(policy));
    optional(&mut value, "currentSnapshotId", sandbox.current_snapshot.as_ref().map(|id| json!(id)));
    optional(&mut value, "tags", (!new.tags.is_empty()).then(|| json!(new.tags)));
    value
}

pub(super) fn of_session(session: &Session) -> Value {
    let state = session.state();
    let mut value = json!({
        "id": session.id,
        "memory": session.new.vcpus * 2048,
        "vcpus": session.new.vcpus,
        "region": session.new.region,
        "timeout": state.expires_at - session.started_at,
        "status": state.status.as_str(),
        "requestedAt": session.started_at,
        "createdAt": session.started_at,
        "startedAt": session.started_at,
        "updatedAt": state.updated_at,
        "cwd": super::machine::CWD,
        "sourceSandboxName": session.sandbox,
    });
    let over = state.status.is_final().then(|| json!(state.updated_at));
    optional(&mut value, "stoppedAt", over);
    optional(&mut value, "sourceSnapshotId", session.source.as_ref().map(|id| json!(id)));
    optional(&mut value, "networkPolicy", state.network_policy.as_ref().map(policy));
    value
}

fn optional(value: &mut Value, name: &str, field: Option<Value>) {
    if let Some(field) = field {
        value[name] = field;
    }
}

pub(super) fn routes(session: &Session) -> Value {
    let routes = session.routes.get().into_iter().flatten().map(|route| {
        json!({"url": route.url, "subdomain": format!("sb-{}-{}", session.id, route.port), "port": route.port})
    });
    routes.collect()
}

pub(super) fn of_command(command: &Command) -> Value {
    let state = command.state.borrow();
    let mut value = json!({
        "id": command.id,
        "name": command.name,
        "args": command.args,
        "cwd": command.cwd,
        "sessionId": command.session,
        "exitCode": state.exit,
        "startedAt": command.started_at,
    });
    optional(&mut value, "durationMs", state.duration_ms.map(|duration| json!(duration)));
    value
}

pub(super) fn of_snapshot(snapshot: &Snapshot) -> Value {
    let mut value = json!({
        "id": snapshot.id,
        "sourceSessionId": snapshot.session,
        "region": snapshot.region,
        "status": if snapshot.deleted { "deleted" } else { "created" },
        "sizeBytes": 1 << 20,
        "createdAt": snapshot.created_at,
        "updatedAt": snapshot.created_at,
        "creationMethod": if snapshot.automatic { "automatic" } else { "manual" },
    });
    optional(&mut value, "expiresAt", snapshot.expires_at.map(|at| json!(at)));
    value
}

/// A policy as answers have it, which is not how requests do.
fn policy(request: &Value) -> Value {
    if request.get("mode").is_some() {
        return request.clone();
    }
    let domains: Vec<Value> = match &request["allow"] {
        Value::Array(hosts) => hosts.clone(),
        Value::Object(hosts) => hosts.keys().map(|host| json!(host)).collect(),
        _ => Vec::new(),
    };
    let mut answer =
        Map::from_iter([("mode".to_owned(), json!("custom")), ("allowedDomains".to_owned(), json!(domains))]);
    for (name, field) in [("allowedCIDRs", "allow"), ("deniedCIDRs", "deny")] {
        if let Some(list) = request["subnets"].get(field) {
            answer.insert(name.to_owned(), list.clone());
        }
    }
    answer.into()
}
