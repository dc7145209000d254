//! Signs of life: a clock for each thing that may get stuck, and how the agent program fares.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use agcluster_protocol::{ModelLiveness, ProgramLiveness};

/// When something was last heard of.
#[derive(Debug)]
pub(crate) struct Pulse {
    base: Instant,
    /// Milliseconds after `base`.
    last: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { base: Instant::now(), last: AtomicU64::new(0) }
    }

    pub(crate) fn beat(&self) {
        self.last.store(milliseconds(self.base), Ordering::Relaxed);
    }

    fn silent_ms(&self) -> u64 {
        milliseconds(self.base).saturating_sub(self.last.load(Ordering::Relaxed))
    }
}

/// Milliseconds since a moment.
pub(crate) fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The calls to the model that are under way.
#[derive(Debug)]
pub(crate) struct ModelClock {
    open: Mutex<u32>,
    pulse: Pulse,
}

/// A call that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenCall(Arc<ModelClock>);

impl ModelClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { open: Mutex::new(0), pulse: Pulse::new() })
    }

    pub(crate) fn open(self: &Arc<Self>) -> OpenCall {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.pulse.beat();
        OpenCall(self.clone())
    }

    pub(crate) fn beat(&self) {
        self.pulse.beat();
    }

    fn liveness(&self) -> ModelLiveness {
        let open_requests = *self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let silent_ms = if open_requests == 0 { 0 } else { self.pulse.silent_ms() };
        ModelLiveness { open_requests, silent_ms }
    }
}

impl OpenCall {
    pub(crate) fn beat(&self) {
        self.0.beat();
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        *self.0.open.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

/// How the agent program and its way to the model fare. The driver says it, anyone may ask.
#[derive(Debug)]
pub(crate) struct Vitals {
    /// Of the program's output.
    pulse: Arc<Pulse>,
    program: Mutex<Program>,
    model: Option<Arc<ModelClock>>,
}

#[derive(Debug, Default)]
struct Program {
    running: bool,
    deaths: u32,
    problem: Option<String>,
}

impl Vitals {
    pub(crate) fn new(model: Option<Arc<ModelClock>>) -> Arc<Self> {
        Arc::new(Self { pulse: Arc::new(Pulse::new()), program: Mutex::default(), model })
    }

    /// The clock of the program's output.
    pub(crate) fn pulse(&self) -> Arc<Pulse> {
        self.pulse.clone()
    }

    /// A program is ready.
    pub(crate) fn started(&self) {
        let mut program = self.lock();
        program.running = true;
        program.problem = None;
        self.pulse.beat();
    }

    /// The program has ended because it was told to, or is about to be started.
    pub(crate) fn ended(&self) {
        self.lock().running = false;
    }

    /// The program has ended, or could not be started, without being told to; gives how often in a row.
    pub(crate) fn died(&self) -> u32 {
        let mut program = self.lock();
        program.running = false;
        program.deaths += 1;
        program.deaths
    }

    /// The program has done what it is there for, so what it died of is over.
    pub(crate) fn well(&self) {
        self.lock().deaths = 0;
    }

    /// The program is not started again by itself.
    pub(crate) fn given_up(&self, problem: String) {
        self.lock().problem = Some(problem);
    }

    /// Why the program is not started again by itself.
    pub(crate) fn problem(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    pub(crate) fn program(&self) -> ProgramLiveness {
        let program = self.lock();
        ProgramLiveness {
            running: program.running,
            silent_ms: self.pulse.silent_ms(),
            deaths: program.deaths,
            problem: program.problem.clone(),
        }
    }

    pub(crate) fn model(&self) -> Option<ModelLiveness> {
        self.model.as_ref().map(|model| model.liveness())
    }

    fn lock(&self) -> MutexGuard<'_, Program> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_while_they_are_open() {
        let clock = ModelClock::new();
        assert_eq!(clock.liveness(), ModelLiveness { open_requests: 0, silent_ms: 0 });
        let (first, second) = (clock.open(), clock.open());
        assert_eq!(clock.liveness().open_requests, 2);
        drop(first);
        assert_eq!(clock.liveness().open_requests, 1);
        drop(second);
        assert_eq!(clock.liveness().open_requests, 0);
    }

    #[test]
    fn deaths_are_counted_until_the_program_does_well() {
        let vitals = Vitals::new(None);
        vitals.started();
        assert!(vitals.program().running);
        assert_eq!((vitals.died(), vitals.died()), (1, 2));
        vitals.given_up("too often".to_owned());
        assert_eq!((vitals.program().running, vitals.program().deaths), (false, 2));
        assert_eq!(vitals.problem().as_deref(), Some("too often"));
        vitals.started();
        assert_eq!((vitals.problem(), vitals.program().deaths), (None, 2));
        vitals.well();
        assert_eq!(vitals.program().deaths, 0);
    }
}
