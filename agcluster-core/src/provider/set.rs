//! The providers of one application.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ContainerProvider;
use crate::session::SessionError;

/// Providers by name, one of them the default.
#[derive(Debug, Clone)]
pub struct ProviderSet {
    providers: BTreeMap<String, Arc<dyn ContainerProvider>>,
    default: String,
}

impl ProviderSet {
    /// One provider, under its platform's name.
    pub fn of(provider: Arc<dyn ContainerProvider>) -> Self {
        let name = provider.info().platform.to_owned();
        Self { providers: BTreeMap::from([(name.clone(), provider)]), default: name }
    }

    /// Adds a provider under its platform's name.
    pub fn with(mut self, provider: Arc<dyn ContainerProvider>) -> Self {
        self.providers.insert(provider.info().platform.to_owned(), provider);
        self
    }

    /// The name of the default.
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn ContainerProvider>)> {
        self.providers.iter().map(|(name, provider)| (name.as_str(), provider))
    }

    /// The provider of that name, or the default.
    ///
    /// # Errors
    /// [`SessionError::UnknownProvider`], listing the known ones. Nothing ever falls back to another provider.
    pub fn get(&self, name: Option<&str>) -> Result<(String, Arc<dyn ContainerProvider>), SessionError> {
        let name = name.unwrap_or(&self.default);
        match self.providers.get(name) {
            Some(provider) => Ok((name.to_owned(), Arc::clone(provider))),
            None => Err(SessionError::UnknownProvider {
                name: name.to_owned(),
                known: self.providers.keys().cloned().collect(),
            }),
        }
    }
}
