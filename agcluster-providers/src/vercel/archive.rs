//! Folders in and out as tar archives.
//!
//! Vercel moves files and no folders, as the sandbox's own user. So an archive travels as one file in that user's folder, and `tar`
//! packs and unpacks it inside as root: owners survive, and every folder can be had.

use agcluster_core::provider::{ContainerId, ErrorKind, PathInContainer, Result};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::api::{File, Seen, pack};
use super::error::{About, plain};
use super::exec::Execution;
use super::shared::Shared;

/// Exit code for a folder that is not there.
const NO_FOLDER: i32 = 44;
const UNPACK: &str =
    r#"[ -d "$1" ] || { rm -f "$2"; exit 44; }; tar -x -C "$1" -f "$2"; code=$?; rm -f "$2"; exit $code"#;
/// The file belongs to who reads it, and nobody else can.
const PACK: &str =
    r#"[ -d "$1" ] || exit 44; umask 077; tar -c -C "$1" -f "$2" . && chown "$(stat -c %u:%g "$3")" "$2""#;
/// The largest archive that goes in; it is held in memory while it is sent, as Vercel's own client does.
const LARGEST: usize = 64 << 20;

impl Shared {
    fn inside<'a>(&'a self, seen: &'a Seen, operation: &'static str) -> Execution<'a> {
        Execution { shared: self, session: &seen.session.id, operation, sudo: true }
    }

    pub(super) async fn write_archive(
        &self,
        id: &ContainerId,
        path: &PathInContainer,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<()> {
        const WRITE: &str = "write_archive";
        let seen = self.running(id, WRITE).await?;
        let content = collected(tar, WRITE).await?;
        let file = transfer_file(&seen, "in");
        let to = file.clone();
        let packing =
            tokio::task::spawn_blocking(move || pack(&File { path: &to, mode: 0o600, content: &content }));
        let packed = match packing.await {
            Ok(Ok(packed)) => packed,
            _ => return Err(plain(ErrorKind::Invalid, WRITE, "the archive cannot be packed")),
        };
        let explain = |failure| self.explain(failure, WRITE, About::Container(&id.0));
        self.api.write(&seen.session.id, packed).await.map_err(explain)?;
        let done = self.inside(&seen, WRITE).script(UNPACK, &[path.as_str(), &file]).await?;
        outcome(done.exit_code, path, WRITE)
    }

    pub(super) async fn read_archive(
        self: &std::sync::Arc<Self>,
        id: &ContainerId,
        path: &PathInContainer,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        const READ: &str = "read_archive";
        let seen = self.running(id, READ).await?;
        let file = transfer_file(&seen, "out");
        let packed =
            self.inside(&seen, READ).script(PACK, &[path.as_str(), &file, &seen.session.cwd]).await?;
        let left = Leftover { shared: Some((self.clone(), seen)), file };
        outcome(packed.exit_code, path, READ)?;
        let Some((shared, seen)) = &left.shared else {
            return Err(plain(ErrorKind::Unavailable, READ, "the call broke off: try again"));
        };
        let about = About::Container(&id.0);
        let read = shared.api.read_file(&seen.session.id, &left.file).await;
        let Some(pieces) = read.map_err(|failure| self.explain(failure, READ, about))? else {
            return Err(plain(ErrorKind::Protocol, READ, "the packed archive vanished: try again"));
        };
        let (shared, name) = (self.clone(), id.0.clone());
        let pieces = pieces.map_err(move |failure| shared.explain(failure, READ, About::Container(&name)));
        // The file goes when the stream does, read to its end or not.
        Ok(pieces
            .map(move |piece| {
                let _ = &left;
                piece
            })
            .boxed())
    }
}

/// A file inside that is removed when nobody needs it any more.
struct Leftover {
    shared: Option<(std::sync::Arc<Shared>, Seen)>,
    file: String,
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let Some((shared, seen)) = self.shared.take() else { return };
        let file = std::mem::take(&mut self.file);
        // Outside of a runtime there is nobody left to do it; the file goes with its container.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let inside = shared.inside(&seen, "read_archive");
                if let Err(error) = inside.script(r#"rm -f "$1""#, &[&file]).await {
                    tracing::debug!(%error, "a packed archive stays in its container");
                }
            });
        }
    }
}

fn transfer_file(seen: &Seen, way: &str) -> String {
    let unique = uuid::Uuid::new_v4().simple();
    format!("{}/.agcluster-{way}-{unique}.tar", seen.session.cwd.trim_end_matches('/'))
}

async fn collected(
    mut tar: BoxStream<'static, std::io::Result<Bytes>>,
    operation: &'static str,
) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    while let Some(piece) = tar.next().await {
        let piece = piece.map_err(|source| {
            plain(ErrorKind::Invalid, operation, "the archive broke off").with_source(source)
        })?;
        if content.len() + piece.len() > LARGEST {
            let message = format!("the archive is larger than {} MiB: send it in parts", LARGEST >> 20);
            return Err(plain(ErrorKind::Invalid, operation, message));
        }
        content.extend_from_slice(&piece);
    }
    Ok(content)
}

fn outcome(exit_code: i32, path: &PathInContainer, operation: &'static str) -> Result<()> {
    let path = path.as_str();
    match exit_code {
        0 => Ok(()),
        NO_FOLDER => {
            Err(plain(ErrorKind::NotFound, operation, format!("there is no folder {path} in the container")))
        }
        126 | 127 => {
            Err(plain(ErrorKind::Precondition, operation, "the image has no tar, which archives take"))
        }
        code => Err(plain(
            ErrorKind::Invalid,
            operation,
            format!(
                "tar ended with {code} in {path}: see whether the archive is whole and the disk has room"
            ),
        )),
    }
}
