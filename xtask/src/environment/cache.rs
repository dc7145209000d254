//! Where things are kept that are costly to get and the same for every checkout.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const SYSTEM: &str = "/var/cache/agcluster";

/// The folder for `entry`: the system's when it has the entry already or when this is root, else the user's.
pub(crate) fn folder(entry: &str) -> Result<PathBuf> {
    let system = Path::new(SYSTEM).join(entry);
    if system.exists() || rustix::process::geteuid().is_root() {
        return Ok(system);
    }
    let user = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let user = user.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    Ok(user.context("set HOME, so that downloads can be kept under it")?.join("agcluster").join(entry))
}

/// Fills `folder` by `make`, all or nothing: an interrupted attempt leaves no half-made folder behind.
///
/// # Errors
/// What `make` answers, or when the folder cannot be written.
pub(crate) fn fill(folder: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = folder.parent().with_context(|| format!("{} has no parent", folder.display()))?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let attempt = tempfile::Builder::new()
        .prefix(".attempt-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot write to {}", parent.display()))?;
    let made = attempt.path().join("made");
    fs::create_dir(&made)?;
    make(&made)?;
    match fs::rename(&made, folder) {
        Ok(()) => Ok(()),
        // Somebody else was quicker with the same thing.
        Err(_) if folder.exists() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot create {}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_attempt_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/entry");
        let failed = fill(&folder, |made| {
            fs::write(made.join("half"), "")?;
            anyhow::bail!("the line was cut")
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(parent.path().join("deep")).unwrap().count(), 0);
    }

    #[test]
    fn the_first_one_there_wins() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("entry");
        fill(&folder, |made| Ok(fs::write(made.join("file"), "first")?)).unwrap();
        fill(&folder, |made| Ok(fs::write(made.join("file"), "second")?)).unwrap();
        assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "first");
    }
}
