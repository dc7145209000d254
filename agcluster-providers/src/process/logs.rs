//! The file with a container's output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agcluster_core::provider::{ErrorKind, LogLine, LogOptions, LogSource, Result};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::error;
use super::identity::Identity;

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
    file.write_all(&newest)
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
    at: u64,
    /// Followed for as long as this process lives.
    follow: Option<Identity>,
    look: tokio::time::Interval,
}

/// What is in the file, and what comes to it for as long as `process` lives if that is given.
pub(super) fn read(
    path: PathBuf,
    options: LogOptions,
    process: Option<Identity>,
) -> io::Result<BoxStream<'static, Result<LogLine>>> {
    let file = File::open(&path)?;
    let at = options.tail.map(|lines| tail_offset(&file, lines)).transpose()?.unwrap_or(0);
    let follow = process.filter(|_| options.follow);
    let reading = Reading { path, file, at, follow, look: tokio::time::interval(LOOK) };
    Ok(stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(bytes) if bytes.is_empty() => None,
            // The agent server writes there only; both streams go to one file.
            Ok(bytes) => Some((Ok(LogLine { source: LogSource::Stderr, bytes }), Some(reading))),
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
            if self.file.metadata()?.len() < self.at {
                self.at = 0;
            }
            let length = self.file.read_at(&mut piece, self.at)?;
            if length > 0 || !is_alive {
                piece.truncate(length);
                self.at += length as u64;
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
        let lines = read(path.to_owned(), options, process).unwrap();
        let pieces: Vec<_> = lines.map(|line| line.unwrap().bytes.to_vec()).collect().await;
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[tokio::test]
    async fn the_last_lines_are_found() {
        let long = "x".repeat(2 * PIECE);
        let (_folder, path) = file(&format!("one\n{long}\nthree\n"));
        let tail = |lines| LogOptions { tail: Some(lines), follow: false };
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
        let options = LogOptions { tail: None, follow: true };
        let mut lines = read(path.clone(), options, Some(process)).unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap().bytes, "before\n");
        let mut stdin = child.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stdin, b"after\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap().bytes, "after\n");
        drop(stdin);
        child.wait().await.unwrap();
        assert!(lines.next().await.is_none());
    }
}
