//! What a machine does when it is told to: states that pass, and what runs in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Answer, refuse};
use super::backing::Backing;
use super::world::{Lease, Machine, World};

/// Regions that there are.
const REGIONS: [&str; 6] = ["iad", "ord", "fra", "ams", "lhr", "sjc"];
/// Where a machine is made whose request names no region.
const NEAREST: &str = "iad";
/// The most memory with which a machine can be suspended.
const SUSPENDABLE_MB: u64 = 2048;

impl World {
    /// Makes a machine and starts it.
    pub(super) async fn create(self: &Arc<Self>, app: &str, body: &Value) -> Answer {
        let config = &body["config"];
        let name = body["name"].as_str().unwrap_or_default().to_owned();
        let region = body["region"].as_str().unwrap_or(NEAREST).to_owned();
        let image = config["image"].as_str().unwrap_or_default();
        if image.is_empty() {
            return refuse(400, "config.image required");
        }
        if !REGIONS.contains(&region.as_str()) {
            return refuse(422, &format!("region {region} not found"));
        }
        if let Err(reason) = guest_fits(&config["guest"]) {
            return refuse(422, &reason);
        }
        let local = self.images.get(image).map_or(image, String::as_str).to_owned();
        if !self.backing.has_image(&local).await {
            return refuse(
                400,
                &format!(
                    "failed to get manifest {image}: request failed: not found [http 404]: {{\"errors\":[{{\"code\":\"MANIFEST_UNKNOWN\"}}]}}"
                ),
            );
        }
        let shown = {
            let mut state = self.lock();
            if let Some(known) = state.of_app(app).find(|machine| machine.name == name) {
                let text = format!(
                    "already_exists: unique machine name violation, machine ID {} already exists with name {name:?}",
                    known.id
                );
                return refuse(409, &text);
            }
            if let Some(full) = state.full.get(&region) {
                let (status, body) = full.answer(&region);
                return Answer::new(status, body);
            }
            let number = state.number();
            let id = format!("{:014x}", 0x9185_741b_0000_u64 + number);
            let machine = Machine {
                id: id.clone(),
                name: if name.is_empty() { format!("machine-{number}") } else { name },
                app: app.to_owned(),
                region,
                config: config.clone(),
                state: "created",
                instance_id: format!("01J{number:023}"),
                created_at: jiff::Timestamp::now().to_string(),
                events: Vec::new(),
                lease: None,
                private_ip: self.backing.private_ip(number),
                address: None,
                unknown_to_proxy: 1,
                destroyed_at: None,
            };
            let shown = machine.shown();
            state.machines.insert(id, machine);
            shown
        };
        let (world, id) = (Arc::clone(self), shown["id"].as_str().unwrap_or_default().to_owned());
        tokio::spawn(async move { world.boot(&id, "created", &local).await });
        Answer::new(200, shown)
    }

    /// Starts what runs in a machine.
    async fn boot(self: &Arc<Self>, id: &str, from: &str, image: &str) {
        if !self.go(id, &[from], "starting", None) {
            return;
        }
        let name = self.container(id);
        let Some(config) = self.lock().machines.get(id).map(|machine| machine.config.clone()) else { return };
        match self.backing.start(&name, image, &config).await {
            Ok(address) => {
                if let Some(machine) = self.lock().machines.get_mut(id) {
                    machine.address = address;
                    if let (Backing::Docker(_), Some(SocketAddr::V4(address))) = (&self.backing, address) {
                        machine.private_ip = address.ip().to_ipv6_mapped().to_string();
                    }
                    machine.unknown_to_proxy = 1;
                }
                if self.go(id, &["starting"], "started", None) {
                    let (world, id) = (Arc::clone(self), id.to_owned());
                    tokio::spawn(async move { world.see_end(&id, &name).await });
                } else {
                    // It was destroyed meanwhile.
                    self.remove_container(&name).await;
                }
            }
            Err(error) => {
                tracing::warn!(id, %error, "what runs in a machine did not start");
                self.remove_container(&name).await;
                self.go(id, &["starting"], "destroyed", None);
            }
        }
    }

    /// Notices when what runs in a machine ends by itself.
    async fn see_end(self: &Arc<Self>, id: &str, name: &str) {
        let code = self.backing.ended(name).await;
        let exit =
            json!({ "exit_event": { "exit_code": code, "requested_stop": false, "oom_killed": false } });
        if self.go(id, &["started"], "stopping", None) {
            self.remove_container(name).await;
            self.go(id, &["stopping"], "stopped", Some(exit));
        }
    }

