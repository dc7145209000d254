//! The file with a container's output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agcluster_core::provider::{ErrorKind, LogLine, LogOptions, LogPlace, LogSource, Result};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::identity::Identity;
use super::{PLATFORM, error};

/// What is read at a time.
const PIECE: usize = 16 * 1024;
/// How often a file is looked at for more: nothing tells of it.
const LOOK: Duration = Duration::from_millis(100);

/// Cuts a file that has become longer than `max` to its newest half of that. Lines written at that very moment may get lost.
pub(super) fn trim(path: &Path, max: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    if length <= max {
        return Ok(());
    }
    let mut newest = vec![0; (max / 2) as usize];
    file.read_exact_at(&mut newest, length - max / 2)?;
    // The agent server appends, so what it writes next comes behind.
    file.set_len(0)?;
    file.write_all(&newest)?;
    let dropped = dropped(path) + length - max / 2;
    std::fs::write(beside(path), dropped.to_string())
}

/// Where it is said how much of a file's beginning was cut off.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("dropped")
}

/// How many bytes of a file's beginning were cut off.
fn dropped(path: &Path) -> u64 {
    std::fs::read_to_string(beside(path)).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Where the last lines begin.
fn tail_offset(file: &File, lines: u32) -> io::Result<u64> {
    let mut at = file.metadata()?.len();
    let mut left = u64::from(lines);
    let mut is_end = true;
    while at > 0 {
        let begin = at.saturating_sub(PIECE as u64);
        let mut piece = vec![0; (at - begin) as usize];
        file.read_exact_at(&mut piece, begin)?;
        for (index, byte) in piece.iter().enumerate().rev() {
            // The end of the last line begins no other one.
            if *byte == b'\n' && !std::mem::take(&mut is_end) {
                if left <= 1 {
                    return Ok(if lines == 0 { file.metadata()?.len() } else { begin + index as u64 + 1 });
                }
                left -= 1;
            }
            is_end = false;
        }
        at = begin;
    }
    Ok(if lines == 0 { file.metadata()?.len() } else { 0 })
}

/// A file that is being read.
struct Reading {
    path: PathBuf,
    file: File,
    /// The log, and how many bytes of it were read, with those that were cut off.
    at: LogPlace,
    /// Followed for as long as this process lives.
    follow: Option<Identity>,
    look: tokio::time::Interval,
}

/// What is in a container's file, and what comes to it for as long as `process` lives if that is given.
pub(super) fn read(
    container: &str,
    path: PathBuf,
    options: LogOptions,
    process: Option<Identity>,
) -> Result<BoxStream<'static, Result<LogLine>>> {
    let unreadable = |source| error::file(source, "logs", &path);
    let file = File::open(&path).map_err(unreadable)?;
    let dropped = dropped(&path);
    let at = match options.after {
        None => {
            dropped
                + options
                    .tail
                    .map(|lines| tail_offset(&file, lines))
                    .transpose()
                    .map_err(unreadable)?
                    .unwrap_or(0)
        }
        Some(after) => after.number,
    };
    let at = LogPlace::in_log(container, at);
    at.check(options.after, PLATFORM)?;
    if at.number < dropped {
        return Err(at.gone(PLATFORM));
    }
    if at.number > dropped + file.metadata().map_err(unreadable)?.len() {
        return Err(at.in_future(PLATFORM));
    }
    let follow = process.filter(|_| options.follow);
    let reading = Reading { path, file, at, follow, look: tokio::time::interval(LOOK) };
    Ok(stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(bytes) if bytes.is_empty() => None,
            // The agent server writes there only; both streams go to one file.
            Ok(bytes) => {
                let place = Some(reading.at);
                let line = LogLine { source: LogSource::Stderr, bytes, place, seen: false };
                Some((Ok(line), Some(reading)))
            }
            Err(source) => {
                let message = "the container's output cannot be read: check the disk";
                let error = error::error(ErrorKind::Unavailable, "logs", message).with_source(source);
                Some((Err(error), None))
            }
        }
    })
    .boxed())
}

