//! What outlives a run of this server: the database, the key of all containers' tokens, and the name of this installation.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agcluster_core::agent::TokenKey;
use agcluster_core::protocol::Secret;
use agcluster_core::store::{self, Change, DatabaseUrl, Store};
use uuid::Uuid;

use crate::{Settings, StartError};

/// The name under which a database knows whose it is.
const CLUSTER: &str = "cluster";
/// The longest key file that is read.
const MAX_KEY: u64 = 4096;

/// What outlives a run of this server.
#[derive(Debug)]
pub(crate) struct Persistence {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) key: TokenKey,
    pub(crate) cluster: String,
    pub(crate) is_lasting: bool,
}

impl Persistence {
    /// Opens what an earlier run left, or makes it.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, StartError> {
        let folder = settings.data_dir.clone().unwrap_or_else(data_dir);
        let url = match &settings.database_url {
            Some(url) => url.expose().parse()?,
            None => DatabaseUrl::sqlite(folder.join("agcluster.db")),
        };
        let is_lasting = url.is_lasting();
        let store = store::open(&url).await?;
        let key = match &settings.secret {
            Some(secret) => TokenKey::from_secret(secret),
            None if !is_lasting => TokenKey::random()?,
            None => {
                let file = folder.join("token.key");
                let secret = key_file(&file).map_err(|source| StartError::KeyFile { file, source })?;
                TokenKey::from_secret(&secret)
            }
        };
        let cluster = match &settings.cluster {
            Some(name) => name.clone(),
            None => cluster(store.as_ref()).await?,
        };
        Ok(Self { store, key, cluster, is_lasting })
    }
}

/// The name that the containers of this database are labelled with: made once.
async fn cluster(store: &dyn Store) -> Result<String, StartError> {
    if let Some(name) = store.meta(CLUSTER).await? {
        return Ok(name);
    }
    let name = format!("{}-{}", host_name(), &Uuid::new_v4().simple().to_string()[..8]);
    store.commit(&[Change::Meta { key: CLUSTER.to_owned(), value: name.clone() }]).await?;
    Ok(name)
}

/// The secret in a file that only this user can read; made when it is not there.
fn key_file(file: &Path) -> io::Result<Secret> {
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // Two servers cannot be here at once: the database lets in one.
    if !file.exists() {
        let partial = file.with_extension("partial");
        let mut new =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        new.write_all(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()).as_bytes())?;
        new.sync_all()?;
        std::fs::rename(&partial, file)?;
    }
    let mut secret = String::new();
    OpenOptions::new().read(true).open(file)?.take(MAX_KEY).read_to_string(&mut secret)?;
    if secret.trim().len() < 16 {
        return Err(io::Error::other("it holds no key: remove it, and sessions that run now are lost"));
    }
    Ok(Secret::new(secret.trim()))
}

/// Where a service keeps its state, or a user.
fn data_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/agcluster");
    }
    let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let state = std::env::var_os("XDG_STATE_HOME").filter(|folder| !folder.is_empty());
    state.map_or_else(|| home().join(".local/state"), PathBuf::from).join("agcluster")
}

/// The host's name, for telling clusters apart.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if name.is_empty() { "agcluster".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_user_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/token.key");
        let first = key_file(&file).unwrap();
        assert_eq!(key_file(&file).unwrap(), first);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_key_that_was_half_written_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token.key");
        std::fs::write(file.with_extension("partial"), "half").unwrap();
        assert!(key_file(&file).unwrap().expose().len() > 16);
    }

    #[test]
    fn an_empty_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token.key");
        std::fs::write(&file, "").unwrap();
        assert!(key_file(&file).is_err());
    }
}
