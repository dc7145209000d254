//! Every configuration that an owner can launch: the files', which all see, and the owner's own, which nobody else does.

mod error;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use serde_json::Value;

pub use error::CatalogError;

use super::model::{AgentConfig, ReadConfig};
use super::problem::ConfigError;
use super::secrets;
use super::store::{ConfigEntry, ConfigLookupError, ConfigSource, ConfigStore};
use super::yaml::MAX_DOCUMENT;
use crate::journal::{Journal, Patience};
use crate::session::Owner;
use crate::store::{Change, ConfigRecord, StoreError};

/// The most configurations of one owner.
const OF_ONE: usize = 200;
/// The most bytes of all owners' documents together: they are held in memory.
const OF_ALL: usize = 64 << 20;
/// Ids that mean something else where ids stand.
const TAKEN: [&str; 4] = ["custom", "list", "schema", "validate"];
/// Configurations that have no id of their own are named like this.
const INLINE: &str = "inline-";

/// An owner's digest, and an id.
type Key = (String, String);

/// All configurations: those of a [`ConfigStore`], and those that owners made, kept in the journal's store. Cheap to clone;
/// clones share.
///
/// An owner's own comes first. It cannot be made under the id of a file's, so nothing is hidden by it; when such a file comes
/// later, the owner still gets what the owner saved. What looks like a secret in clear is refused.
#[derive(Debug, Clone)]
pub struct ConfigCatalog {
    files: ConfigStore,
    journal: Journal,
    own: Arc<RwLock<BTreeMap<Key, Own>>>,
    changing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Clone)]
struct Own {
    entry: Arc<ConfigEntry>,
    record: ConfigRecord,
    bytes: usize,
}

/// What shall be there before a configuration is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saving<'a> {
    /// Nothing of that id.
    New,
    /// Whatever is there is replaced.
    Anyhow,
    /// A configuration of the owner's; with a [`revision`](AgentConfig::revision), that one.
    Replacing(Option<&'a str>),
}

impl ConfigCatalog {
    /// The files', and what the journal's store has.
    ///
    /// # Errors
    /// [`StoreError`] when that cannot be read.
    pub async fn open(files: ConfigStore, journal: Journal) -> Result<Self, StoreError> {
        let mut own = BTreeMap::new();
        for record in journal.store().configs().await? {
            match Own::read(record) {
                Ok(read) => drop(own.insert(key(&read.record.owner, &read.record.id), read)),
                Err((id, error)) => tracing::warn!(id, %error, "a kept configuration cannot be read"),
            }
        }
        Ok(Self { files, journal, own: Arc::new(RwLock::new(own)), changing: Arc::default() })
    }

    /// The configurations of files.
    pub fn files(&self) -> &ConfigStore {
        &self.files
    }

    /// The configuration of this id: the owner's own, or a file's. A look-up in memory, whatever the id is.
    ///
    /// # Errors
    /// As [`ConfigStore::get`].
    pub fn get(&self, owner: Option<&Owner>, id: &str) -> Result<Arc<ConfigEntry>, ConfigLookupError> {
        match owner.and_then(|owner| self.own_of(owner, id)) {
            Some(own) => Ok(own.entry),
            None => self.files.entry(id),
        }
    }

    /// Everything that this owner can launch, each id once, sorted by id.
    pub fn list(&self, owner: Option<&Owner>) -> Vec<Arc<ConfigEntry>> {
        let files = self.files.list().into_iter();
        let mut all: BTreeMap<String, _> = files.map(|entry| (entry.config.id.clone(), entry)).collect();
        for entry in owner.map(|owner| self.list_own(owner)).unwrap_or_default() {
            all.insert(entry.config.id.clone(), entry);
        }
        all.into_values().collect()
    }

    /// The owner's own, sorted by id.
    pub fn list_own(&self, owner: &Owner) -> Vec<Arc<ConfigEntry>> {
        let (own, digest) = (self.own.read().unwrap_or_else(PoisonError::into_inner), owner.to_hex());
        let from = own.range((digest.clone(), String::new())..);
        from.take_while(|((of, _), _)| *of == digest).map(|(_, own)| Arc::clone(&own.entry)).collect()
    }

    /// Whether a document could be saved under a new id: what [`save`](Self::save) would refuse of it.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`], [`CatalogError::Secrets`], [`CatalogError::Reserved`].
    pub fn check(&self, read: &ReadConfig) -> Result<(), CatalogError> {
        let config = &read.config;
        let found = secrets::in_clear(config);
        ConfigError::check(found).map_err(CatalogError::Secrets)?;
        let taken = TAKEN.contains(&config.id.as_str()) || config.id.starts_with(INLINE);
        if taken || !matches!(self.files.entry(&config.id), Err(ConfigLookupError::NotFound(_))) {
            return Err(CatalogError::Reserved(config.id.clone()));
        }
        Ok(())
    }

