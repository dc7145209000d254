//! What is there: apps and machines, and who waits for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::Full;
use super::backing::Backing;
use super::clock::Clock;
use super::limiter::Limiter;

/// Everything that the fake knows.
#[derive(Debug)]
pub(super) struct World {
    pub(super) backing: Backing,
    pub(super) clock: Clock,
    /// What the names of this fake's containers begin with.
    pub(super) run: String,
    /// What an image of the platform is on the engine.
    pub(super) images: BTreeMap<String, String>,
    pub(super) state: Mutex<State>,
    /// Changes whenever a machine does.
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) apps: BTreeMap<String, App>,
    pub(super) machines: BTreeMap<String, Machine>,
    pub(super) limiter: Limiter,
    /// Regions without room.
    pub(super) full: HashMap<String, Full>,
    next: u64,
}

/// An app.
#[derive(Debug, Clone, Default)]
pub(super) struct App {
    pub(super) organization: String,
    pub(super) network: String,
    pub(super) addresses: Vec<String>,
}

/// A machine.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) app: String,
    pub(super) region: String,
    pub(super) config: Value,
    pub(super) state: &'static str,
    pub(super) instance_id: String,
    pub(super) created_at: String,
    pub(super) events: Vec<Value>,
    pub(super) lease: Option<Lease>,
    pub(super) private_ip: String,
    /// Where what runs in it is.
    pub(super) address: Option<std::net::SocketAddr>,
    /// How many more requests the public host answers as if it did not know the machine.
    pub(super) unknown_to_proxy: u32,
    /// When it was destroyed: for a while it can still be looked at.
    pub(super) destroyed_at: Option<Duration>,
}

/// Somebody's right to be the only one to change a machine.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) nonce: String,
    pub(super) until: Duration,
}

/// How long a destroyed machine can still be looked at.
const TOMBSTONE: Duration = Duration::from_millis(500);

impl World {
    pub(super) fn new(
        backing: Backing,
        clock: Clock,
        run: String,
        images: BTreeMap<String, String>,
    ) -> Arc<Self> {
        let state = State {
            apps: BTreeMap::new(),
            machines: BTreeMap::new(),
            limiter: Limiter::new(clock),
            full: HashMap::new(),
            next: 0,
        };
        let changed = watch::Sender::new(0);
        Arc::new(Self { backing, clock, run, images, state: Mutex::new(state), changed })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        state.machines.retain(|_, machine| machine.destroyed_at.is_none_or(|at| at + TOMBSTONE > now));
        state
    }

    /// Hears of every change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Brings a machine into another state, unless it is none of these now. Whether it was brought there is the answer.
    pub(super) fn go(&self, id: &str, from: &[&str], to: &'static str, event: Option<Value>) -> bool {
        let now = self.clock.now();
        let moved = match self.lock().machines.get_mut(id) {
            Some(machine) if from.contains(&machine.state) => {
                machine.state = to;
                machine.events.insert(0, json!({ "type": to, "status": to, "source": "flyd", "timestamp": jiff::Timestamp::now().as_millisecond(), "request": event.unwrap_or(Value::Null) }));
                if to == "destroyed" {
                    machine.destroyed_at = Some(now);
                }
                true
            }
            _ => false,
        };
        self.changed.send_modify(|number| *number += 1);
        moved
    }

    /// The name of a machine's container.
    pub(super) fn container(&self, id: &str) -> String {
        format!("{}-{id}", self.run)
    }
}

impl State {
    /// A number that was not given yet.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// An app's machines that are not gone.
    pub(super) fn of_app<'a>(&'a self, app: &'a str) -> impl Iterator<Item = &'a Machine> {
        self.machines.values().filter(move |machine| machine.app == app && machine.state != "destroyed")
    }
}

impl Machine {
    /// As the API shows it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "region": self.region,
            "instance_id": self.instance_id,
            "private_ip": self.private_ip,
            "config": self.config,
            "created_at": self.created_at,
            "updated_at": self.created_at,
            "events": self.events,
            "host_status": "ok",
        })
    }
}