    async fn remove_container(&self, name: &str) {
        if let Err(error) = self.backing.remove(name).await {
            tracing::warn!(name, %error, "a container was not removed");
        }
    }

    /// Starts a machine again.
    pub(super) fn start(self: &Arc<Self>, id: &str, image: &str) -> Answer {
        let state = self.lock().machines.get(id).map_or("", |machine| machine.state);
        let local = self.images.get(image).map_or(image, String::as_str).to_owned();
        let (world, machine) = (Arc::clone(self), id.to_owned());
        match state {
            "started" => {}
            "stopped" => {
                tokio::spawn(async move { world.boot(&machine, "stopped", &local).await });
            }
            "suspended" => {
                tokio::spawn(async move {
                    if world.go(&machine, &["suspended"], "starting", None)
                        && world.backing.freeze(&world.container(&machine), false).await.is_ok()
                    {
                        world.go(&machine, &["starting"], "started", None);
                    }
                });
            }
            other => {
                return refuse(
                    412,
                    &format!("failed_precondition: unable to start machine from current state: '{other}'"),
                );
            }
        }
        Answer::new(200, json!({ "previous_state": state, "migrated": false, "new_host": "" }))
    }

    /// Stops a machine.
    pub(super) fn stop(self: &Arc<Self>, id: &str, body: &Value) -> Answer {
        let timeout = body["timeout"].as_str().unwrap_or("5s").trim_end_matches('s').parse().unwrap_or(5);
        let (world, machine) = (Arc::clone(self), id.to_owned());
        let was_suspended = self.lock().machines.get(id).is_some_and(|machine| machine.state == "suspended");
        if self.go(id, &["started", "suspended"], "stopping", None) {
            tokio::spawn(async move {
                let name = world.container(&machine);
                if was_suspended {
                    world.remove_container(&name).await;
                } else if let Err(error) = world.backing.stop(&name, timeout).await {
                    tracing::warn!(machine, %error, "what runs in a machine did not stop");
                }
                let exit =
                    json!({ "exit_event": { "exit_code": 0, "requested_stop": true, "oom_killed": false } });
                world.go(&machine, &["stopping"], "stopped", Some(exit));
            });
            return Answer::new(200, json!({ "ok": true }));
        }
        match self.lock().machines.get(id).map_or("", |machine| machine.state) {
            "stopped" | "stopping" => Answer::new(200, json!({ "ok": true })),
            other => refuse(
                412,
                &format!("failed_precondition: unable to stop machine from current state: '{other}'"),
            ),
        }
    }

    /// Suspends a machine.
    pub(super) fn suspend(self: &Arc<Self>, id: &str) -> Answer {
        let memory =
            self.lock().machines.get(id).and_then(|machine| machine.config["guest"]["memory_mb"].as_u64());
        if memory.is_some_and(|memory| memory > SUSPENDABLE_MB) {
            return refuse(
                412,
                "failed_precondition: machines with more than 2048 MB of memory cannot be suspended",
            );
        }
        if !self.go(id, &["started"], "suspending", None) {
            return refuse(412, "failed_precondition: unable to suspend machine: it is not started");
        }
        let (world, machine) = (Arc::clone(self), id.to_owned());
        tokio::spawn(async move {
            if world.backing.freeze(&world.container(&machine), true).await.is_ok() {
                world.go(&machine, &["suspending"], "suspended", None);
            }
        });
        Answer::new(200, json!({ "ok": true }))
    }

    /// Destroys a machine.
    pub(super) fn destroy(self: &Arc<Self>, id: &str, force: bool) -> Answer {
        let still: &[&str] = &["stopped", "failed"];
        let any: &[&str] =
            &["created", "starting", "started", "stopping", "stopped", "suspending", "suspended", "failed"];
        if !self.go(id, if force { any } else { still }, "destroying", None) {
            let state = self.lock().machines.get(id).map_or("", |machine| machine.state);
            return match state {
                "destroying" => Answer::new(200, json!({ "ok": true })),
                "destroyed" | "" => refuse(404, "machine not found"),
                other => refuse(
                    412,
                    &format!(
                        "failed_precondition: unable to destroy machine, not currently stopped: '{other}'"
                    ),
                ),
            };
        }
        let (world, machine) = (Arc::clone(self), id.to_owned());
        tokio::spawn(async move {
            world.remove_container(&world.container(&machine)).await;
            world.go(&machine, &["destroying"], "destroyed", None);
        });
        Answer::new(200, json!({ "ok": true }))
    }

