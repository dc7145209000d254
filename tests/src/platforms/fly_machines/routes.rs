//! From a request to an answer: recorded, authorised, counted, held to the description, done.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::Value;

use super::answer::{Answer, lost, refuse};
use super::faults::Fault;
use super::record::Recorded;
use super::{AUTHORIZATION, ORGANIZATION, Shared};

/// The longest body that is read.
const LONGEST_BODY: usize = 1 << 20;

/// A request, taken apart.
struct Asked<'a> {
    method: &'a str,
    parts: Vec<&'a str>,
    query: &'a [(String, String)],
    body: Option<&'a Value>,
    nonce: Option<&'a str>,
}

/// Answers every request to the API.
pub(super) async fn answer(State(fake): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let method = head.method.as_str().to_owned();
    let path = head.uri.path().to_owned();
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let number = fake.world.lock().number();
    let request_id = format!("01FAKE{number:06}-iad");
    let body = match axum::body::to_bytes(body, LONGEST_BODY).await {
        Ok(bytes) if bytes.is_empty() => None,
        Ok(bytes) => match serde_json::from_slice::<Value>(&bytes) {
            Ok(body) => Some(body),
            Err(error) => {
                fake.violation(format!("{method} {path} has a body that is no JSON: {error}"));
                return refuse(400, "invalid JSON").response(&request_id);
            }
        },
        Err(_) => return refuse(413, "body too large").response(&request_id),
    };
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    let asked = Asked {
        method: &method,
        query: &query,
        body: body.as_ref(),
        nonce: header("fly-machine-lease-nonce"),
        parts,
    };
    let known = known(&asked);
    let (action, template, counted_by) = known.unwrap_or(("unknown", "", ""));
    let mut is_lost = false;
    let answer = if header("authorization") != Some(AUTHORIZATION) {
        refuse(401, "Authenticate: token validation error")
    } else if known.is_none() || !path.starts_with("/v1/") {
        fake.violation(format!("{method} {path} is nothing that the platform has"));
        refuse(404, "page not found")
    } else if !fake.world.lock().limiter.take(action, counted_by) {
        refuse(429, "rate limit exceeded")
    } else {
        hold_to_description(&fake, &asked, template);
        match fake.faults.take(action) {
            Some(Fault::Answer(status, body)) => Answer::new(status, body),
            Some(Fault::LostAnswer) => {
                is_lost = true;
                done(&fake, action, &asked).await
            }
            Some(Fault::LostRequest) => {
                is_lost = true;
                refuse(500, "never arrived")
            }
            None => done(&fake, action, &asked).await,
        }
    };
    if action.ends_with("_machine") && answer.status == 200 && answer.body.get("id").is_some() {
        for fault in fake.schema.answer("Machine", &answer.body) {
            fake.violation(format!("the fake's own answer: {fault}"));
        }
    }
    fake.record(Recorded {
        action,
        method,
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        body,
        status: answer.status,
    });
    if is_lost { lost() } else { answer.response(&request_id) }
}

