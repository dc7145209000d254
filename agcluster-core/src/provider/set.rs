//! The providers of one application.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ContainerProvider, Selection};
use crate::session::SessionError;

/// Providers by name, one or several of them the default, and the platforms that are known but not configured.
#[derive(Debug, Clone)]
pub struct ProviderSet {
    providers: BTreeMap<String, Arc<dyn ContainerProvider>>,
    /// At least one, each in `providers`.
    defaults: Vec<String>,
    missing: BTreeMap<String, String>,
}

impl ProviderSet {
    /// One provider, under its platform's name. It is the default.
    pub fn of(provider: Arc<dyn ContainerProvider>) -> Self {
        Self::named(provider.info().platform, provider)
    }

    /// One provider under another name: the same platform can be there twice.
    pub fn named(name: impl Into<String>, provider: Arc<dyn ContainerProvider>) -> Self {
        let name = name.into();
        let defaults = vec![name.clone()];
        Self { providers: BTreeMap::from([(name, provider)]), defaults, missing: BTreeMap::new() }
    }

    /// Adds a provider under its platform's name.
    pub fn with(self, provider: Arc<dyn ContainerProvider>) -> Self {
        self.with_named(provider.info().platform, provider)
    }

    /// Adds a provider under another name.
    pub fn with_named(mut self, name: impl Into<String>, provider: Arc<dyn ContainerProvider>) -> Self {
        self.providers.insert(name.into(), provider);
        self
    }

    /// Says what a platform lacks that is not configured, in one sentence without an end: whoever asks for it is told.
    pub fn without(mut self, name: impl Into<String>, missing: impl Into<String>) -> Self {
        self.missing.insert(name.into(), missing.into());
        self
    }

    /// Launches that name no provider go to these, in this order.
    ///
    /// # Errors
    /// [`SessionError::UnknownProvider`] for a name that is not in the set. Without names the default stays.
    pub fn with_default<S: AsRef<str>>(mut self, names: &[S]) -> Result<Self, SessionError> {
        self.defaults = self.select(names)?.iter().map(|(name, _)| name.to_owned()).collect();
        Ok(self)
    }

    /// The names that launches go to which name none; the first is asked first.
    pub fn default_names(&self) -> &[String] {
        &self.defaults
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn ContainerProvider>)> {
        self.providers.iter().map(|(name, provider)| (name.as_str(), provider))
    }

    /// The platforms that are known but not configured, each with what is missing.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.missing.iter().map(|(name, missing)| (name.as_str(), missing.as_str()))
    }

    /// The provider of that name.
    ///
    /// # Errors
    /// [`SessionError::UnknownProvider`], listing the known ones. Nothing ever falls back to another provider.
    pub fn get(&self, name: &str) -> Result<Arc<dyn ContainerProvider>, SessionError> {
        self.providers.get(name).cloned().ok_or_else(|| SessionError::UnknownProvider {
            name: name.to_owned(),
            missing: self.missing.get(name).cloned(),
            known: self.providers.keys().cloned().collect(),
        })
    }

    /// One name is that provider; several are asked in their order until one makes the container; none is the default. A name that is
    /// there twice counts once.
    ///
    /// # Errors
    /// As [`get`](Self::get), for the first name that is not in the set: a list is not passed over for a name that is misspelt.
    pub fn select<S: AsRef<str>>(&self, names: &[S]) -> Result<Selection, SessionError> {
        let mut wanted: Vec<&str> = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
        if wanted.is_empty() {
            wanted.extend(self.defaults.iter().map(String::as_str));
        }
        let mut found = Vec::new();
        for name in wanted {
            found.push((name.to_owned(), self.get(name)?));
        }
        let mut found = found.into_iter();
        match found.next() {
            Some(first) => Ok(Selection::new(first, found)),
            None => Err(SessionError::UnknownProvider {
                name: String::new(),
                missing: None,
                known: self.providers.keys().cloned().collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::fake::Fake;

    fn set() -> ProviderSet {
        ProviderSet::of(Fake::new().provider())
            .with(Fake::of("other").provider())
            .without("vercel", "VERCEL_TOKEN is not set")
    }

    fn names(selection: &Selection) -> Vec<&str> {
        selection.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_are_taken_in_their_order_and_none_is_the_default() {
        let set = set();
        assert_eq!(names(&set.select(&["other"]).unwrap()), ["other"]);
        assert_eq!(names(&set.select(&["other", "fake", "other"]).unwrap()), ["other", "fake"]);
        assert_eq!(names(&set.select::<&str>(&[]).unwrap()), ["fake"]);
        let set = set.with_default(&["other", "fake"]).unwrap();
        assert_eq!(set.default_names(), ["other", "fake"]);
        assert_eq!(names(&set.select::<&str>(&[]).unwrap()), ["other", "fake"]);
    }

    #[test]
    fn a_name_that_cannot_be_had_is_an_error_that_lists_the_others() {
        let set = set();
        let error = set.select(&["fake", "nope"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no provider \"nope\"; available: fake, other");
        let error = set.select(&["vercel", "fake"]).unwrap_err();
        let said =
            "the provider \"vercel\" is not configured: VERCEL_TOKEN is not set; available: fake, other";
        assert_eq!(error.to_string(), said);
        assert!(set.with_default(&["vercel"]).is_err());
    }
}
