//! The providers that a launch may go to, in the order in which they are wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Container, ContainerProvider, ContainerSpec, DestroyOptions, Error, ListFilter, Result};
use crate::layers::failover::policy::{clear, is_doubtful, nowhere, passed_over, reason};

/// The providers that one container may be made on, in the order in which they are wanted.
///
/// One name is that provider and no other. With several, [`create`](Self::create) goes on to the next one when a platform has no room, does not
/// answer, or is kept from calls by an open circuit; anything else is answered as it is: a wrong key or a missing image is to be mended, not
/// passed over. Once placed, a container belongs to its provider alone: [`Placed`] has both, and nothing here is needed any more.
///
/// A selection is for one container. It remembers how far it has asked, so that a `create` that was dropped begins anew where it was.
#[derive(Debug)]
pub struct Selection {
    /// At least one.
    members: Vec<(String, Arc<dyn ContainerProvider>)>,
    /// The one that was asked last.
    current: AtomicUsize,
    /// So many have been asked, from the first one on.
    asked: AtomicUsize,
}

/// A container and where it is.
#[derive(Debug)]
pub struct Placed {
    /// The provider's name.
    pub name: String,
    /// The provider itself. The container's id is its own.
    pub provider: Arc<dyn ContainerProvider>,
    /// The container.
    pub container: Container,
    /// Who was asked before, and why it was not taken.
    pub passed_over: Vec<(String, Error)>,
    /// Those of them that may have a container of this name as well, because they did not answer when it was to be removed.
    pub uncleared: Vec<String>,
}

impl Placed {
    /// For whoever launched it: one sentence for each provider that was passed over.
    pub fn warnings(&self) -> Vec<String> {
        let because = |(name, error): &(String, Error)| {
            format!("it runs on {}, because {}", self.name, passed_over(name, error))
        };
        self.passed_over.iter().map(because).collect()
    }
}

impl Selection {
    /// The first of them, and those to ask after it.
    pub(super) fn new(
        first: (String, Arc<dyn ContainerProvider>),
        others: impl IntoIterator<Item = (String, Arc<dyn ContainerProvider>)>,
    ) -> Self {
        let members = std::iter::once(first).chain(others).collect();
        Self { members, current: AtomicUsize::new(0), asked: AtomicUsize::new(0) }
    }

    /// The same after a break: any of them may have been asked by an earlier process, and [`clear`](Self::clear) is of all.
    pub(crate) fn after_a_break(self) -> Self {
        self.asked.store(self.members.len(), Ordering::Relaxed);
        self
    }

    /// All, by name, in their order. There is at least one.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn ContainerProvider>)> {
        self.members.iter().map(|(name, provider)| (name.as_str(), provider))
    }

    /// The one that is asked now, or was asked last; the first one before that.
    pub fn current(&self) -> (&str, &Arc<dyn ContainerProvider>) {
        let (name, provider) = &self.members[self.current.load(Ordering::Relaxed)];
        (name, provider)
    }

    /// Makes the container on the first provider that can.
    ///
    /// An answer may have been lost on the way to an error, so a provider is cleared of the container before the next one is asked.
    ///
    /// # Errors
    /// The provider's own, where it is not a reason to go on or there is nowhere to go; otherwise that of all of them.
    /// [`clear`](Self::clear) then removes what may be left, as it does after a dropped call.
    pub async fn create(&self, spec: ContainerSpec) -> Result<Placed> {
        let begin = self.current.load(Ordering::Relaxed);
        let (mut passed_over, mut uncleared) = (Vec::new(), Vec::new());
        let others = (0..self.members.len()).filter(|index| *index != begin);
        for index in std::iter::once(begin).chain(others) {
            let (name, provider) = &self.members[index];
            // Before the call: a caller that goes away and comes back shall be led to the same place.
            self.current.store(index, Ordering::Relaxed);
            self.asked.fetch_max(index + 1, Ordering::Relaxed);
            let failed = match provider.create(spec.clone()).await {
                Ok(container) => {
                    let (name, provider) = (name.clone(), Arc::clone(provider));
                    return Ok(Placed { name, provider, container, passed_over, uncleared });
                }
                Err(failed) => failed,
            };
            if reason(&failed).is_none() || self.members.len() == 1 {
                return Err(failed);
            }
            tracing::warn!(provider = name, error = %failed, "the next provider is asked");
            if is_doubtful(&failed)
                && let Err(error) = clear(&**provider, &spec.labels).await
            {
                tracing::warn!(provider = name, %error, "a container may be left there");
                uncleared.push(name.clone());
            }
            passed_over.push((name.clone(), failed));
        }
        let errors: Vec<_> = passed_over.into_iter().map(|(_, error)| error).collect();
        Err(nowhere(&errors))
    }

    /// Removes everything of a session from all providers that have been asked.
    ///
    /// # Errors
    /// The first provider's that failed; the others have been cleared all the same.
    pub async fn clear(&self, session: &str) -> Result<()> {
        let asked = self.asked.load(Ordering::Relaxed);
        let mut result = Ok(());
        for (_, provider) in &self.members[..asked] {
            result = result.and(remove_all(&**provider, session).await);
        }
        result
    }

    /// The same for the provider of that name only.
    ///
    /// # Errors
    /// The provider's.
    pub async fn clear_from(&self, name: &str, session: &str) -> Result<()> {
        match self.iter().find(|(other, _)| *other == name) {
            Some((_, provider)) => remove_all(&**provider, session).await,
            None => Ok(()),
        }
    }
}

async fn remove_all(provider: &dyn ContainerProvider, session: &str) -> Result<()> {
    let filter = ListFilter { cluster: None, session: Some(session.to_owned()) };
    for container in provider.list(filter).await? {
        provider.destroy(&container.id, DestroyOptions::default()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
