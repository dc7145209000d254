//! One provider of the list.

use std::sync::Arc;

use crate::provider::{Container, ContainerId, ContainerProvider};

/// Between the member's name and the platform's id.
pub(super) const SEPARATOR: char = ':';

/// One provider of the list.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) provider: Arc<dyn ContainerProvider>,
}

impl Member {
    /// A name of this platform as it is known outside.
    pub(super) fn qualify(&self, name: &str) -> String {
        format!("{}{SEPARATOR}{name}", self.name)
    }

    /// A container of this platform as it is known outside.
    pub(super) fn sign(&self, container: Container) -> Container {
        Container { id: ContainerId(self.qualify(&container.id.0)), ..container }
    }
}
