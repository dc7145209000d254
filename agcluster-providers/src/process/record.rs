//! What is written down of a container and of a workspace.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use agcluster_core::provider::Labels;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::identity::Identity;

/// What is written down of a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) created_at: Timestamp,
    /// Of the spec: the digest of the token, no secret.
    pub(super) env: BTreeMap<String, String>,
    pub(super) warnings: Vec<String>,
    /// Its agent server; absent from just before it is started until it is known, and after it was stopped.
    pub(super) process: Option<Identity>,
}

impl Record {
    pub(super) fn labels(&self) -> Option<Labels> {
        labels_of(&self.labels)
    }
}

pub(super) fn labels_of(map: &BTreeMap<String, String>) -> Option<Labels> {
    Labels::from_map(|key| map.get(key).map(String::as_str))
}

/// Reads a file; `None` when it is not there.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file that only this user may read, all of it or nothing.
pub(super) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let half = path.with_extension("half");
    let mut file = File::create(&half)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(&serde_json::to_vec(value)?)?;
    fs::rename(&half, path)
}

/// The names of the `.json` files in a folder, without that ending.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    names_with(folder, ".json")
}

/// The names of what [`write`] left half written when its process was killed, without the ending.
pub(super) fn halves(folder: &Path) -> io::Result<Vec<String>> {
    names_with(folder, HALF)
}

/// The ending of a file that is being written.
const HALF: &str = ".half";

fn names_with(folder: &Path, ending: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(ending)).map(str::to_owned));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_listed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agc-s-g1.json");
        assert_eq!(read::<Record>(&path).unwrap(), None);
        let record = Record {
            labels: BTreeMap::new(),
            created_at: Timestamp::from_second(1).unwrap(),
            env: BTreeMap::new(),
            warnings: vec!["w".to_owned()],
            process: None,
        };
        write(&path, &record).unwrap();
        assert_eq!(read::<Record>(&path).unwrap(), Some(record));
        assert_eq!(names(folder.path()).unwrap(), ["agc-s-g1"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(names(&folder.path().join("none")).unwrap().is_empty());
    }
}
