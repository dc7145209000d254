//! Calls about machines.

use std::collections::BTreeMap;
use std::time::Duration;

use agcluster_core::protocol::AGENT_PORT;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::super::guest::Guest;
use super::turns::Action;
use super::wire::{
    Concurrency, CreateMachine, GuestConfig, HttpOptions, Machine, MachineConfig, Port, Restart, Service,
    StopConfig,
};
use super::{Api, Failure, Refusal, body};

/// Everything that decides how a machine is made.
#[derive(Debug)]
pub(in super::super) struct MachinePlan<'a> {
    pub(in super::super) name: &'a str,
    pub(in super::super) image: &'a str,
    pub(in super::super) env: &'a BTreeMap<String, String>,
    pub(in super::super) metadata: &'a BTreeMap<String, String>,
    pub(in super::super) guest: &'a Guest,
    /// How long a connection through the public host may be silent; none where there is no public host.
    pub(in super::super) public_idle_seconds: Option<u32>,
}

/// What waiting came to.
#[derive(Debug, Default, Deserialize)]
pub(in super::super) struct Waited {
    /// The state it reached; older answers do not say.
    #[serde(default)]
    pub(in super::super) state: Option<String>,
}

/// What a command left.
#[derive(Debug, Default, Deserialize)]
pub(in super::super) struct Executed {
    #[serde(default)]
    pub(in super::super) exit_code: i32,
    #[serde(default)]
    pub(in super::super) exit_signal: i32,
    #[serde(default)]
    pub(in super::super) stdout: String,
    #[serde(default)]
    pub(in super::super) stderr: String,
}

/// The answer to a start, which may be a failure with a status of success.
#[derive(Debug, Default, Deserialize)]
struct Started {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// So many connections at once are let through to one machine.
const CONNECTIONS: u32 = 1000;
/// What a wait may take longer than it was asked to.
const GRACE: Duration = Duration::from_secs(10);

impl Api {
    /// Makes a machine and starts it.
    pub(in super::super) async fn create(
        &self,
        app: &str,
        region: Option<&str>,
        plan: &MachinePlan<'_>,
    ) -> Result<Machine, Failure> {
        let request = CreateMachine {
            name: plan.name,
            region,
            skip_secrets: true,
            config: MachineConfig {
                image: plan.image,
                env: plan.env,
                guest: GuestConfig {
                    cpu_kind: plan.guest.kind.name(),
                    cpus: plan.guest.cpus,
                    memory_mb: plan.guest.memory_mb,
                },
                services: plan.public_idle_seconds.map(service).into_iter().collect(),
                restart: Restart { policy: "no" },
                auto_destroy: false,
                metadata: plan.metadata,
                stop_config: StopConfig { signal: "SIGTERM", timeout: "5s" },
            },
        };
        let call = self.call(Action::Create, app, Method::POST, format!("/apps/{app}/machines"));
        self.json(super::Call { body: body(&request)?, ..call }).await
    }

    /// Looks at a machine.
    pub(in super::super) async fn get(&self, app: &str, id: &str) -> Result<Machine, Failure> {
        self.json(self.call(Action::Get, id, Method::GET, machine(app, id))).await
    }

    /// All machines of an app with this in their metadata.
    pub(in super::super) async fn list(
        &self,
        app: &str,
        metadata: Option<(&'static str, &str)>,
    ) -> Result<Vec<Machine>, Failure> {
        let mut call = self.call(Action::List, app, Method::GET, format!("/apps/{app}/machines"));
        call.query.extend(metadata.map(|(key, value)| (key, value.to_owned())));
        self.json(call).await
    }

    /// Waits for at most so many seconds, 60 at most, until a machine is in one of these states. That it is not is a refusal with 408.
    pub(in super::super) async fn wait(
        &self,
        app: &str,
        id: &str,
        states: &str,
        version: Option<&str>,
        seconds: u64,
    ) -> Result<Waited, Failure> {
        let mut call = self.call(Action::Wait, id, Method::GET, format!("{}/wait", machine(app, id)));
        call.query.extend([("state", states.to_owned()), ("timeout", seconds.to_string())]);
        call.query.extend(version.map(|version| ("version", version.to_owned())));
        call.limit = Duration::from_secs(seconds) + GRACE;
        self.json(call).await
    }

    /// Starts a machine that stands still or is suspended. Answers before it runs.
    pub(in super::super) async fn start(&self, app: &str, id: &str) -> Result<(), Failure> {
        let path = format!("{}/start", machine(app, id));
        let (answer, request_id) = self.send(self.call(Action::Start, id, Method::POST, path)).await?;
        let started: Started = serde_json::from_slice(&answer).unwrap_or_default();
        if started.status.as_deref() != Some("error") {
            return Ok(());
        }
        // What a refusal of a start usually has.
        let text = json!({ "error": started.message.unwrap_or_default() }).to_string();
        Err(Refusal::new(409, text.as_bytes(), request_id, None).into())
    }

    /// Asks a machine to stop. Answers before it does.
    pub(in super::super) async fn stop(&self, app: &str, id: &str, grace: Duration) -> Result<(), Failure> {
        let mut call = self.call(Action::Stop, id, Method::POST, format!("{}/stop", machine(app, id)));
        let seconds = grace.as_secs_f64().ceil().max(1.0);
        call.body = body(&json!({ "signal": "SIGTERM", "timeout": format!("{seconds}s") }))?;
        self.done(call).await
    }

    /// Asks a machine to suspend. Answers before it does.
    pub(in super::super) async fn suspend(&self, app: &str, id: &str) -> Result<(), Failure> {
        self.done(self.call(Action::Suspend, id, Method::POST, format!("{}/suspend", machine(app, id)))).await
    }

    /// Removes a machine, whatever it is doing. Answers before it is gone.
    pub(in super::super) async fn delete(&self, app: &str, id: &str) -> Result<(), Failure> {
        let mut call = self.call(Action::Delete, id, Method::DELETE, machine(app, id));
        call.query.push(("force", "true".to_owned()));
        self.done(call).await
    }

    /// Runs a command until it ends. `seconds` is the platform's own limit, `longest` how much of an answer is read.
    pub(in super::super) async fn exec(
        &self,
        app: &str,
        id: &str,
        command: &[String],
        seconds: u64,
        longest: usize,
    ) -> Result<Executed, Failure> {
        let mut call = self.call(Action::Exec, id, Method::POST, format!("{}/exec", machine(app, id)));
        call.body = body(&json!({ "command": command, "timeout": seconds }))?;
        call.limit = Duration::from_secs(seconds) + GRACE;
        call.longest_answer = longest;
        self.json(call).await
    }
}

fn machine(app: &str, id: &str) -> String {
    format!("/apps/{app}/machines/{id}")
}

fn service(idle_timeout: u32) -> Service {
    Service {
        protocol: "tcp",
        internal_port: AGENT_PORT,
        ports: [Port { port: 443, handlers: ["tls", "http"], http_options: HttpOptions { idle_timeout } }],
        autostart: false,
        autostop: "off",
        min_machines_running: 0,
        concurrency: Concurrency { kind: "connections", soft_limit: CONNECTIONS, hard_limit: CONNECTIONS },
    }
}
