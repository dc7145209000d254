//! What the agent server wrote: the stream of its command.

use std::time::Duration;

use agcluster_core::provider::{ContainerId, LogLine, LogOptions, LogSource, Result};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::collections::VecDeque;
use std::sync::Arc;

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
            return Ok(stream::empty().boxed());
        };
        let lines = self.api.logs(&seen.session.id, &command.id).await.map_err(explain)?;
        let (shared, name) = (self.clone(), id.0.clone());
        let explain = move |failure| shared.explain(failure, LOGS, About::Container(&name));
        // The past of a command that has ended ends by itself.
        let silence = command.exit_code.is_none().then_some(SILENCE);
        let pieces = match (options.follow, options.tail) {
            (true, None) => pieces(lines, None, self.config.timeouts.call()),
            (false, None) => pieces(lines, silence, self.config.timeouts.call()),
            (follow, Some(tail)) => {
                tailed(lines, tail as usize, silence, follow, self.config.timeouts.call())
            }
        };
        Ok(pieces.map(move |piece| piece.map_err(&explain)).boxed())
    }
}

type Pieces = BoxStream<'static, Result<LogLine, super::api::Failure>>;

/// Output as it comes, up to the end of the stream; or up to some silence after the first piece, which may take `first`.
fn pieces(lines: Lines, silence: Option<Duration>, first: Duration) -> Pieces {
    let state = (lines, first);
    stream::unfold(state, move |(mut lines, patience)| async move {
        loop {
            let next = match silence {
                None => lines.next().await,
                Some(_) => tokio::time::timeout(patience, lines.next()).await.ok().flatten(),
            };
            let patience = silence.unwrap_or(patience);
            match next? {
                Ok(Line::Output { is_error, data }) => {
                    let source = if is_error { LogSource::Stderr } else { LogSource::Stdout };
                    return Some((Ok(LogLine { source, bytes: data }), (lines, patience)));
                }
                Ok(Line::Command(_)) => {}
                // The session ended, and its commands with it.
                Ok(Line::Error { .. }) => return None,
                Err(failure) => return Some((Err(failure), (stream::empty().boxed(), patience))),
            }
        }
    })
    .fuse()
    .boxed()
}

/// The last lines of the past, and then what comes if it is to be followed.
fn tailed(lines: Lines, tail: usize, silence: Option<Duration>, follow: bool, first: Duration) -> Pieces {
    let all = pieces(lines, None, first);
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
                    for line in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
                        bytes += line.len();
                        past.push_back(LogLine { source: piece.source, bytes: piece.bytes.slice_ref(line) });
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
