//! The folder that is the workspace.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Gid, OFlags, Uid, fchown};

use crate::AgentUser;

/// Makes the workspace itself, and gives it to the agent's user when it is root's, as a new volume is.
pub(crate) fn make_root(path: &Path, user: Option<AgentUser>) -> io::Result<()> {
    if !fs::metadata(path).is_ok_and(|found| found.is_dir()) {
        DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    }
    match user {
        // A directory that somebody has given to another user stays as it is; the agent may still work in it.
        Some(user) if fs::metadata(path)?.uid() == 0 => give(path, user),
        _ => Ok(()),
    }
}

/// Gives a directory to a user. It must be the user's or root's, and no link.
pub(crate) fn give(path: &Path, user: AgentUser) -> io::Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let directory: File =
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let owner = directory.metadata()?.uid();
    if owner == user.uid {
        return Ok(());
    }
    if owner != 0 {
        return Err(io::Error::other("it belongs to another user"));
    }
    fchown(&directory, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> AgentUser {
        let own = fs::metadata("/proc/self").unwrap();
        AgentUser { uid: own.uid(), gid: own.gid() }
    }

    #[test]
    fn only_a_directory_itself_is_given_and_no_link_to_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(give(folder.path(), own()).is_ok());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(give(&link, own()).is_err());
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(give(&file, own()).is_err());
    }

    #[test]
    fn what_belongs_to_another_user_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let other = AgentUser { uid: own().uid + 1, gid: own().gid };
        // Root's may be given away by root, and by nobody else.
        assert_eq!(give(folder.path(), other).is_ok(), own().uid == 0);
        let again = AgentUser { uid: other.uid + 1, gid: other.gid };
        assert!(give(folder.path(), again).is_err());
    }
}
