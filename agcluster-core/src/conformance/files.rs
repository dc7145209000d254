//! Files in a container's workspace, through whichever way the provider claims.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::case::check;
use super::{Context, Failed, tar};
use crate::provider::{ContainerId, ExecOptions, PathInContainer, found};

/// The workspace, the same in all images.
pub(super) const WORKSPACE: &str = "/workspace";

/// The most that is read of an archive.
const LONGEST_ARCHIVE: usize = 16 << 20;

/// A way to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Archive,
    Exec,
}

/// The way to files that the provider claims, if it claims one.
pub(super) fn way(context: &Context) -> Option<Way> {
    let capabilities = context.provider().info().capabilities;
    match (capabilities.archive, capabilities.exec) {
        (Some(_), _) => Some(Way::Archive),
        (None, Some(_)) => Some(Way::Exec),
        (None, None) => None,
    }
}

pub(super) fn path(text: &str) -> Result<PathInContainer, Failed> {
    PathInContainer::new(text).ok_or_else(|| Failed(format!("{text} is no path in a container")))
}

/// Writes a file into the workspace.
pub(super) async fn write(
    context: &Context,
    way: Way,
    id: &ContainerId,
    name: &str,
    content: &str,
) -> Result<(), Failed> {
    match way {
        Way::Archive => {
            let archive = Bytes::from(tar::of_file(name, content.as_bytes()));
            let pieces = stream::iter([Ok(archive)]).boxed();
            Ok(context.provider().write_archive(id, path(WORKSPACE)?, pieces).await?)
        }
        Way::Exec => {
            let script = r#"printf %s "$2" > "$1""#;
            let file = format!("{WORKSPACE}/{name}");
            let command = ["/bin/sh", "-c", script, "sh", &file, content];
            let done = context.provider().exec(id, ExecOptions::new(command)).await?;
            check(done.exit_code == 0, format!("writing a file ended with {done:?}"))
        }
    }
}

/// Reads a file from the workspace; `None` when it is not there.
pub(super) async fn read(
    context: &Context,
    way: Way,
    id: &ContainerId,
    name: &str,
) -> Result<Option<Vec<u8>>, Failed> {
    match way {
        Way::Archive => {
            let archive = read_archive(context, id, WORKSPACE).await?;
            Ok(tar::find(&archive, name).map(<[u8]>::to_vec))
        }
        Way::Exec => {
            let command = ["cat".to_owned(), format!("{WORKSPACE}/{name}")];
            let done = context.provider().exec(id, ExecOptions::new(command)).await?;
            Ok((done.exit_code == 0).then_some(done.stdout))
        }
    }
}

/// A whole archive of a folder.
pub(super) async fn read_archive(
    context: &Context,
    id: &ContainerId,
    folder: &str,
) -> Result<Vec<u8>, Failed> {
    let pieces = context.provider().read_archive(id, path(folder)?).await?;
    let whole = pieces.map_err(Failed::from).try_fold(Vec::new(), |mut whole, piece| async move {
        whole.extend_from_slice(&piece);
        check(whole.len() <= LONGEST_ARCHIVE, "the archive has no end")?;
        Ok(whole)
    });
    tokio::time::timeout(Duration::from_secs(60), whole)
        .await
        .map_err(|_| Failed("the archive took longer than a minute".to_owned()))?
}

/// Whether a folder is not there.
pub(super) async fn is_absent(context: &Context, id: &ContainerId, folder: &str) -> Result<bool, Failed> {
    Ok(found(context.provider().read_archive(id, path(folder)?).await)?.is_none())
}
