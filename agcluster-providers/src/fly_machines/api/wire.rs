//! What goes over the wire, as far as it matters here. Whatever else an answer has is ignored, and whatever it lacks is absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A request to make a machine.
#[derive(Debug, Serialize)]
pub(super) struct CreateMachine<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<&'a str>,
    /// The app's secrets are for whoever owns the app, not for agents.
    pub(super) skip_secrets: bool,
    pub(super) config: MachineConfig<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct MachineConfig<'a> {
    pub(super) image: &'a str,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) guest: GuestConfig,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) services: Vec<Service>,
    pub(super) restart: Restart,
    /// A machine that ended can be started again, and says how it ended.
    pub(super) auto_destroy: bool,
    pub(super) metadata: &'a BTreeMap<String, String>,
    pub(super) stop_config: StopConfig,
}

#[derive(Debug, Serialize)]
pub(super) struct GuestConfig {
    pub(super) cpu_kind: &'static str,
    pub(super) cpus: u64,
    pub(super) memory_mb: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Restart {
    pub(super) policy: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct StopConfig {
    pub(super) signal: &'static str,
    pub(super) timeout: &'static str,
}

/// How the public host reaches a machine.
#[derive(Debug, Serialize)]
pub(super) struct Service {
    pub(super) protocol: &'static str,
    pub(super) internal_port: u16,
    pub(super) ports: [Port; 1],
    /// A stray request must not wake a machine.
    pub(super) autostart: bool,
    /// Nor may a busy agent be stopped because nobody talks to it.
    pub(super) autostop: &'static str,
    pub(super) min_machines_running: u32,
    pub(super) concurrency: Concurrency,
}

#[derive(Debug, Serialize)]
pub(super) struct Port {
    pub(super) port: u16,
    pub(super) handlers: [&'static str; 2],
    pub(super) http_options: HttpOptions,
}

#[derive(Debug, Serialize)]
pub(super) struct HttpOptions {
    pub(super) idle_timeout: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Concurrency {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) soft_limit: u32,
    pub(super) hard_limit: u32,
}

/// A machine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(in super::super) struct Machine {
    pub(in super::super) id: String,
    #[serde(default)]
    pub(in super::super) name: Option<String>,
    #[serde(default)]
    pub(in super::super) state: Option<String>,
    /// Changes with every version of its configuration.
    #[serde(default)]
    pub(in super::super) instance_id: Option<String>,
    #[serde(default)]
    pub(in super::super) private_ip: Option<String>,
    #[serde(default)]
    pub(in super::super) created_at: Option<String>,
    /// Only in lists of a whole organisation.
    #[serde(default)]
    pub(in super::super) app_name: Option<String>,
    #[serde(default)]
    config: Option<SeenConfig>,
    /// In place of the configuration while the machine's host cannot be asked.
    #[serde(default)]
    incomplete_config: Option<SeenConfig>,
    /// Newest first.
    #[serde(default)]
    events: Option<Vec<Event>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct SeenConfig {
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    guest: Option<SeenGuest>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct SeenGuest {
    #[serde(default)]
    memory_mb: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Event {
    #[serde(default)]
    request: Option<EventRequest>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct EventRequest {
    #[serde(default)]
    exit_event: Option<ExitEvent>,
}

/// How a machine's first process ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(in super::super) struct ExitEvent {
    #[serde(default)]
    pub(in super::super) exit_code: Option<i32>,
    #[serde(default)]
    pub(in super::super) oom_killed: Option<bool>,
}

impl Machine {
    /// What it is doing, in the platform's words; empty where it does not say.
    pub(in super::super) fn state(&self) -> &str {
        self.state.as_deref().unwrap_or_default()
    }

    /// The same, later.
    pub(in super::super) fn in_state(self, state: String) -> Self {
        Self { state: Some(state), ..self }
    }

    /// A value of its metadata.
    pub(in super::super) fn metadata(&self, key: &str) -> Option<&str> {
        let config = self.config.as_ref().or(self.incomplete_config.as_ref())?;
        config.metadata.as_ref()?.get(key).map(String::as_str)
    }

    /// Its memory, in mebibytes.
    pub(in super::super) fn memory_mb(&self) -> Option<u64> {
        self.config.as_ref()?.guest.as_ref()?.memory_mb
    }

    /// How it ended last.
    pub(in super::super) fn last_exit(&self) -> Option<ExitEvent> {
        self.events.as_ref()?.iter().find_map(|event| event.request.as_ref()?.exit_event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_may_lack_everything_but_its_id() {
        let machine: Machine = serde_json::from_str(r#"{"id":"1","new_field":[1]}"#).unwrap();
        assert_eq!((machine.state(), machine.metadata("a"), machine.last_exit()), ("", None, None));
    }

    #[test]
    fn metadata_is_found_while_the_host_is_unreachable() {
        let text = r#"{"id":"1","host_status":"unreachable","config":null,"incomplete_config":{"metadata":{"a":"b"}}}"#;
        let machine: Machine = serde_json::from_str(text).unwrap();
        assert_eq!(machine.metadata("a"), Some("b"));
    }

    #[test]
    fn the_newest_exit_counts() {
        let text = r#"{"id":"1","events":[{"type":"start"},{"type":"exit","request":{"exit_event":{"exit_code":3}}},{"type":"exit","request":{"exit_event":{"exit_code":1}}}]}"#;
        let machine: Machine = serde_json::from_str(text).unwrap();
        assert_eq!(machine.last_exit().unwrap().exit_code, Some(3));
    }
}
