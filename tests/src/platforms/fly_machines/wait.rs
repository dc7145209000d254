//! `GET …/wait`: answers when a machine is in a state, and says 408 when it is not in time.

use std::time::Duration;

use serde_json::json;

use super::answer::{Answer, refuse};
use super::world::World;

/// States that can be waited for.
const STATES: [&str; 6] = ["started", "stopped", "suspended", "destroyed", "failed", "settled"];
/// States that do not pass by themselves.
const SETTLED: [&str; 6] = ["created", "started", "stopped", "suspended", "failed", "destroyed"];

impl World {
    /// Waits as a request asks for it.
    pub(super) async fn wait(&self, id: &str, query: &[(String, String)]) -> Answer {
        let values = |name: &str| {
            query
                .iter()
                .filter(|(given, _)| given == name)
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
        };
        let states: Vec<&str> = match values("state")[..] {
            [] => vec!["started"],
            ref given => given.iter().flat_map(|states| states.split(',')).collect(),
        };
        if states.iter().any(|state| !STATES.contains(state)) {
            return refuse(400, "invalid_argument: unknown state");
        }
        let version = values("version").into_iter().chain(values("instance_id")).next().map(str::to_owned);
        if states.contains(&"stopped") && version.is_none() {
            return refuse(400, "invalid_argument: a version is needed to wait for stopped");
        }
        let seconds = values("timeout").first().map_or(Ok(60), |text| text.parse());
        let Ok(seconds @ 1..=60) = seconds else {
            return refuse(400, "invalid_argument: timeout must be between 1 and 60 seconds");
        };
        let mut changed = self.watch();
        let reached = async {
            loop {
                changed.mark_unchanged();
                if let Some(answer) = self.look(id, &states, version.as_deref()) {
                    return answer;
                }
                if changed.changed().await.is_err() {
                    return refuse(500, "the fake ended");
                }
            }
        };
        tokio::select! {
            answer = reached => answer,
            () = self.clock.sleep(Duration::from_secs(seconds)) => {
                let now = self.lock().machines.get(id).map_or("", |machine| machine.state);
                refuse(408, &format!("deadline_exceeded: machine failed to reach desired state, {}, currently {now}", states.join(",")))
            }
        }
    }

    /// The answer, if it can be given now.
    fn look(&self, id: &str, states: &[&str], version: Option<&str>) -> Option<Answer> {
        let state = self.lock();
        let Some(machine) = state.machines.get(id) else { return Some(refuse(404, "machine not found")) };
        let is_reached = states.contains(&machine.state)
            || states.contains(&"settled") && SETTLED.contains(&machine.state);
        if machine.state == "destroyed" && !is_reached {
            return Some(refuse(404, "machine not found"));
        }
        let is_version = version.is_none_or(|version| version == machine.instance_id);
        (is_reached && is_version)
            .then(|| Answer::new(200, json!({ "ok": true, "state": machine.state, "version": machine.instance_id, "event_id": "1" })))
    }
}
