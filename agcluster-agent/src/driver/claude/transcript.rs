//! The program's own record of a conversation, put where the program looks for it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use agcluster_protocol::TranscriptFile;
use tokio::process::Command;

use crate::AgentUser;
use crate::driver::DriverError;
use crate::program::ProcessTree;

/// Writes its input to the file `$1`, and makes the directories above it.
const WRITE: &str = r#"umask 077 && mkdir -p -- "$(dirname -- "$1")" && cat > "$1""#;

/// Writes files below the program's home, in place of what is there. As the agent's user: what is in the home is the
/// agent's, and may be links that lead anywhere.
pub(super) async fn restore(
    tree: &ProcessTree,
    home: &Path,
    user: Option<AgentUser>,
    transcript: Vec<TranscriptFile>,
) -> Result<(), DriverError> {
    for (path, lines) in files(transcript)? {
        write(tree, home, user, &path, &lines).await.map_err(|error| {
            DriverError::StartFailed(format!(
                "the conversation cannot be restored in the home of the agent program: {error}"
            ))
        })?;
    }
    Ok(())
}

/// The lines of each file, with its parts put together.
fn files(transcript: Vec<TranscriptFile>) -> Result<BTreeMap<PathBuf, Vec<u8>>, DriverError> {
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for file in transcript {
        let path = file.checked_path().map_err(|error| DriverError::Invalid(error.to_string()))?;
        let lines = files.entry(path.to_owned()).or_default();
        for entry in &file.entries {
            lines.extend_from_slice(entry.to_string().as_bytes());
            lines.push(b'\n');
        }
    }
    Ok(files)
}

async fn write(
    tree: &ProcessTree,
    home: &Path,
    user: Option<AgentUser>,
    path: &Path,
    lines: &[u8],
) -> io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", WRITE, "sh"]).arg(home.join(path)).current_dir("/");
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    let ended = tree.run(&mut command, lines).await?;
    if ended.success() { Ok(()) } else { Err(io::Error::other("the agent's user may not write it")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(path: &str, entries: &[i32]) -> TranscriptFile {
        TranscriptFile { path: path.to_owned(), entries: entries.iter().map(|entry| json!(entry)).collect() }
    }

    #[tokio::test]
    async fn parts_of_a_file_are_put_together_in_order() {
        let home = tempfile::tempdir().unwrap();
        let parts = vec![file(".a/b c/d.jsonl", &[1, 2]), file("-e", &[9]), file(".a/b c/d.jsonl", &[3])];
        for _ in 0..2 {
            restore(&ProcessTree::new(false), home.path(), None, parts.clone()).await.unwrap();
            let read = |path| std::fs::read_to_string(home.path().join(path)).unwrap();
            assert_eq!((read(".a/b c/d.jsonl").as_str(), read("-e").as_str()), ("1\n2\n3\n", "9\n"));
        }
    }

    #[tokio::test]
    async fn nothing_is_written_outside_of_the_home() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let absolute = folder.path().join("x").to_string_lossy().into_owned();
        for path in ["../x", &absolute, "a/../../x", ""] {
            let refused = restore(&ProcessTree::new(false), &home, None, vec![file(path, &[1])]).await;
            assert!(matches!(refused, Err(DriverError::Invalid(_))), "{path}");
        }
        assert!(!folder.path().join("x").exists());
    }

    #[tokio::test]
    async fn a_home_that_cannot_be_written_to_is_said() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("file"), "").unwrap();
        let failed =
            restore(&ProcessTree::new(false), home.path(), None, vec![file("file/below", &[1])]).await;
        assert!(matches!(failed, Err(DriverError::StartFailed(_))), "{failed:?}");
    }
}
