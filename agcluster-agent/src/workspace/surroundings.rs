//! What the programs of people find around them: an environment without secrets, a home, a shell.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::WorkspaceConfig;

/// Where programs are when nothing says so.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Shells that are tried in this order, after the one that the image names.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];
/// Names the shell of an image.
pub(super) const SHELL_VARIABLE: &str = "TERMINAL_SHELL";

/// The whole environment of a program.
pub(super) fn environment(config: &WorkspaceConfig) -> BTreeMap<String, OsString> {
    let inherited = |name: &str, usual: &str| env::var_os(name).unwrap_or_else(|| usual.into());
    let mut environment = BTreeMap::from([
        ("PATH".to_owned(), inherited("PATH", USUAL_PATH)),
        ("LANG".to_owned(), inherited("LANG", "C.UTF-8")),
        ("HOME".to_owned(), config.home.clone().unwrap_or_else(|| config.root.clone()).into()),
    ]);
    // Where other sessions are on the same machine, each has its own.
    let temporary = config.home.as_ref().map(|home| home.join("tmp")).filter(|folder| folder.is_dir());
    if let Some(temporary) = temporary {
        environment.insert("TMPDIR".to_owned(), temporary.into());
    }
    environment
}

/// The shell of terminals.
pub(super) fn shell() -> Option<PathBuf> {
    let named = env::var_os(SHELL_VARIABLE).map(PathBuf::from);
    named.into_iter().chain(SHELLS.map(PathBuf::from)).find(|shell| shell.is_absolute() && is_program(shell))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_nothing_but_what_it_must() {
        let home = tempfile::tempdir().unwrap();
        let mut config = WorkspaceConfig::new("/workspace");
        let names = |config: &WorkspaceConfig| environment(config).into_keys().collect::<Vec<_>>();
        assert_eq!(names(&config), ["HOME", "LANG", "PATH"]);
        assert_eq!(environment(&config)["HOME"], "/workspace");
        config.home = Some(home.path().to_owned());
        std::fs::create_dir(home.path().join("tmp")).unwrap();
        assert_eq!(names(&config), ["HOME", "LANG", "PATH", "TMPDIR"]);
        assert_eq!(environment(&config)["HOME"], home.path());
    }

    #[test]
    fn there_is_a_shell() {
        assert!(shell().is_some_and(|shell| is_program(&shell)));
        assert!(!is_program(Path::new("/bin")));
    }
}
