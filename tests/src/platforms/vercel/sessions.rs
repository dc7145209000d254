//! Calls that are about one session.

use std::sync::Arc;

use serde_json::{Value, json};

use super::objects::{of_command, of_session, routes};
use super::reply::{Answer, Refusal, Reply};
use super::server::Request;
use super::world::World;

impl World {
    pub(super) async fn of_session(self: &Arc<Self>, id: &str, rest: &[&str], request: &Request) -> Answer {
        let body = &request.json;
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let session = self.session(id)?;
                Ok(Reply::Json(json!({"session": of_session(&session), "routes": routes(&session)})))
            }
            ("POST", ["stop"]) => self.stop_session(id),
            ("POST", ["extend-timeout"]) => self.extend(id, body),
            ("POST", ["network-policy"]) => {
                let session = self.session(id)?;
                session.running()?;
                session.change(|state| state.network_policy = Some(body.clone()));
                Ok(Reply::Json(json!({"session": of_session(&session)})))
            }
            ("POST", ["snapshot"]) => self.take_snapshot(id, body).await,
            ("POST", ["cmd"]) => self.run(id, body).await,
            ("GET", ["cmd"]) => {
                let session = self.session(id)?;
                let commands: Vec<_> = session.commands().iter().rev().map(|seen| of_command(seen)).collect();
                Ok(Reply::Json(json!({ "commands": commands })))
            }
            ("GET", ["cmd", command]) => {
                let command = self.command(id, command)?;
                if request.one("wait") == Some("true") {
                    command.ended().await?;
                }
                Ok(Reply::Json(json!({"command": of_command(&command)})))
            }
            ("GET", ["cmd", command, "logs"]) => Ok(Reply::Lines(self.command(id, command)?.output(false))),
            ("POST", ["cmd", command, "kill"]) => self.kill(id, command, body).await,
            ("POST", ["fs", "write"]) => self.write_files(id, request).await,
            ("POST", ["fs", "read"]) => self.read_file(id, body).await,
            ("POST", ["fs", "mkdir"]) => self.make_folder(id, body).await,
            _ => Err(Refusal::not_found("Route")),
        }
    }

    fn extend(&self, id: &str, body: &Value) -> Answer {
        let session = self.session(id)?;
        session.running()?;
        let by = body["duration"].as_i64().unwrap_or_default();
        let longest = i64::try_from(self.options.longest_ms).unwrap_or(i64::MAX);
        let mut too_long = false;
        session.change(|state| {
            too_long = state.expires_at + by - session.started_at > longest;
            if !too_long {
                state.expires_at += by;
            }
        });
        if too_long {
            return Err(Refusal::bad(format!("timeout restricted to <= {}m", longest / 60_000)));
        }
        Ok(Reply::Json(json!({"session": of_session(&session)})))
    }
}
