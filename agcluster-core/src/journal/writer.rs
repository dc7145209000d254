//! The one task that writes. What waits together is committed together.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::log::Log;
use super::{Entry, Record};
use crate::measure;
use crate::session::SessionId;
use crate::store::{Change, Result, Retention, Store, StoreError};

/// Writes that may wait; whoever brings another one waits for room.
const WAITING: usize = 4096;
/// The most writes in one commit.
const TOGETHER: usize = 1024;
/// Pauses between tries while the store does not work.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A session's events are trimmed when they exceed what is kept by one part in so many.
const SLACK: u64 = 8;

/// Brings work to the writing task.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    work: mpsc::Sender<Work>,
    trouble: watch::Receiver<Option<String>>,
}

/// What is shown in one go with events, once they are committed. It is dropped when they are not.
pub(crate) trait ShownWith: Debug + Send {
    /// Shows itself, and the events by `show`, while nobody can see the one without the other.
    fn show_with(self: Box<Self>, show: &mut dyn FnMut());
}

/// Something to write: entries of one session, and other changes with them.
#[derive(Debug)]
pub(super) struct Work {
    events: Option<(SessionId, Arc<Log>, Vec<Entry>)>,
    changes: Vec<Change>,
    shown_with: Option<Box<dyn ShownWith>>,
    done: Option<oneshot::Sender<Result<u64>>>,
}

impl Work {
    pub(super) fn new(session: SessionId, log: Arc<Log>, entries: Vec<Entry>, changes: Vec<Change>) -> Self {
        Self { events: Some((session, log, entries)), changes, shown_with: None, done: None }
    }

    pub(super) fn changes(changes: Vec<Change>) -> Self {
        Self { events: None, changes, shown_with: None, done: None }
    }

    pub(super) fn shown_with(self, shown_with: Box<dyn ShownWith>) -> Self {
        Self { shown_with: Some(shown_with), ..self }
    }
}

impl Writer {
    pub(super) fn start(store: Arc<dyn Store>, retention: Retention) -> Self {
        let (work, waiting) = mpsc::channel(WAITING);
        let (say, trouble) = watch::channel(None);
        tokio::spawn(Task { store, retention, trouble: say }.run(waiting));
        Self { work, trouble }
    }

    /// How many writes wait.
    pub(super) fn waiting(&self) -> usize {
        self.work.max_capacity() - self.work.capacity()
    }

    pub(super) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }

    /// Answers when the work is committed and shown.
    pub(super) async fn write(&self, work: Work) -> Result<u64> {
        self.hand_over(work).await?.done().await
    }

    /// Answers when the work has its place among the others.
    pub(super) async fn hand_over(&self, mut work: Work) -> Result<Writing> {
        let (done, answer) = oneshot::channel();
        work.done = Some(done);
        self.work.send(work).await.map_err(|_| ended())?;
        Ok(Writing(answer))
    }
}

/// Work that has its place among the others, and is done whether or not anybody waits for it.
#[derive(Debug)]
pub(crate) struct Writing(oneshot::Receiver<Result<u64>>);

impl Writing {
    /// Answers when it is committed and shown, with the number of its last event.
    ///
    /// # Errors
    /// As the store says.
    pub(crate) async fn done(self) -> Result<u64> {
        self.0.await.map_err(|_| ended())?
    }
}

fn ended() -> StoreError {
    StoreError::Broken("the journal has ended".to_owned())
}

struct Task {
    store: Arc<dyn Store>,
    retention: Retention,
    trouble: watch::Sender<Option<String>>,
}

/// A work whose events have their numbers. What it changes is apart: that of all works is committed together.
struct Numbered {
    /// How many changes are its own.
    changes: usize,
    shown: Option<(SessionId, Arc<Log>, Vec<Arc<Record>>)>,
    shown_with: Option<Box<dyn ShownWith>>,
    last: u64,
    done: Option<oneshot::Sender<Result<u64>>>,
}

impl Task {
    async fn run(self, mut waiting: mpsc::Receiver<Work>) {
        let mut works = Vec::with_capacity(TOGETHER);
        while waiting.recv_many(&mut works, TOGETHER).await > 0 {
            let (numbered, changes) = number(works.drain(..));
            match self.commit(&changes).await {
                Ok(()) => self.show_all(numbered),
                Err(_) if numbered.len() > 1 => self.one_by_one(numbered, &changes).await,
                Err(error) => numbered.into_iter().for_each(|work| work.fail(&error)),
            }
        }
    }

