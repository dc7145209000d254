//! Reading a folder of configurations without leaving it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use jiff::Timestamp;

use super::super::problem::FieldProblem;
use super::super::yaml::MAX_DOCUMENT;

/// The most files of one folder.
pub(super) const MAX_FILES: usize = 1_000;

/// A file as its folder shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listed {
    /// Its name, which ends in `.yaml` or `.yml`.
    pub(super) name: String,
    size: u64,
    modified: Option<Timestamp>,
}

impl Listed {
    /// The name without its ending.
    pub(super) fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(self.name.as_str(), |(stem, _)| stem)
    }
}

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// The files, sorted by name.
    pub(super) files: Vec<Listed>,
    /// What is wrong with the folder as a whole.
    pub(super) problem: Option<String>,
}

/// Lists a folder; one that does not exist is empty.
pub(super) fn list(folder: &Path) -> Listing {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Listing::default(),
        Err(error) => {
            let problem = format!("the folder cannot be read: {}", error.kind());
            return Listing { files: Vec::new(), problem: Some(problem) };
        }
    };
    let mut listing = Listing::default();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                listing.problem = Some(format!("the folder cannot be read to its end: {}", error.kind()));
                break;
            }
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !(name.ends_with(".yaml") || name.ends_with(".yml")) {
            continue;
        }
        if listing.files.len() == MAX_FILES {
            let problem = format!("the folder holds more than {MAX_FILES} files; the rest is ignored");
            listing.problem = Some(problem);
            break;
        }
        let metadata = fs::metadata(entry.path()).ok();
        let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        listing.files.push(Listed {
            name,
            size: metadata.as_ref().map_or(0, fs::Metadata::len),
            modified: modified.and_then(|time| Timestamp::try_from(time).ok()),
        });
    }
    listing.files.sort();
    listing
}

/// Reads a file of a folder. `None` means that it is gone since the folder was listed.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(folder: &Path, name: &str) -> Option<Result<String, FieldProblem>> {
    match read_bytes(folder, name) {
        Ok(bytes) => Some(bytes.and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| problem("the file is not UTF-8 text; save it as UTF-8"))
        })),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let dangling = fs::symlink_metadata(folder.join(name)).is_ok();
            dangling.then(|| Err(problem("the file is a link that leads nowhere; mend or remove it")))
        }
        Err(error) => Some(Err(problem(format!("the file cannot be read: {}", error.kind())))),
    }
}

fn read_bytes(folder: &Path, name: &str) -> std::io::Result<Result<Vec<u8>, FieldProblem>> {
    let folder = folder.canonicalize()?;
    let path = folder.join(name).canonicalize()?;
    if !path.starts_with(&folder) {
        return Ok(Err(problem(
            "the file is a link that leads out of its folder; put the file itself there",
        )));
    }
    // Opening anything but a plain file could wait for ever.
    if !fs::metadata(&path)?.is_file() {
        return Ok(Err(problem("this is not a plain file; remove or rename it")));
    }
    let mut bytes = Vec::new();
    let limit = MAX_DOCUMENT as u64;
    File::open(&path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_DOCUMENT {
        let message = format!("the file is larger than {} KiB; make it smaller", MAX_DOCUMENT / 1024);
        return Ok(Err(problem(message)));
    }
    Ok(Ok(bytes))
}

fn problem(message: impl Into<String>) -> FieldProblem {
    FieldProblem::sentence("", message)
}
