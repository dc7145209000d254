//! Debian packages.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{self, announce};

/// A program and the Debian package that brings it.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    /// Name of the program, as it is found in the `PATH`.
    pub(crate) program: &'static str,
    /// Name of the package.
    pub(crate) package: &'static str,
}

/// What is needed to build the server, besides what Rust itself needs.
pub(crate) const FOR_BUILDS: &[Package] = &[Package { program: "make", package: "make" }];

/// What the tests use on this machine itself, outside containers.
pub(crate) const FOR_TESTS: &[Package] = &[
    Package { program: "git", package: "git" },
    Package { program: "curl", package: "curl" },
    Package { program: "python3", package: "python3" },
    // The official client of a platform, which runs against the fake of it.
    Package { program: "node", package: "nodejs" },
    Package { program: "npm", package: "npm" },
];

/// Whether missing packages may simply be installed: as root on Debian or a child of it.
pub(crate) fn may_install() -> bool {
    rustix::process::geteuid().is_root()
        && Path::new("/etc/debian_version").exists()
        && command::find("apt-get").is_some()
}

/// Makes sure that the programs of `packages` are there.
///
/// # Errors
/// Says what to install when this may not install it, or when the installation fails.
pub(crate) fn require(packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|package| command::find(package.program).is_none())
        .map(|package| package.package)
        .collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// Installs packages.
///
/// # Errors
/// Says what to install when this may not install it, or when the installation fails.
pub(super) fn install(missing: &[&str]) -> Result<()> {
    if !may_install() {
        bail!("{}", advice(missing));
    }
    announce(&format!("Installing {}", missing.join(", ")));
    command::run(apt().arg("update"))?;
    command::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(missing))
}

fn advice(missing: &[&str]) -> String {
    format!("Install {0}; on Debian: sudo apt-get install {1}", missing.join(" and "), missing.join(" "))
}

fn apt() -> Command {
    let mut apt = command::system("apt-get");
    // A machine that has just been started may still be busy with its own updates.
    apt.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Dpkg::Use-Pty=0",
    ]);
    apt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_needs_nothing() {
        require(&[Package { program: "sh", package: "no-such-package" }]).unwrap();
    }

    #[test]
    fn advice_is_one_sentence_with_the_command() {
        assert_eq!(
            advice(&["debootstrap", "git"]),
            "Install debootstrap and git; on Debian: sudo apt-get install debootstrap git"
        );
    }
}
