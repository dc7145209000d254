//! Another program when one has ended: at once, later, or not any more.

use std::sync::Arc;

use agcluster_protocol::{FailureReason, Outcome};
use futures::FutureExt;
use tokio::time::Instant;

use super::command::{Conversation, Current};
use super::conduct::Ending;
use super::launch::{Launcher, Started};
use super::run::{Claude, Done, Pending, State};
use crate::driver::{self, DriverError};
use crate::program::Exit;

/// A program that was started again, and whether it knows of the conversation.
pub(super) type Restarted = Result<(Started, bool), DriverError>;

impl Claude {
    /// Ends the program and starts it again, by order.
    pub(super) fn restart(&mut self, done: Done) {
        // Whoever orders it has taken the matter up.
        self.launcher.vitals.well();
        self.restarts.push(done);
        match &self.program {
            State::Running(program) => program.kill(),
            State::Starting(_) => {}
            State::Stopped(_) => self.start_again(),
        }
    }

    /// The program has ended.
    pub(super) async fn exited(&mut self, exit: &Exit) {
        self.program = State::Stopped(None);
        self.launcher.vitals.ended();
        // What it has started must not go on behind the back of the next one.
        self.launcher.tree.end_orphans().await;
        for pending in std::mem::take(&mut self.pending).into_values() {
            if let Pending::Model { done, .. } | Pending::Mode { done, .. } = pending {
                let ended = "the agent program ended: try again".to_owned();
                let _ = done.send(Err(DriverError::Refused(ended)));
            }
        }
        let interrupted = self.interrupted.take().is_some();
        let ending = match () {
            () if !self.restarts.is_empty() => Ending::Restarted,
            () if interrupted => Ending::Interrupted,
            () => Ending::Died,
        };
        let unseen = self.prompt.take_if(|prompt| !prompt.again && self.conduct.is_waiting(prompt.turn));
        self.prompt = None;
        if let Some(mut prompt) = unseen.filter(|_| ending == Ending::Died) {
            // It ended before it looked at the prompt: another one may.
            self.conduct.take_back();
            prompt.again = true;
            self.prompt = Some(prompt);
        }
        self.conduct.exited(exit, ending);
        match ending {
            Ending::Died => self.died(&self.conduct.describe(exit)),
            Ending::Interrupted | Ending::Restarted => self.start_again(),
        }
    }

    /// The start that was under way is over.
    pub(super) fn restarted(&mut self, restarted: Restarted) {
        match restarted {
            Ok((started, knows)) => {
                self.take_over(started);
                if !knows {
                    self.conduct.notice("the conversation could not be taken up again: it begins anew");
                }
                self.hand_over();
                for done in self.restarts.drain(..) {
                    let _ = done.send(Ok(()));
                }
            }
            Err(error) => {
                self.program = State::Stopped(None);
                let error = error.cleaned(&self.conduct.scrub);
                let message = format!("the agent program could not be started again: {error}");
                if let Some(prompt) = self.prompt.take() {
                    self.conduct.prompt(prompt.turn, &[]);
                }
                self.conduct.abandon(&Outcome::Failed {
                    reason: FailureReason::AgentError,
                    message: message.clone(),
                });
                for done in self.restarts.drain(..) {
                    let _ = done.send(Err(error.clone()));
                }
                self.died(&message);
            }
        }
    }

    /// The program has ended, or could not be started, without being told to.
    fn died(&mut self, why: &str) {
        let deaths = self.launcher.vitals.died();
        tracing::warn!(deaths, why, "the agent program is gone");
        match self.launcher.config.restart_after(deaths) {
            // Somebody waits for it, and is told when that fails.
            _ if self.prompt.is_some() => self.start_again(),
            Some(wait) => self.program = State::Stopped(Some(Instant::now() + wait)),
            None => {
                let problem = driver::too_many_deaths(deaths, why);
                self.conduct.notice(&problem);
                self.launcher.vitals.given_up(problem);
            }
        }
    }

    /// Begins to start a program.
    pub(super) fn start_again(&mut self) {
        let id = self.conduct.conversation().to_owned();
        let (launcher, current, prompted) = (self.launcher.clone(), self.current.clone(), self.prompted);
        self.program = State::Starting(start_again(launcher, current, id, prompted).boxed());
    }
}

/// Starts the program again. It takes up its conversation if it can; whether it could comes with it.
async fn start_again(launcher: Arc<Launcher>, current: Current, id: String, prompted: bool) -> Restarted {
    if prompted {
        match launcher.start(&current, &Conversation::Resumed(id.clone())).await {
            Ok(started) => return Ok((started, true)),
            // Nothing had been written down yet, or it is lost.
            Err(DriverError::StartFailed(why)) if why.contains("No conversation found") => {}
            Err(error) => return Err(error),
        }
    }
    let started = launcher.start(&current, &Conversation::New(id)).await?;
    Ok((started, !prompted))
}
