//! Where a session's container is, or may be.

use std::sync::{Arc, OnceLock};

use crate::provider::{
    Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Result, Selection,
};

/// Where a session's container is, or may be.
#[derive(Debug)]
pub(super) struct Placement {
    selection: Selection,
    taken: OnceLock<Taken>,
}

/// The provider that made the container.
#[derive(Debug)]
struct Taken {
    name: String,
    provider: Arc<dyn ContainerProvider>,
    uncleared: Vec<String>,
}

impl Placement {
    pub(super) fn new(selection: Selection) -> Self {
        Self { selection, taken: OnceLock::new() }
    }

    /// The provider that was taken; before that, the one that is asked.
    pub(super) fn name(&self) -> &str {
        self.taken.get().map_or_else(|| self.selection.current().0, |taken| &taken.name)
    }

    /// The same itself.
    pub(super) fn provider(&self) -> &dyn ContainerProvider {
        match self.taken.get() {
            Some(taken) => &*taken.provider,
            None => &**self.selection.current().1,
        }
    }

    /// Makes the session's container where there is room. Its warnings say who was passed over and why.
    pub(super) async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let placed = self.selection.create(spec).await?;
        let mut warnings = placed.warnings();
        let mut container = placed.container;
        container.warnings.append(&mut warnings);
        let taken = Taken { name: placed.name, provider: placed.provider, uncleared: placed.uncleared };
        let _ = self.taken.set(taken);
        Ok(container)
    }

    /// Removes the session's container, or whatever a create may have made whose answer never came.
    pub(super) async fn remove(&self, known: Option<&ContainerId>, session: &str) -> Result<()> {
        let (Some(taken), Some(id)) = (self.taken.get(), known) else {
            return self.selection.clear(session).await;
        };
        taken.provider.destroy(id, DestroyOptions::default()).await?;
        for name in &taken.uncleared {
            if let Err(error) = self.selection.clear_from(name, session).await {
                // Its labels say whose it is: it is removed at the next start at the latest.
                tracing::warn!(provider = name, %error, "a container may be left there");
            }
        }
        Ok(())
    }
}
