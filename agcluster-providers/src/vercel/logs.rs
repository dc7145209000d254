//! What the agent server wrote: the stream of its command.

use std::time::Duration;

use agcluster_core::provider::{ContainerId, LogLine, LogOptions, LogPlace, LogSource, Result};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::collections::VecDeque;
use std::sync::Arc;

use super::PLATFORM;
use super::api::{Line, Lines};
use super::error::About;
use super::shared::Shared;

const LOGS: &str = "logs";
/// The stream of a command that runs stays open and does not say where the past ends: so much silence is its end.
const SILENCE: Duration = Duration::from_millis(750);
/// The most that is kept of the past for `tail`.
const MOST_BYTES: usize = 8 << 20;

impl Shared {
    /// The log of the current session's agent server, or of the last one's.
    pub(super) async fn logs(
        self: &Arc<Self>,
        id: &ContainerId,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine>>> {
        let seen = self.seen(id, LOGS).await?;
        let explain = |failure| self.explain(failure, LOGS, About::Container(&id.0));
        let Some(command) = self.agent.find(&self.api, &seen.session).await.map_err(explain)? else {
            return match options.after {
                Some(after) => Err(after.gone(PLATFORM)),
                None => Ok(stream::empty().boxed()),
            };
        };
        let log = LogPlace::in_log(&command.id, 0);
        log.check(options.after, PLATFORM)?;
        let lines = self.api.logs(&seen.session.id, &command.id).await.map_err(explain)?;
        let (shared, name) = (self.clone(), id.0.clone());
        let explain = move |failure| shared.explain(failure, LOGS, About::Container(&name));
        // The past of a command that has ended ends by itself.
        let silence = command.exit_code.is_none().then_some(SILENCE);
        let limit = self.config.timeouts.call();
        let pieces = match (options.follow, options.tail) {
            (follow, Some(tail)) if options.after.is_none() => {
                tailed(lines, log, tail as usize, silence, follow, limit)
            }
            (true, _) => behind(pieces(lines, log, None, limit), options.after),
            (false, _) => behind(pieces(lines, log, silence, limit), options.after),
        };
        Ok(pieces.map(move |piece| piece.map_err(&explain)).boxed())
    }
}

type Pieces = BoxStream<'static, Result<LogLine, super::api::Failure>>;

/// What is behind a place.
fn behind(all: Pieces, after: Option<LogPlace>) -> Pieces {
    let Some(after) = after else { return all };
    let rest = all.filter_map(move |piece| {
        let piece = piece.map(|piece| {
            let end = piece.place.map_or(0, |place| place.number);
            let begin = end.saturating_sub(piece.bytes.len() as u64);
            let seen = usize::try_from(after.number.saturating_sub(begin)).unwrap_or(usize::MAX);
            (seen < piece.bytes.len()).then(|| LogLine { bytes: piece.bytes.slice(seen..), ..piece })
        });
        std::future::ready(piece.transpose())
    });
    rest.boxed()
}

/// Output as it comes, up to the end of the stream; or up to some silence after the first piece, which may take `first`. The
/// stream always begins at the beginning of the log, so that its bytes can be counted.
fn pieces(lines: Lines, log: LogPlace, silence: Option<Duration>, first: Duration) -> Pieces {
    let state = (lines, log, first);
    stream::unfold(state, move |(mut lines, mut log, patience)| async move {
        loop {
            let next = match silence {
                None => lines.next().await,
                Some(_) => tokio::time::timeout(patience, lines.next()).await.ok().flatten(),
            };
            let patience = silence.unwrap_or(patience);
            match next? {
                Ok(Line::Output { is_error, data }) => {
                    let source = if is_error { LogSource::Stderr } else { LogSource::Stdout };
                    log.number += data.len() as u64;
                    let line = LogLine { source, bytes: data, place: Some(log), seen: false };
                    return Some((Ok(line), (lines, log, patience)));
                }
                Ok(Line::Command(_)) => {}
                // The session ended, and its commands with it.
                Ok(Line::Error { .. }) => return None,
                Err(failure) => return Some((Err(failure), (stream::empty().boxed(), log, patience))),
            }
        }
    })
    .fuse()
    .boxed()
}

/// The last lines of the past, and then what comes if it is to be followed.
fn tailed(
    lines: Lines,
    log: LogPlace,
    tail: usize,
    silence: Option<Duration>,
    follow: bool,
    first: Duration,
) -> Pieces {
    let all = pieces(lines, log, None, first);
    stream::once(async move {
        let mut all = all;
        let mut past: VecDeque<LogLine> = VecDeque::new();
        let (mut bytes, mut patience, mut failed) = (0, first, None);
        loop {
            let next = match silence {
                None => all.next().await,
                Some(silence) => {
                    let next = tokio::time::timeout(patience, all.next()).await;
                    patience = silence;
                    match next {
                        Ok(next) => next,
                        Err(_) => break,
                    }
                }
            };
            match next {
                Some(Ok(piece)) => {
                    let mut left = piece.bytes.len() as u64;
                    for line in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
                        bytes += line.len();
                        left -= line.len() as u64;
                        let place = piece.place.map(|end| LogPlace { number: end.number - left, ..end });
                        past.push_back(LogLine {
                            bytes: piece.bytes.slice_ref(line),
                            place,
                            ..piece.clone()
                        });
                    }
                    while past.len() > tail || bytes > MOST_BYTES {
                        let Some(gone) = past.pop_front() else { break };
                        bytes -= gone.bytes.len();
                    }
                }
                Some(Err(failure)) => {
                    failed = Some(Err(failure));
                    break;
                }
                None => break,
            }
        }
        let rest = if follow { all } else { stream::empty().boxed() };
        stream::iter(past).map(Ok).chain(stream::iter(failed)).chain(rest)
    })
    .flatten()
    .boxed()
}
