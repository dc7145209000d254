//! One provider of the list.

use std::sync::Arc;

use crate::provider::{
    Container, ContainerId, ContainerProvider, DestroyOptions, Labels, ListFilter, Result,
};

/// Between the member's name and the platform's id.
pub(super) const SEPARATOR: char = ':';

/// No generation before it has left a workspace.
const FIRST_GENERATION: u32 = 1;

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

    /// Removes the container of this session and generation, if there is one, and what a first generation left besides. The workspace
    /// of an earlier generation stays.
    pub(super) async fn clear(&self, labels: &Labels) -> Result<()> {
        let is_first = labels.generation <= FIRST_GENERATION;
        let filter =
            ListFilter { cluster: Some(labels.cluster.clone()), session: Some(labels.session.clone()) };
        for found in self.provider.list(filter).await? {
            if found.labels.generation == labels.generation {
                let options = DestroyOptions { keep_workspace: !is_first };
                self.provider.destroy(&found.id, options).await?;
            }
        }
        Ok(())
    }
}
