//! tar, compressed with Zstandard.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use cap_std::fs::{Dir, MetadataExt};
use futures::FutureExt;
use tokio_tar::{Builder, EntryType, Header};
use zstd::Encoder;

use super::Room;
use super::pipe::{Waiting, Writer};
use crate::workspace::files::read::open_item;
use crate::workspace::files::walk::{Item, What};

/// Little effort: this is about the way, not about keeping it.
const LEVEL: i32 = 3;
/// What a header has room for; a longer target of a link has an entry of its own before it.
const SHORT_LINK: usize = 100;

type Packer = Builder<Waiting<Encoder<'static, Writer>>>;

pub(super) fn pack(folder: &Dir, room: Room, writer: Writer) -> io::Result<()> {
    let mut tar = Builder::new_non_terminated(Waiting(Encoder::new(writer, LEVEL)?));
    room.fill(folder, &mut |item| at_once(add(&mut tar, &item)))?;
    let Waiting(encoder) = at_once(tar.into_inner())?;
    encoder.finish()?.end()
}

/// What comes of work whose every step waits by itself, so that it is done when it was asked once.
fn at_once<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    work.now_or_never().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
}

async fn add(tar: &mut Packer, item: &Item<'_>) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(item.metadata.mode() & 0o777);
    header.set_mtime(u64::try_from(item.metadata.mtime()).unwrap_or(0));
    header.set_size(0);
    match &item.what {
        What::Folder | What::TooDeep => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, item.path, tokio::io::empty()).await
        }
        What::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            let target = target.as_os_str().as_bytes();
            if target.len() > SHORT_LINK {
                long_link(tar, target).await?;
            }
            let short = &target[..target.len().min(SHORT_LINK)];
            header.as_old_mut().linkname[..short.len()].copy_from_slice(short);
            tar.append_data(&mut header, item.path, tokio::io::empty()).await
        }
        What::File => {
            // What cannot be opened is left out.
            let Some((file, size)) = open_item(item.folder, item.name)? else { return Ok(()) };
            header.set_entry_type(EntryType::Regular);
            header.set_size(size);
            // Should it shrink meanwhile, the rest is zeros: its size has been told.
            let whole = file.take(size).chain(io::repeat(0)).take(size);
            tar.append_data(&mut header, item.path, Waiting(whole)).await
        }
    }
}

/// An entry that holds the target of the link behind it.
async fn long_link(tar: &mut Packer, target: &[u8]) -> io::Result<()> {
    const NAME: &[u8] = b"././@LongLink";
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..NAME.len()].copy_from_slice(NAME);
    header.set_entry_type(EntryType::GNULongLink);
    header.set_size(target.len() as u64 + 1);
    header.set_cksum();
    tar.append(&header, Waiting(target.chain(&b"\0"[..]))).await
}
