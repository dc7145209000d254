//! The connection to the engine: made when it is first needed, made anew when it broke.

use std::sync::{Arc, RwLock};

use tokio::sync::Mutex;

use super::api::{Api, Failure};
use super::config::DockerConfig;
use super::host::{self, Surroundings};
use super::image::Images;
use super::inject::Injection;
use super::network::Network;

/// A connection and what was learnt over it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) api: Api,
    /// The engine's address, for errors.
    pub(super) address: String,
    pub(super) images: Images,
    pub(super) network: Network,
    pub(super) injection: Injection,
}

/// Holds the connection.
#[derive(Debug, Default)]
pub(super) struct Engine {
    current: RwLock<Option<Arc<Connection>>>,
    /// One attempt to connect at a time.
    connecting: Mutex<()>,
}

/// A failure to connect, and the address that was tried.
#[derive(Debug)]
pub(super) struct Unconnected {
    pub(super) failure: Failure,
    pub(super) address: String,
}

impl Engine {
    /// The connection, if there is one. Contacts nobody.
    pub(super) fn current(&self) -> Option<Arc<Connection>> {
        self.current.read().ok()?.clone()
    }

    /// The connection, made now if there is none.
    pub(super) async fn connect(&self, config: &DockerConfig) -> Result<Arc<Connection>, Unconnected> {
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let _turn = self.connecting.lock().await;
        if let Some(connection) = self.current() {
            return Ok(connection);
        }
        let var = |name: &str| std::env::var(name).ok();
        let found = host::find(config.host.as_deref(), &Surroundings::of_process(&var));
        let host = found.map_err(|reason| Unconnected {
            failure: Failure::Setup(reason),
            address: "its address".to_owned(),
        })?;
        let address = host.to_string();
        match Api::connect(host, config.timeouts).await {
            Ok(api) => {
                let connection = Arc::new(Connection {
                    api,
                    address,
                    images: Images::default(),
                    network: Network::new(&config.network),
                    injection: Injection::new(config.agent_binary.clone(), config.timeouts.call()),
                });
                self.replace(Some(connection.clone()));
                Ok(connection)
            }
            Err(failure) => Err(Unconnected { failure, address }),
        }
    }

    /// Gives a connection up after a failure that says the engine went away or became another one.
    pub(super) fn note(&self, connection: &Arc<Connection>, failure: &Failure) {
        let replaced = failure.says(400, "client version");
        if !(replaced || matches!(failure, Failure::Unreachable { .. })) {
            return;
        }
        if self.current().is_some_and(|current| Arc::ptr_eq(&current, connection)) {
            self.replace(None);
        }
    }

    fn replace(&self, connection: Option<Arc<Connection>>) {
        if let Ok(mut current) = self.current.write() {
            *current = connection;
        }
    }
}
