//! Where a session's container is, or may be.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Result, SessionError};
use crate::provider::{
    Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, ListFilter, ProviderSet,
    Selection,
};

/// Where a session's container is, or may be.
#[derive(Debug)]
pub(super) struct Placement {
    /// Who may be asked, until one of them has made the container.
    selection: Option<Selection>,
    taken: RwLock<Option<Taken>>,
}

/// The provider that made the container.
#[derive(Debug, Clone)]
struct Taken {
    name: String,
    /// Absent when the application no longer has it.
    provider: Option<Arc<dyn ContainerProvider>>,
    uncleared: Vec<String>,
}

impl Placement {
    /// A session that has no container yet.
    pub(super) fn open(selection: Selection) -> Self {
        Self { selection: Some(selection), taken: RwLock::default() }
    }

    /// A session as it was kept: with the candidates of a launch that was cut off, or with the provider that was taken.
    pub(super) fn recovered(providers: &ProviderSet, name: &str, candidates: &[String]) -> Self {
        let selection = (!candidates.is_empty()).then(|| providers.select(candidates).ok()).flatten();
        let selection = selection.map(Selection::after_a_break);
        let taken = selection.is_none().then(|| Taken {
            name: name.to_owned(),
            provider: providers.get(name).ok(),
            uncleared: Vec::new(),
        });
        Self { selection, taken: RwLock::new(taken) }
    }

    /// The provider that was taken; before that, the one that is asked.
    pub(super) fn name(&self) -> String {
        let asked = || self.selection.as_ref().map(|selection| selection.current().0.to_owned());
        self.taken().map(|taken| taken.name).or_else(asked).unwrap_or_default()
    }

    /// Who may be asked, as long as none was taken.
    pub(super) fn candidates(&self) -> Vec<String> {
        let open = self.selection.as_ref().filter(|_| self.taken().is_none());
        open.map_or_else(Vec::new, |selection| selection.iter().map(|(name, _)| name.to_owned()).collect())
    }

    /// The provider that was taken; before that, the one that is asked.
    ///
    /// # Errors
    /// [`SessionError::Unreachable`] when the application no longer has it.
    pub(super) fn provider(&self) -> Result<Arc<dyn ContainerProvider>> {
        self.known().ok_or_else(|| {
            let name = self.name();
            SessionError::Unreachable(format!("it is on {name}, which this server is not configured for"))
        })
    }

    /// The same, where the application has it.
    pub(super) fn known(&self) -> Option<Arc<dyn ContainerProvider>> {
        match self.taken() {
            Some(taken) => taken.provider,
            None => self.selection.as_ref().map(|selection| Arc::clone(selection.current().1)),
        }
    }

    /// Makes the session's container: the first one where there is room, later ones where that was. Its warnings say who was
    /// passed over and why.
    pub(super) async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let Some(selection) = self.selection.as_ref().filter(|_| self.taken().is_none()) else {
            return Ok(self.provider()?.create(spec).await?);
        };
        let placed = selection.create(spec).await?;
        let mut warnings = placed.warnings();
        let mut container = placed.container;
        container.warnings.append(&mut warnings);
        let taken = Taken { name: placed.name, provider: Some(placed.provider), uncleared: placed.uncleared };
        *self.taken.write().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        Ok(container)
    }

    /// Removes a session's container, and with `thorough` whatever else the platform has of it.
    pub(super) async fn remove(
        &self,
        known: Option<&ContainerId>,
        filter: ListFilter,
        thorough: bool,
        options: DestroyOptions,
    ) -> Result<()> {
        let session = filter.session.clone().unwrap_or_default();
        let taken = self.taken();
        if let (None, Some(selection)) = (&taken, &self.selection) {
            return Ok(selection.clear(&session).await?);
        }
        let provider = self.provider()?;
        if let Some(id) = known {
            provider.destroy(id, options).await?;
        }
        // A create whose answer never came may have made one; an earlier generation may have left its workspace.
        if thorough || known.is_none() {
            for container in provider.list(filter).await? {
                provider.destroy(&container.id, options).await?;
            }
        }
        if let (Some(taken), Some(selection)) = (taken, &self.selection) {
            for name in &taken.uncleared {
                if let Err(error) = selection.clear_from(name, &session).await {
                    // Its labels say whose it is: it is found as an orphan.
                    tracing::warn!(provider = name, %error, "a container may be left there");
                }
            }
        }
        Ok(())
    }

    fn taken(&self) -> Option<Taken> {
        self.taken.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