    /// Commits, however long the store does not work: what was begun may have been made, so it is never changed.
    async fn commit(&self, changes: &[Change]) -> Result<()> {
        if changes.is_empty() {
            // Somebody only waits for those before.
            return Ok(());
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let committed = self.store.commit(changes).await;
            measure::committed(&committed, changes.len(), begun);
            match committed {
                Err(StoreError::Unavailable(why)) => {
                    if self.trouble.borrow().is_none() {
                        tracing::error!(why, "the store does not work: events wait, nothing is lost");
                    }
                    self.trouble.send_replace(Some(why));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => {
                    if self.trouble.borrow().is_some() {
                        tracing::info!("the store works again");
                        self.trouble.send_replace(None);
                    }
                    return other;
                }
            }
        }
    }

    /// One of them cannot be kept: the others shall not suffer for it.
    async fn one_by_one(&self, works: Vec<Numbered>, mut changes: &[Change]) {
        let mut refused: HashMap<SessionId, StoreError> = HashMap::new();
        for work in works {
            let own;
            (own, changes) = changes.split_at(work.changes);
            let session = work.shown.as_ref().map(|(session, ..)| session.clone());
            // Its numbers follow those of a work that was refused, so there would be a gap.
            if let Some(error) = session.as_ref().and_then(|session| refused.get(session)) {
                work.fail(error);
                continue;
            }
            match self.commit(own).await {
                Ok(()) => self.show_all(vec![work]),
                Err(error) => {
                    tracing::error!(%error, "a change cannot be kept");
                    if let Some(session) = session {
                        refused.insert(session, error.clone());
                    }
                    work.fail(&error);
                }
            }
        }
    }

    fn show_all(&self, works: Vec<Numbered>) {
        let shown = works.iter().filter_map(|work| work.shown.as_ref());
        measure::shown(shown.flat_map(|(.., records)| records));
        for work in works {
            if let Some((session, log, mut records)) = work.shown {
                let mut held = 0;
                let mut show = || held = log.show(std::mem::take(&mut records));
                match work.shown_with {
                    Some(with) => with.show_with(&mut show),
                    None => show(),
                }
                if held > self.retention.max_bytes + self.retention.max_bytes / SLACK {
                    log.trimmed(0);
                    self.trim(session, log);
                }
            }
            if let Some(done) = work.done {
                let _ = done.send(Ok(work.last));
            }
        }
    }

    fn trim(&self, session: SessionId, log: Arc<Log>) {
        let (store, retention) = (Arc::clone(&self.store), self.retention);
        tokio::spawn(async move {
            let trimmed = async {
                store.trim(&session, &retention).await?;
                store.extent(&session).await
            };
            match trimmed.await {
                Ok(extent) => log.trimmed(extent.bytes),
                Err(error) => tracing::warn!(%session, %error, "old events could not be dropped yet"),
            }
        });
    }
}

impl Numbered {
    fn fail(self, error: &StoreError) {
        if let Some(done) = self.done {
            let _ = done.send(Err(error.clone()));
        }
    }
}

/// Gives every entry its number: those after the head of its session, in the order in which the works came. Gives the
/// changes of all works, too, one work's after another's.
fn number(works: impl Iterator<Item = Work>) -> (Vec<Numbered>, Vec<Change>) {
    let mut heads: HashMap<SessionId, u64> = HashMap::new();
    let mut all = Vec::new();
    let numbered = works
        .map(|Work { events, changes, shown_with, done }| {
            let before = all.len();
            let Some((session, log, entries)) = events else {
                all.extend(changes);
                return Numbered { changes: all.len() - before, shown: None, shown_with, last: 0, done };
            };
            let head = heads.entry(session.clone()).or_insert_with(|| log.head().seq);
            let records: Vec<_> = entries
                .into_iter()
                .map(|entry| {
                    *head += 1;
                    Arc::new(Record::new(*head, entry))
                })
                .collect();
            let last = *head;
            if !records.is_empty() {
                all.push(Change::Events { session: session.clone(), records: records.clone() });
            }
            all.extend(changes);
            let shown = Some((session, log, records));
            Numbered { changes: all.len() - before, shown, shown_with, last, done }
        })
        .collect();
    (numbered, all)
}
