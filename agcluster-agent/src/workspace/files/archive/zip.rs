//! ZIP, written from front to back.

use std::io;
use std::path::Path;

use agcluster_protocol::workspace::files::FilePath;
use cap_std::fs::{Dir, MetadataExt};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Room;
use super::pipe::Writer;
use crate::workspace::files::access::wire;
use crate::workspace::files::read::open_item;
use crate::workspace::files::walk::{Item, What};

pub(super) fn pack(folder: &Dir, room: Room, writer: Writer) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(writer);
    room.fill(folder, &mut |item| add(&mut zip, &item))?;
    zip.finish()?.into_inner().end()
}

fn add(zip: &mut ZipWriter<zip::write::StreamWriter<Writer>>, item: &Item<'_>) -> io::Result<()> {
    let name = name(item.path);
    let mut options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(3))
        // Its size is known only when it has been read.
        .large_file(true)
        .unix_permissions(item.metadata.mode() & 0o777);
    if let Some(modified) = modified(item.metadata.mtime()) {
        options = options.last_modified_time(modified);
    }
    match &item.what {
        What::Folder | What::TooDeep => zip.add_directory(name, options)?,
        What::Link(target) => {
            let target = target.to_string_lossy().into_owned();
            zip.add_symlink(name, target, options.unix_permissions(0o777))?;
        }
        What::File => {
            // What cannot be opened is left out.
            let Some((file, size)) = open_item(item.folder, item.name)? else { return Ok(()) };
            zip.start_file(name, options)?;
            io::copy(&mut io::Read::take(file, size), zip)?;
        }
    }
    Ok(())
}

/// Names are text here: bytes that are none are written as in a URL.
fn name(path: &Path) -> String {
    path.to_str().map_or_else(|| FilePath::to_url(&wire(path.as_os_str())), str::to_owned)
}

fn modified(seconds: i64) -> Option<DateTime> {
    let time = Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC);
    let small = |number: i8| u8::try_from(number).ok();
    DateTime::from_date_and_time(
        u16::try_from(time.year()).ok()?,
        small(time.month())?,
        small(time.day())?,
        small(time.hour())?,
        small(time.minute())?,
        small(time.second())?,
    )
    .ok()
}
