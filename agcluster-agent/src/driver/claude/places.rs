//! The directories a program works in: they exist, and belong to the agent's user.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::driver::DriverError;
use crate::program::ProcessTree;
use crate::workspace::{give, make_root};
use crate::{AgentUser, ServerConfig};

/// Where images keep the agent's home.
const USUAL_HOME: &str = "/home/agent";

/// Where the agent program keeps what it knows.
pub(super) enum Home {
    /// In the image.
    Usual,
    /// Made for this server, and removed with it.
    Private(TempDir),
}

impl Home {
    /// One of its own below `homes`, if that is given. Else the image's home where the agent's user can have it, else one of
    /// its own where temporary files go.
    pub(super) fn prepare(user: Option<AgentUser>, homes: Option<&Path>) -> Result<Self, DriverError> {
        let usual = Path::new(USUAL_HOME);
        if homes.is_none()
            && let Some(user) = user
            && give(usual, user).is_ok()
        {
            return Ok(Self::Usual);
        }
        let failed = |error: io::Error| {
            DriverError::StartFailed(format!("no home directory can be made for the agent program: {error}"))
        };
        let below = homes.map_or_else(std::env::temp_dir, Path::to_owned);
        let private = tempfile::Builder::new().prefix("agent-home-").tempdir_in(below).map_err(failed)?;
        DirBuilder::new().mode(0o700).create(private.path().join("tmp")).map_err(failed)?;
        if let Some(user) = user {
            give(&private.path().join("tmp"), user).map_err(failed)?;
            give(private.path(), user).map_err(failed)?;
        }
        Ok(Self::Private(private))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Usual => Path::new(USUAL_HOME),
            Self::Private(directory) => directory.path(),
        }
    }

    /// A directory for temporary files, where the usual one may be shared with other sessions.
    pub(super) fn temporary(&self) -> Option<PathBuf> {
        match self {
            Self::Usual => None,
            Self::Private(directory) => Some(directory.path().join("tmp")),
        }
    }
}

/// The working directory of a configuration, which is made if it does not exist.
pub(super) async fn working_directory(
    config: &ServerConfig,
    tree: &ProcessTree,
    wanted: Option<&str>,
) -> Result<PathBuf, DriverError> {
    // A relative path is one below the workspace.
    let path = config.workspace.join(wanted.unwrap_or_default());
    let failed = |path: &Path, error: io::Error| {
        DriverError::Invalid(format!(
            "the working directory {} cannot be made: {error}; choose one below {}",
            path.display(),
            config.workspace.display()
        ))
    };
    make_root(&config.workspace, config.agent_user).map_err(|error| failed(&config.workspace, error))?;
    if fs::metadata(&path).is_ok_and(|found| found.is_dir()) {
        return Ok(path);
    }
    // As the agent's user: what lies below the workspace is the agent's, and may be links that lead anywhere.
    make_as(tree, &path, config.agent_user).await.map_err(|error| failed(&path, error))?;
    Ok(path)
}

async fn make_as(tree: &ProcessTree, path: &Path, user: Option<AgentUser>) -> io::Result<()> {
    let Some(user) = user else { return DirBuilder::new().recursive(true).create(path) };
    let mut mkdir = Command::new("mkdir");
    mkdir.args(["-p", "--"]).arg(path).uid(user.uid).gid(user.gid).current_dir("/");
    let made = tree.run(&mut mkdir, &[]).await?;
    if made.success() { Ok(()) } else { Err(io::Error::other("the agent's user may not make it")) }
}

/// Finds a program: a path as it is, a name in `PATH`.
pub(super) fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return is_program(program).then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|found| is_program(found))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_home_has_room_for_temporary_files_and_goes_with_the_server() {
        let home = Home::prepare(None, None).unwrap();
        let path = home.path().to_owned();
        assert!(home.temporary().is_some_and(|temporary| temporary.is_dir()));
        drop(home);
        assert!(!path.exists());
    }

    #[test]
    fn a_program_is_found_by_path_or_by_name() {
        assert_eq!(find_program(Path::new("/bin/sh")), Some(PathBuf::from("/bin/sh")));
        assert!(find_program(Path::new("sh")).is_some());
        for missing in ["/bin", "/nonexistent/sh", "no-such-program-anywhere"] {
            assert_eq!(find_program(Path::new(missing)), None);
        }
    }
}
