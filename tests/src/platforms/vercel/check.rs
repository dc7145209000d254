//! What each call takes and answers.

use std::path::PathBuf;

use http::Method;
use serde_json::{Value, json};

use super::schema;
use crate::aloud::not_checked;

/// The schemas that Vercel's own client holds answers to.
const SPECS: &str = "../shared/reference/specs/vercel-sandbox-3.5.0-client-schemas.json";

/// What a call takes and answers.
pub(super) struct Call {
    /// The keys of its query besides `teamId`.
    pub(super) query: &'static [&'static str],
    /// Those without which it is refused.
    pub(super) needed: &'static [&'static str],
    /// Its body.
    pub(super) body: Body,
    /// The schema of its answer.
    pub(super) answer: &'static str,
}

/// The body of a call.
pub(super) enum Body {
    None,
    /// JSON of this shape, or nothing.
    Optional(Value),
    Json(Value),
    Gzip,
}

/// The schemas, if this checkout has them.
#[derive(Debug)]
pub(super) struct Schemas {
    all: Option<Value>,
}

impl Schemas {
    pub(super) fn read() -> anyhow::Result<Self> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(SPECS);
        let all = match std::fs::read(&path) {
            Ok(text) => {
                let mut all: Value = serde_json::from_slice(&text)?;
                Some(all["schemas"].take())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                not_checked(&format!("what Vercel answers, and network policies, against {SPECS}"));
                None
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { all })
    }

    /// What is wrong with a value; nothing where there is no schema to hold it to.
    pub(super) fn faults(&self, name: &str, value: &Value) -> Vec<String> {
        match self.all.as_ref().map(|all| &all[name]) {
            None => Vec::new(),
            Some(Value::Null) => vec![format!("there is no schema {name}")],
            Some(schema) => schema::faults(schema, value),
        }
    }
}

/// What the call of a path takes; `None` when there is no such call.
pub(super) fn call(method: &Method, path: &[&str]) -> Option<Call> {
    let get = *method == Method::GET;
    let post = *method == Method::POST;
    let call = |query, needed, body, answer| Some(Call { query, needed, body, answer });
    match path {
        ["v3", "sandboxes"] if post => call(&[], &[], Body::Json(create("image")), SEEN),
        ["v2", "sandboxes"] if post => call(&[], &[], Body::Json(create("runtime")), SEEN),
        ["v2", "sandboxes"] if get => {
            const QUERY: &[&str] =
                &["project", "limit", "cursor", "sortBy", "sortOrder", "namePrefix", "tags", "status"];
            call(QUERY, &["project"], Body::None, "SandboxesPaginationResponse")
        }
        ["v2", "sandboxes", "sessions", _, rest @ ..] => session(method, rest),
        ["v2", "sandboxes", "snapshots"] if get => {
            const QUERY: &[&str] = &["project", "name", "limit", "cursor", "sortOrder"];
            call(QUERY, &["project"], Body::None, "SnapshotsResponse")
        }
        ["v2", "sandboxes", "snapshots", _] if get || *method == Method::DELETE => {
            call(&[], &[], Body::None, "SnapshotResponse")
        }
        ["v2", "sandboxes", _] if get => call(&["projectId", "resume"], &["projectId"], Body::None, SEEN),
        ["v2", "sandboxes", _] if *method == Method::PATCH => {
            call(&["projectId"], &["projectId"], Body::Json(change()), "UpdateSandboxResponse")
        }
        ["v2", "sandboxes", _] if *method == Method::DELETE => {
            const QUERY: &[&str] = &["projectId", "deleteOrphanSnapshots"];
            call(QUERY, &["projectId"], Body::None, "UpdateSandboxResponse")
        }
        ["v2", "sandboxes", _, "fork"] if post => {
            call(&["projectId"], &["projectId"], Body::Json(fork()), SEEN)
        }
        _ => None,
    }
}

const SEEN: &str = "SandboxAndSessionResponse";

