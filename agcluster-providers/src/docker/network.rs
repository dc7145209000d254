//! The network that containers are put into.

use std::sync::RwLock;
use std::time::Duration;

use tokio::sync::Mutex;

use super::api::{Api, Failure, SeenNetwork};
use super::names;

/// Sees to it that the network is there.
#[derive(Debug)]
pub(super) struct Network {
    name: String,
    seen: RwLock<Option<SeenNetwork>>,
    /// One attempt to make it at a time.
    making: Mutex<()>,
}

/// How long another process may take to make the network.
const PATIENCE: Duration = Duration::from_secs(10);

impl Network {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), seen: RwLock::new(None), making: Mutex::new(()) }
    }

    /// The network, made if it is not there.
    pub(super) async fn ensure(&self, api: &Api) -> Result<SeenNetwork, Failure> {
        if let Some(seen) = self.seen() {
            return Ok(seen);
        }
        let _turn = self.making.lock().await;
        if let Some(seen) = self.seen() {
            return Ok(seen);
        }
        let network = match api.network(&self.name).await? {
            Some(network) => network,
            None => self.make(api).await?,
        };
        self.remember(Some(network));
        Ok(network)
    }

    /// Looks at the network, and makes none.
    pub(super) async fn look(&self, api: &Api) -> Result<(), Failure> {
        self.remember(api.network(&self.name).await?);
        Ok(())
    }

    /// What is to be said of it, if it was seen and its containers can reach each other.
    pub(super) fn warning(&self, api: &Api) -> Option<String> {
        let way_out = if api.facts.podman {
            "Podman cannot prevent it; use Docker where sessions must be kept apart"
        } else {
            "remove it, and it is made anew without that"
        };
        let name = &self.name;
        self.seen()
            .filter(|seen| seen.between_containers)
            .map(|_| format!("containers on the network {name} can reach each other: {way_out}"))
    }

    /// Forgets that it is there, after a sign that it is not.
    pub(super) fn forget(&self) {
        self.remember(None);
    }

    async fn make(&self, api: &Api) -> Result<SeenNetwork, Failure> {
        match api.create_network(&self.name, &names::bridge_device(&self.name, api.facts.podman)).await {
            Ok(()) => {}
            // Another process makes it at this moment; the engine tells nobody when it is done.
            Err(refused) if refused.status() == 409 || said_device_is_taken(&refused) => {
                return match tokio::time::timeout(PATIENCE, self.appears(api)).await {
                    Ok(network) => network,
                    Err(_) => Err(refused),
                };
            }
            Err(failure) => return Err(failure),
        }
        let made = api.network(&self.name).await?;
        made.ok_or_else(|| Failure::Nonsense("a network that was made is not there".to_owned()))
    }

    async fn appears(&self, api: &Api) -> Result<SeenNetwork, Failure> {
        let mut again = tokio::time::interval(Duration::from_millis(20));
        loop {
            again.tick().await;
            if let Some(network) = api.network(&self.name).await? {
                return Ok(network);
            }
        }
    }

    fn seen(&self) -> Option<SeenNetwork> {
        self.seen.read().ok().and_then(|seen| *seen)
    }

    fn remember(&self, network: Option<SeenNetwork>) {
        if let Ok(mut seen) = self.seen.write() {
            *seen = network;
        }
    }
}

fn said_device_is_taken(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { message, .. } if message.contains("same bridge name"))
}
