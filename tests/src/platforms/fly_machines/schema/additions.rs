//! What the platform's documentation has and the published description of 2024 lacks.

use serde_json::{Value, json};

/// In the form of the description, into which it is put.
pub(super) fn additions() -> Value {
    let mut all = json!({ "definitions": definitions() });
    all["paths"] = paths();
    all
}

fn query(name: &str, kind: &str) -> Value {
    json!({ "in": "query", "name": name, "type": kind })
}

fn paths() -> Value {
    let machine = "/apps/{app_name}/machines/{machine_id}";
    let mut paths = json!({
        "/apps": {
            "get": {},
            "post": { "parameters": [query("wait", "boolean")] },
        },
        "/apps/{app_name}": {
            "delete": { "parameters": [query("force", "boolean")] },
        },
        "/apps/{app_name}/ip_assignments": {
            "get": {},
            "post": { "parameters": [{ "in": "body", "name": "request", "required": true, "schema": { "$ref": "#/definitions/AssignIpRequest" } }] },
        },
        "/apps/{app_name}/machines": {
            "get": { "parameters": [
                query("state", "string"), query("summary", "boolean"), query("include_leases", "boolean"), query("metadata.*", "string"),
            ] },
        },
        "/orgs/{org_slug}/machines": {
            "get": { "parameters": [query("cursor", "string"), query("limit", "integer"), query("updated_after", "string")] },
        },
        "/tokens/current": { "get": {} },
    });
    paths[format!("{machine}/suspend")] = json!({ "post": {} });
    paths[format!("{machine}/wait")] =
        json!({ "get": { "parameters": [query("version", "string"), query("from_event_id", "string")] } });
    paths[format!("{machine}/lease")] = json!({ "post": { "parameters": [query("ttl", "integer")] } });
    paths
}

fn definitions() -> Value {
    json!({
        "AssignIpRequest": { "type": "object", "required": ["type"], "properties": {
            "type": { "type": "string", "enum": ["shared_v4", "v4", "v6", "private_v6"] },
            "region": { "type": "string" }, "org_slug": { "type": "string" },
            "network": { "type": "string" }, "service_name": { "type": "string" },
        } },
        "CreateAppRequest": { "required": ["name", "org_slug"], "properties": {
            "name": { "type": "string" }, "enable_subdomains": { "type": "boolean" },
        } },
        "CreateMachineRequest": { "required": ["config"], "properties": {
            "skip_secrets": { "type": "boolean" }, "min_secrets_version": { "type": "integer" },
        } },
        "MachineExecRequest": { "properties": { "stdin": { "type": "string" }, "container": { "type": "string" } } },
        "App": { "properties": {
            "internal_numeric_id": { "type": "integer" }, "network": { "type": "string" }, "machine_count": { "type": "integer" },
            "volume_count": { "type": "integer" }, "cname_target": { "type": "string" }, "app_role": { "type": "string" },
        } },
        "ListApp": { "properties": { "organization": { "$ref": "#/definitions/Organization" }, "status": { "type": "string" } } },
        "Machine": { "required": ["id", "name", "state", "region", "instance_id"], "properties": {
            "version": { "type": "integer" }, "host_status": { "type": "string", "enum": ["ok", "unknown", "unreachable"] },
            "cordoned": { "type": "boolean" }, "lease": {}, "incomplete_config": {},
        } },
        "fly.MachineConfig": { "required": ["image"], "properties": {
            "rootfs": {}, "containers": {}, "spot": {},
        } },
        "fly.MachineService": { "properties": { "autostop": { "type": "any", "enum": ["off", "stop", "suspend", true, false] } } },
        "fly.HTTPOptions": { "properties": {
            "idle_timeout": { "type": "integer" }, "headers_read_timeout": { "type": "integer" }, "replay_cache": {},
        } },
        // A text such as 10s, or nanoseconds.
        "fly.Duration": { "type": "any", "anyOf": [{ "type": "string" }, { "type": "integer" }] },
    })
}