    /// Saves a configuration of an owner's. When it answers, it is kept.
    ///
    /// # Errors
    /// Those of [`check`](Self::check); [`CatalogError::Exists`], [`CatalogError::NotFound`] and [`CatalogError::Changed`] when
    /// there is not what shall be there; [`CatalogError::Quota`]; [`CatalogError::Journal`].
    pub async fn save(
        &self,
        owner: Owner,
        read: ReadConfig,
        saving: Saving<'_>,
    ) -> Result<Arc<ConfigEntry>, CatalogError> {
        let _changing = self.changing.lock().await;
        let before = self.own_of(&owner, &read.config.id);
        match (saving, &before) {
            (Saving::New, Some(_)) => return Err(CatalogError::Exists(read.config.id)),
            (Saving::Replacing(_), None) => {
                return Err(CatalogError::NotFound(self.not_own(&read.config.id)));
            }
            (Saving::Replacing(Some(revision)), Some(own)) if own.entry.config.revision() != revision => {
                return Err(CatalogError::Changed(read.config.id));
            }
            _ => {}
        }
        match self.check(&read) {
            // A file of its id came after it was made.
            Err(CatalogError::Reserved(_)) if before.is_some() => {}
            other => other?,
        }
        let own = Own::new(owner, read, before.as_ref())?;
        self.room(&owner, &own, before.as_ref())?;
        let entry = Arc::clone(&own.entry);
        self.commit(key(&owner, &entry.config.id), before, Some(own)).await?;
        Ok(entry)
    }

    /// Removes a configuration of an owner's. Sessions that were launched with it go on.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`], [`CatalogError::Changed`], [`CatalogError::Journal`].
    pub async fn remove(&self, owner: Owner, id: &str, revision: Option<&str>) -> Result<(), CatalogError> {
        let _changing = self.changing.lock().await;
        let Some(own) = self.own_of(&owner, id) else { return Err(CatalogError::NotFound(self.not_own(id))) };
        if revision.is_some_and(|revision| own.entry.config.revision() != revision) {
            return Err(CatalogError::Changed(id.to_owned()));
        }
        self.commit(key(&owner, id), Some(own), None).await
    }

    fn own_of(&self, owner: &Owner, id: &str) -> Option<Own> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).get(&key(owner, id)).cloned()
    }

    /// Why there is nothing of the owner's to change.
    fn not_own(&self, id: &str) -> String {
        match self.files.entry(id) {
            Ok(entry) if entry.source == ConfigSource::Preset => {
                format!("Configuration '{id}' is a preset, which nobody changes: save yours under another id")
            }
            Ok(_) | Err(ConfigLookupError::Invalid { .. }) => {
                format!("Configuration '{id}' is the operator's: save yours under another id")
            }
            Err(ConfigLookupError::NotFound(message)) => message,
        }
    }

    fn room(&self, owner: &Owner, own: &Own, before: Option<&Own>) -> Result<(), CatalogError> {
        let kept = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let digest = owner.to_hex();
        let of_one = kept.keys().filter(|(of, _)| *of == digest).count();
        let of_all: usize = kept.values().map(|own| own.bytes).sum();
        let grows = own.bytes.saturating_sub(before.map_or(0, |own| own.bytes));
        if (before.is_none() && of_one >= OF_ONE) || of_all + grows > OF_ALL {
            return Err(CatalogError::Quota);
        }
        Ok(())
    }

    /// Keeps a change, then shows it.
    async fn commit(&self, key: Key, before: Option<Own>, after: Option<Own>) -> Result<(), CatalogError> {
        let (catalog, owner) = (self.clone(), before.as_ref().or(after.as_ref()).map(|own| own.record.owner));
        let Some(owner) = owner else { return Ok(()) };
        let change = move |own: &Option<Own>, id: &str| match own {
            Some(own) => Change::Config(own.record.clone()),
            None => Change::RemoveConfig { owner, id: id.to_owned() },
        };
        // In a task of its own: a caller who leaves does not leave memory and store apart.
        let committed = tokio::spawn(async move {
            let kept = catalog.journal.commit(vec![change(&after, &key.1)], Patience::Short).await;
            if let Err(error) = kept {
                // It may be kept all the same, and is not to be.
                let (journal, undo) = (catalog.journal.clone(), vec![change(&before, &key.1)]);
                tokio::spawn(async move { journal.commit(undo, Patience::Endless).await });
                return Err(CatalogError::from(error));
            }
            let mut own = catalog.own.write().unwrap_or_else(PoisonError::into_inner);
            match after {
                Some(after) => drop(own.insert(key, after)),
                None => drop(own.remove(&key)),
            }
            Ok(())
        });
        committed.await.unwrap_or_else(|_| {
            Err(CatalogError::Journal(StoreError::Unavailable("the write broke off".to_owned()).into()))
        })
    }
}

impl Own {
    /// What is kept of a configuration, with its times.
    fn new(owner: Owner, read: ReadConfig, before: Option<&Self>) -> Result<Self, CatalogError> {
        let ReadConfig { mut config, warnings } = read;
        let now = Timestamp::now();
        config.created_at = Some(before.and_then(|own| own.entry.config.created_at).unwrap_or(now));
        config.updated_at = Some(now);
        let document = config.document().map_err(CatalogError::Invalid)?;
        let bytes = document.to_string().len();
        if bytes > MAX_DOCUMENT {
            return Err(CatalogError::TooLarge(MAX_DOCUMENT));
        }
        let record = ConfigRecord { owner, id: config.id.clone(), document, updated_at: now };
        let entry = ConfigEntry { config: Arc::new(config), source: ConfigSource::User, warnings };
        Ok(Self { entry: Arc::new(entry), record, bytes })
    }

    fn read(record: ConfigRecord) -> Result<Self, (String, ConfigError)> {
        let read = AgentConfig::from_json(record.document.clone());
        let ReadConfig { config, warnings } = read.map_err(|error| (record.id.clone(), error))?;
        let bytes = Value::to_string(&record.document).len();
        let entry = ConfigEntry { config: Arc::new(config), source: ConfigSource::User, warnings };
        Ok(Self { entry: Arc::new(entry), record, bytes })
    }
}

fn key(owner: &Owner, id: &str) -> Key {
    (owner.to_hex(), id.to_owned())
}

#[cfg(test)]
mod tests;