    /// Runs a command.
    pub(super) async fn exec(self: &Arc<Self>, id: &str, body: &Value) -> Answer {
        let runs = self.lock().machines.get(id).is_some_and(|machine| machine.state == "started");
        if !runs {
            return refuse(412, "failed_precondition: machine is not started");
        }
        let command = body["command"].as_array().into_iter().flatten();
        let command = command.filter_map(|part| part.as_str().map(str::to_owned)).collect();
        let limit = Duration::from_secs(body["timeout"].as_u64().unwrap_or(30));
        let name = self.container(id);
        match tokio::time::timeout(limit, self.backing.exec(&name, command)).await {
            Err(_) => refuse(408, "deadline_exceeded: exec request timed out"),
            Ok(Err(error)) => refuse(500, &error.to_string()),
            Ok(Ok(output)) => {
                // What is zero or empty may be left out.
                let mut answer = json!({ "exit_code": output.exit_code });
                for (field, bytes) in [("stdout", output.stdout), ("stderr", output.stderr)] {
                    if !bytes.is_empty() {
                        answer[field] = String::from_utf8_lossy(&bytes).into();
                    }
                }
                if output.exit_code == 0
                    && let Some(fields) = answer.as_object_mut()
                {
                    fields.remove("exit_code");
                }
                Answer::new(200, answer)
            }
        }
    }

    /// Takes, renews, shows or gives up a lease.
    pub(super) fn lease(&self, id: &str, method: &str, ttl: u64, nonce: Option<&str>) -> Answer {
        let now = self.clock.now();
        let mut state = self.lock();
        let number = state.number();
        let Some(machine) = state.machines.get_mut(id) else { return refuse(404, "machine not found") };
        let held = machine.lease.as_ref().filter(|lease| lease.until > now);
        let is_mine = held.is_some_and(|lease| Some(lease.nonce.as_str()) == nonce);
        match (method, held) {
            ("GET", Some(lease)) => {
                Answer::new(200, json!({ "nonce": lease.nonce, "owner": "somebody@example.com" }))
            }
            ("GET", None) => refuse(404, "lease not found"),
            (_, Some(_)) if !is_mine => refuse(409, "lease currently held by somebody@example.com"),
            ("DELETE", _) => {
                machine.lease = None;
                Answer::new(200, json!({ "ok": true }))
            }
            _ => {
                let nonce = nonce.map_or_else(|| format!("nonce{number}"), str::to_owned);
                machine.lease = Some(Lease { nonce: nonce.clone(), until: now + Duration::from_secs(ttl) });
                Answer::new(
                    201,
                    json!({ "status": "success", "data": { "nonce": nonce, "expires_at": 0, "owner": "somebody@example.com" } }),
                )
            }
        }
    }

    /// Whether somebody else may change a machine only.
    pub(super) fn is_leased(&self, id: &str, nonce: Option<&str>) -> bool {
        let now = self.clock.now();
        let state = self.lock();
        let lease = state.machines.get(id).and_then(|machine| machine.lease.as_ref());
        lease.is_some_and(|lease| lease.until > now && Some(lease.nonce.as_str()) != nonce)
    }
}

/// Whether there are machines of this size.
fn guest_fits(guest: &Value) -> Result<(), String> {
    let (cpus, memory) = (guest["cpus"].as_u64().unwrap_or(1), guest["memory_mb"].as_u64().unwrap_or(256));
    let (counts, least, most): (&[u64], u64, u64) = match guest["cpu_kind"].as_str().unwrap_or("shared") {
        "shared" => (&[1, 2, 4, 6, 8], 256, 2048),
        "performance" => (&[1, 2, 4, 6, 8, 10, 12, 14, 16], 2048, 8192),
        other => return Err(format!("invalid config.guest.cpu_kind {other}")),
    };
    if !counts.contains(&cpus) {
        return Err(format!("invalid config.guest.cpus {cpus}"));
    }
    if memory % 256 != 0 || !(cpus * least..=cpus * most).contains(&memory) {
        return Err(format!("invalid config.guest.memory_mb {memory}"));
    }
    Ok(())
}
