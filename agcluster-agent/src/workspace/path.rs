//! Paths as clients write them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Why something is no path below the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPath {
    /// It has `..` among its parts.
    LeadsUp,
    /// It has a zero byte in it.
    Zero,
}

/// A path from the workspace's root, whether it begins with a slash or not, without what means nothing: slashes in a row, and `.`
/// among its parts.
pub(super) fn clean(path: &[u8]) -> Result<PathBuf, NoPath> {
    if path.contains(&0) {
        return Err(NoPath::Zero);
    }
    let mut clean = PathBuf::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(NoPath::LeadsUp),
            part => clean.push(OsStr::from_bytes(part)),
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_path_is_taken_from_the_root_and_never_goes_up() {
        for (given, meant) in [
            ("a/b", "a/b"),
            ("/etc//./passwd/", "etc/passwd"),
            ("v1..v2.txt", "v1..v2.txt"),
            ("...", "..."),
            ("/", ""),
            (".", ""),
        ] {
            assert_eq!(clean(given.as_bytes()).unwrap(), Path::new(meant), "{given}");
        }
        for bad in ["..", "../x", "a/../../x", "/..", "a/.."] {
            assert_eq!(clean(bad.as_bytes()), Err(NoPath::LeadsUp), "{bad:?}");
        }
        assert_eq!(clean(b"a\0b"), Err(NoPath::Zero));
    }
}
