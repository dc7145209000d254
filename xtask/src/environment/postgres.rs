//! PostgreSQL's programs. The tests and the bench start servers of their own with them; none runs beside.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::packages::{self, Package};

/// Where Debian has the programs, one folder a version.
const PROGRAMS: &str = "/usr/lib/postgresql";
/// Brings the folder below, before the server's package looks into it.
const COMMON: Package = Package { program: "pg_ctlcluster", package: "postgresql-common" };
/// Says what Debian's package makes when it is installed.
const SETTINGS: &str = "/etc/postgresql-common/createcluster.d";

/// Makes sure that PostgreSQL's programs are there. Where they must be installed, Debian's package is kept from making and
/// starting a server that nobody asked for.
///
/// # Errors
/// Says what to install when this may not install it, or when the installation fails.
pub(crate) fn require() -> Result<()> {
    if is_installed(Path::new(PROGRAMS)) {
        return Ok(());
    }
    if packages::may_install() {
        packages::require(&[COMMON])?;
        fs::create_dir_all(SETTINGS)
            .and_then(|()| fs::write(format!("{SETTINGS}/no-server.conf"), "create_main_cluster = false\n"))
            .with_context(|| format!("cannot write into {SETTINGS}"))?;
    }
    packages::install(&["postgresql"])
}

fn is_installed(programs: &Path) -> bool {
    let versions = fs::read_dir(programs).into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin/initdb").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_programs_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_installed(&folder.path().join("missing")));
        fs::create_dir_all(folder.path().join("15/bin")).unwrap();
        assert!(!is_installed(folder.path()));
        fs::write(folder.path().join("15/bin/initdb"), "").unwrap();
        assert!(is_installed(folder.path()));
    }
}
