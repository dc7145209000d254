//! The image that the agent image is built on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::packages::{self, Package};
use crate::command::{self, announce};
use crate::docker::{self, docker};

const PUBLISHED: &str = "debian:bookworm-slim";
const OWN: &str = "agcluster/base:bookworm";
const SUITE: &str = "bookworm";
const DEBOOTSTRAP: Package = Package { program: "debootstrap", package: "debootstrap" };
/// Behind some firewalls a pull neither succeeds nor fails.
const PULL_LIMIT: Duration = Duration::from_secs(120);

const SOURCES: &str = "deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
";

/// A base image that is present: `wanted`, or else the published Debian image, or else one made here.
///
/// # Errors
/// Says what to do when there is none and none can be had.
pub(crate) fn require(wanted: Option<&str>) -> Result<String> {
    if let Some(wanted) = wanted {
        if docker::image_id(wanted).is_none() {
            command::run(docker().args(["pull", wanted]))?;
        }
        return Ok(wanted.to_owned());
    }
    if let Some(present) = [PUBLISHED, OWN].into_iter().find(|image| docker::image_id(image).is_some()) {
        return Ok(present.to_owned());
    }
    announce(&format!("Pulling {PUBLISHED}"));
    if command::succeeds_within(docker().args(["pull", PUBLISHED]), PULL_LIMIT) {
        return Ok(PUBLISHED.to_owned());
    }
    if !packages::may_install() {
        bail!(
            "{PUBLISHED} cannot be pulled: name an image that is present with `cargo xtask image --base IMAGE`."
        );
    }
    announce(&format!("{PUBLISHED} cannot be pulled; making {OWN} from Debian packages"));
    packages::require(&[DEBOOTSTRAP])?;
    make()?;
    Ok(OWN.to_owned())
}

fn make() -> Result<()> {
    // Not in a temporary file system, which may forbid the device files and programs of a root file system.
    let folder = tempfile::Builder::new().prefix("agcluster-base-").tempdir_in("/var/tmp")?;
    let root = folder.path().join("root");
    let mut debootstrap = command::system("debootstrap");
    debootstrap.args(["--variant=minbase", "--include=ca-certificates", SUITE]).arg(&root);
    let log = folder.path().join("log");
    let output = fs::File::create(&log)?;
    let status = debootstrap.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).status()?;
    if !status.success() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        bail!("debootstrap failed ({status}): {}", said.lines().last().unwrap_or("no message"));
    }
    fs::write(root.join("etc/apt/sources.list"), SOURCES)?;
    // The host's resolver is no part of an image, nor is what apt kept for itself.
    fs::write(root.join("etc/resolv.conf"), "")?;
    for cache in ["var/cache/apt/archives", "var/lib/apt/lists", "var/log"] {
        remove_files(&root.join(cache))?;
    }
    import(&root)
}

/// Removes the files under `folder`, and leaves the folders.
fn remove_files(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_files(&entry.path())?
        } else {
            fs::remove_file(entry.path())?
        }
    }
    Ok(())
}

fn import(root: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--numeric-owner", "--directory"]).arg(root).arg(".");
    let mut packing = tar.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start tar")?;
    let archive = packing.stdout.take().context("tar has no output")?;
    let mut import = docker();
    import.args(["import", "--change", "CMD [\"bash\"]", "-", OWN]).stdin(archive).stdout(Stdio::null());
    let imported = import.status().context("cannot start docker")?;
    let packed = packing.wait()?;
    if !packed.success() || !imported.success() {
        bail!("importing the base image failed (tar: {packed}, docker: {imported})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_and_folders_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("partial")).unwrap();
        fs::write(folder.path().join("one.deb"), "").unwrap();
        fs::write(folder.path().join("partial/two.deb"), "").unwrap();
        remove_files(folder.path()).unwrap();
        assert!(folder.path().join("partial").is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(folder.path().join("partial")).unwrap().count(), 0);
    }
}