/// The action, the path of the description, and what the action is counted by.
fn known<'a>(asked: &Asked<'a>) -> Option<(&'static str, &'static str, &'a str)> {
    const MACHINE: &str = "/apps/{app_name}/machines/{machine_id}";
    let found = match (asked.method, &asked.parts[..]) {
        ("POST", ["apps"]) => ("create_app", "/apps", ORGANIZATION),
        ("GET", ["apps"]) => ("list_apps", "/apps", ORGANIZATION),
        ("GET", ["tokens", "current"]) => ("tokens", "/tokens/current", ""),
        ("GET", ["orgs", org, "machines"]) => ("list_of_organization", "/orgs/{org_slug}/machines", *org),
        ("GET", ["apps", app]) => ("get_app", "/apps/{app_name}", *app),
        ("DELETE", ["apps", _]) => ("delete_app", "/apps/{app_name}", ""),
        ("GET", ["apps", app, "ip_assignments"]) => {
            ("list_addresses", "/apps/{app_name}/ip_assignments", *app)
        }
        ("POST", ["apps", app, "ip_assignments"]) => {
            ("assign_address", "/apps/{app_name}/ip_assignments", *app)
        }
        ("POST", ["apps", app, "machines"]) => ("create_machine", "/apps/{app_name}/machines", *app),
        ("GET", ["apps", app, "machines"]) => ("list_machines", "/apps/{app_name}/machines", *app),
        ("GET", ["apps", _, "machines", id]) => ("get_machine", MACHINE, *id),
        ("DELETE", ["apps", _, "machines", id]) => ("delete_machine", MACHINE, *id),
        ("GET", ["apps", _, "machines", id, "wait"]) => {
            ("wait", "/apps/{app_name}/machines/{machine_id}/wait", *id)
        }
        ("POST", ["apps", _, "machines", id, "start"]) => {
            ("start", "/apps/{app_name}/machines/{machine_id}/start", *id)
        }
        ("POST", ["apps", _, "machines", id, "stop"]) => {
            ("stop", "/apps/{app_name}/machines/{machine_id}/stop", *id)
        }
        ("POST", ["apps", _, "machines", id, "suspend"]) => {
            ("suspend", "/apps/{app_name}/machines/{machine_id}/suspend", *id)
        }
        ("POST", ["apps", _, "machines", id, "exec"]) => {
            ("exec", "/apps/{app_name}/machines/{machine_id}/exec", *id)
        }
        ("GET" | "POST" | "DELETE", ["apps", _, "machines", id, "lease"]) => {
            ("lease", "/apps/{app_name}/machines/{machine_id}/lease", *id)
        }
        _ => return None,
    };
    Some(found)
}

fn hold_to_description(fake: &Shared, asked: &Asked<'_>, template: &str) {
    for fault in fake.schema.request(asked.method, template, asked.query, asked.body) {
        fake.violation(fault);
    }
}

async fn done(fake: &Shared, action: &str, asked: &Asked<'_>) -> Answer {
    let world = &fake.world;
    let query =
        |name: &str| asked.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let body = asked.body.unwrap_or(&Value::Null);
    let force = query("force") == Some("true");
    let app = match asked.parts[..] {
        ["apps", app, ..] => app,
        _ => "",
    };
    match action {
        "create_app" => return world.create_app(body),
        "list_apps" => return world.list_apps(query("org_slug").unwrap_or_default()),
        "tokens" => {
            return Answer::new(
                200,
                serde_json::json!({ "tokens": [{ "org_slug": ORGANIZATION, "token_id": "1" }] }),
            );
        }
        "list_of_organization" => return world.list_of_organization(asked.parts[1], query("cursor")),
        "delete_app" => return world.delete_app(app, force),
        _ => {}
    }
    match world.lock().apps.get(app) {
        None => return refuse(404, "Could not find App"),
        Some(app) if app.organization != ORGANIZATION => return refuse(403, "unauthorized"),
        Some(_) => {}
    }
    match action {
        "get_app" => return world.show_app(app),
        "list_addresses" => return world.addresses(app, None),
        "assign_address" => return world.addresses(app, asked.body),
        "create_machine" => return world.create(app, body).await,
        "list_machines" => return world.list_machines(app, asked.query),
        _ => {}
    }
    let id = asked.parts.get(3).copied().unwrap_or_default();
    let image = match world.lock().machines.get(id).filter(|machine| machine.app == app) {
        None => return refuse(404, "machine not found"),
        Some(machine) => machine.config["image"].as_str().unwrap_or_default().to_owned(),
    };
    if matches!(action, "start" | "stop" | "suspend" | "delete_machine") && world.is_leased(id, asked.nonce) {
        return refuse(409, "lease currently held by somebody@example.com");
    }
    match action {
        "get_machine" => world
            .lock()
            .machines
            .get(id)
            .map_or_else(|| refuse(404, "machine not found"), |machine| Answer::new(200, machine.shown())),
        "delete_machine" => world.destroy(id, force),
        "wait" => world.wait(id, asked.query).await,
        "start" => world.start(id, &image),
        "stop" => world.stop(id, body),
        "suspend" => world.suspend(id),
        "exec" => world.exec(id, body).await,
        _ => {
            let ttl = query("ttl").and_then(|ttl| ttl.parse().ok()).or_else(|| body["ttl"].as_u64());
            world.lease(id, asked.method, ttl.unwrap_or(30), asked.nonce)
        }
    }
}
