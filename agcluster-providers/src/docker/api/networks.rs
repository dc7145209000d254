//! Networks and images: what must be there before a container.

use std::collections::HashMap;

use bollard::models::NetworkCreateRequest;

use super::{Api, Failure, bounded};

/// The option of a bridge network that shuts off traffic between its containers.
const BETWEEN_CONTAINERS: &str = "com.docker.network.bridge.enable_icc";
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";

/// A network as the engine shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct SeenNetwork {
    /// Whether its containers can reach each other.
    pub(in super::super) between_containers: bool,
}

/// An image as the engine shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct SeenImage {
    /// Its content's id.
    pub(in super::super) id: String,
    pub(in super::super) labels: HashMap<String, String>,
}

impl Api {
    /// The network of this name, if there is one.
    pub(in super::super) async fn network(&self, name: &str) -> Result<Option<SeenNetwork>, Failure> {
        match bounded(self.timeouts.call(), self.docker.inspect_network(name, None)).await {
            Ok(network) => {
                let options = network.options.unwrap_or_default();
                let shut = options.get(BETWEEN_CONTAINERS).is_some_and(|value| value == "false");
                // Podman keeps the option and does nothing about it.
                Ok(Some(SeenNetwork { between_containers: !shut || self.facts.podman }))
            }
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Makes a bridge network without traffic between its containers. `bridge` is the name of its device: the engine lets two
    /// networks have one name, but not one device, so of two that make it at once one is refused.
    pub(in super::super) async fn create_network(&self, name: &str, bridge: &str) -> Result<(), Failure> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            options: Some(HashMap::from([
                (BETWEEN_CONTAINERS.to_owned(), "false".to_owned()),
                (BRIDGE_NAME.to_owned(), bridge.to_owned()),
            ])),
            labels: Some(HashMap::from([("agcluster.network".to_owned(), "true".to_owned())])),
            ..NetworkCreateRequest::default()
        };
        bounded(self.timeouts.change(), self.docker.create_network(request)).await.map(|_| ())
    }

    /// The image of this reference, if it is on the engine.
    pub(in super::super) async fn image(&self, reference: &str) -> Result<Option<SeenImage>, Failure> {
        match bounded(self.timeouts.call(), self.docker.inspect_image(reference)).await {
            Ok(image) => Ok(Some(SeenImage {
                id: image.id.ok_or_else(|| Failure::Nonsense("an image without an id".to_owned()))?,
                labels: image.config.and_then(|config| config.labels).unwrap_or_default(),
            })),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}