impl Reading {
    /// The next piece; nothing at the end.
    async fn next(&mut self) -> io::Result<Bytes> {
        let mut piece = vec![0; PIECE];
        loop {
            // Asked before reading: what it wrote before it ended is then read.
            let is_alive = self.follow.as_ref().is_some_and(|process| process.stat().is_some());
            let dropped = dropped(&self.path);
            // More was cut off than was read: it goes on with what there is.
            self.at.number = self.at.number.max(dropped);
            let read = self.file.read_at(&mut piece, self.at.number - dropped)?;
            // No piece ends within a character, so that one can go on behind it.
            let whole = piece[..read].iter().rposition(u8::is_ascii).map_or(0, |last| last + 1);
            let length = if whole == 0 && (!is_alive || read == PIECE) { read } else { whole };
            if length > 0 || !is_alive {
                piece.truncate(length);
                self.at.number += length as u64;
                return Ok(piece.into());
            }
            if !self.path.exists() {
                return Ok(Bytes::new());
            }
            self.look.tick().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    async fn text(path: &Path, options: LogOptions, process: Option<Identity>) -> String {
        let lines = read("c", path.to_owned(), options, process).unwrap();
        let pieces: Vec<_> = lines.map(|line| line.unwrap().bytes.to_vec()).collect().await;
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[tokio::test]
    async fn the_last_lines_are_found() {
        let long = "x".repeat(2 * PIECE);
        let (_folder, path) = file(&format!("one\n{long}\nthree\n"));
        let tail = |lines| LogOptions { tail: Some(lines), ..LogOptions::default() };
        assert_eq!(text(&path, tail(1), None).await, "three\n");
        assert_eq!(text(&path, tail(2), None).await, format!("{long}\nthree\n"));
        assert_eq!(text(&path, tail(9), None).await, format!("one\n{long}\nthree\n"));
        assert_eq!(text(&path, tail(0), None).await, "");
        let (_folder, path) = file("one\ntwo");
        assert_eq!(text(&path, tail(1), None).await, "two");
    }

    #[tokio::test]
    async fn a_long_file_is_cut_to_its_newest_half() {
        let (_folder, path) = file(&"0123456789".repeat(100));
        trim(&path, 1000).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1000);
        std::fs::write(&path, format!("{}end", "a".repeat(1000))).unwrap();
        trim(&path, 1000).unwrap();
        let left = std::fs::read_to_string(&path).unwrap();
        assert_eq!((left.len(), &left[497..]), (500, "end"));
    }

    #[tokio::test]
    async fn what_is_followed_ends_with_its_process() {
        let (_folder, path) = file("before\n");
        let mut child = tokio::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(OpenOptions::new().append(true).open(&path).unwrap())
            .spawn()
            .unwrap();
        let process = Identity::of(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let mut lines = read("c", path.clone(), options, Some(process)).unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap().bytes, "before\n");
        let mut stdin = child.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stdin, b"after\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap().bytes, "after\n");
        drop(stdin);
        child.wait().await.unwrap();
        assert!(lines.next().await.is_none());
    }

    #[tokio::test]
    async fn a_reader_goes_on_behind_any_place_also_when_the_file_was_cut() {
        let (_folder, path) = file(&"0123456789".repeat(100));
        let behind =
            |number| LogOptions { after: Some(LogPlace::in_log("c", number)), ..LogOptions::default() };
        assert_eq!(text(&path, behind(995), None).await, "56789");
        assert_eq!(text(&path, behind(1000), None).await, "");
        trim(&path, 500).unwrap();
        assert_eq!(text(&path, behind(995), None).await, "56789");
        assert_eq!(text(&path, behind(750), None).await.len(), 250);
        let kind = |options| match read("c", path.clone(), options, None) {
            Ok(_) => panic!("it was read"),
            Err(error) => error.kind(),
        };
        assert_eq!(kind(behind(749)), ErrorKind::Gone);
        assert_eq!(kind(behind(1001)), ErrorKind::Invalid);
        let other = LogOptions { after: Some(LogPlace::in_log("d", 995)), ..LogOptions::default() };
        assert_eq!(kind(other), ErrorKind::Gone);
    }

    #[tokio::test]
    async fn no_piece_ends_within_a_character() {
        let (_folder, path) = file(&"a\u{20ac}".repeat(PIECE));
        let lines = read("c", path, LogOptions::default(), None).unwrap();
        let pieces: Vec<_> = lines.map(|line| line.unwrap().bytes).collect().await;
        assert!(pieces.len() > 3 && pieces.iter().all(|piece| std::str::from_utf8(piece).is_ok()));
    }
}