fn session(method: &Method, rest: &[&str]) -> Option<Call> {
    let call = |query, body, answer| Some(Call { query, needed: &[], body, answer });
    let object = |properties: Value, required: Value| {
        Body::Json(json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }))
    };
    let text = || json!({"type": "string"});
    match (method.as_str(), rest) {
        ("GET", []) => call(&[], Body::None, "SessionAndRoutesResponse"),
        ("POST", ["stop"]) => call(&[], Body::None, "StopSessionResponse"),
        ("POST", ["extend-timeout"]) => {
            let body = object(json!({"duration": {"type": "integer", "minimum": 1000}}), json!(["duration"]));
            call(&[], body, "SessionResponse")
        }
        ("POST", ["network-policy"]) => call(&[], Body::Json(json!({"type": "object"})), "SessionResponse"),
        ("POST", ["snapshot"]) => {
            let body = json!({
                "type": "object",
                "properties": {"expiration": {"type": "integer", "minimum": 0}},
                "additionalProperties": false,
            });
            call(&[], Body::Optional(body), "CreateSnapshotResponse")
        }
        ("POST", ["cmd"]) => {
            let fields = json!({
                "command": text(),
                "args": {"type": "array", "items": text()},
                "cwd": text(),
                "env": strings(),
                "sudo": {"type": "boolean"},
                "timeout": {"type": "integer", "minimum": 1},
                "wait": {"const": true},
                "logs": {"const": true},
            });
            call(&[], object(fields, json!(["command", "args", "env", "sudo"])), "CommandResponse")
        }
        // There is no schema for it: the client has no such call.
        ("GET", ["cmd"]) => call(&[], Body::None, ""),
        ("GET", ["cmd", _]) => call(&["wait"], Body::None, "CommandResponse"),
        ("GET", ["cmd", _, "logs"]) => call(&[], Body::None, ""),
        ("POST", ["cmd", _, "kill"]) => {
            let body = object(
                json!({"signal": {"type": "integer", "minimum": 1, "maximum": 64}}),
                json!(["signal"]),
            );
            call(&[], body, "CommandResponse")
        }
        ("POST", ["fs", "write"]) => call(&[], Body::Gzip, "EmptyResponse"),
        ("POST", ["fs", "read"]) => {
            call(&[], object(json!({"path": text(), "cwd": text()}), json!(["path"])), "")
        }
        ("POST", ["fs", "mkdir"]) => {
            call(&[], object(json!({"path": text(), "cwd": text()}), json!(["path"])), "EmptyResponse")
        }
        _ => None,
    }
}

fn strings() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

/// The fields of a new sandbox that others share.
fn common() -> Value {
    let regions = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "name": {"type": "string"},
        "ports": {"type": "array", "maxItems": 15, "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
        "timeout": {"type": "integer", "minimum": 1000},
        "resources": {
            "type": "object",
            "properties": {"vcpus": {"type": "integer", "minimum": 1, "maximum": 32}},
            "required": ["vcpus"],
            "additionalProperties": false,
        },
        "persistent": {"type": "boolean"},
        "networkPolicy": {"type": "object"},
        "networkId": {"type": "string"},
        "env": strings(),
        "tags": {"type": "object", "maxProperties": 5, "additionalProperties": {"type": "string"}},
        "snapshotExpiration": {"type": "integer", "minimum": 0},
        "keepLastSnapshots": {
            "type": "object",
            "properties": {
                "count": {"type": "integer", "minimum": 1, "maximum": 10},
                "expiration": {"type": "integer", "minimum": 0},
                "deleteEvicted": {"type": "boolean"},
            },
            "required": ["count"],
            "additionalProperties": false,
        },
        "mounts": {"type": "object"},
        "region": {"type": "string"},
        "failoverRegions": regions,
    })
}

/// With either `image` or `runtime`: which one is the difference between the versions of the call.
fn create(kind: &str) -> Value {
    let mut fields = common();
    fields["projectId"] = json!({"type": "string"});
    fields[kind] = json!({"type": "string"});
    let source = |kind: &str, fields: Value, required: &[&str]| {
        let mut fields = fields;
        fields["type"] = json!({"const": kind});
        let required: Vec<_> = required.iter().chain(&["type"]).collect();
        json!({"type": "object", "properties": fields, "required": required, "additionalProperties": false})
    };
    let text = json!({"type": "string"});
    let git = json!({"url": text, "depth": {"type": "integer"}, "revision": text, "username": text, "password": text});
    fields["source"] = json!({"anyOf": [
        source("snapshot", json!({"snapshotId": text}), &["snapshotId"]),
        source("git", git, &["url"]),
        source("tarball", json!({"url": text}), &["url"]),
    ]});
    let required: &[&str] =
        if kind == "runtime" { &["projectId", "ports", "runtime"] } else { &["projectId", "ports"] };
    json!({"type": "object", "properties": fields, "required": required, "additionalProperties": false})
}

fn change() -> Value {
    let mut fields = common();
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("name");
        fields.remove("env");
    }
    fields["currentSnapshotId"] = json!({"type": "string"});
    json!({"type": "object", "properties": fields, "additionalProperties": false})
}

fn fork() -> Value {
    let mut fields = common();
    fields["image"] = json!({"type": "string"});
    json!({"type": "object", "properties": fields, "additionalProperties": false})
}
