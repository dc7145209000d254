//! A round: clients launch, talk, restart and remove; the server is killed among them and started again; then everything
//! is looked at.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agcluster_tests::seeded::Seeded;
use agcluster_tests::system::Installation;
use anyhow::{Context, Result};
use serde_json::Value;
use tokio::task::JoinSet;

use super::acts;
use super::asked::Asked;
use super::findings::{Fault, Findings, Phase};
use super::leftovers::{self, Expected};
use super::line::Line;
use super::options::Agent;
use super::{journal, options};

/// A session that was launched and not removed.
#[derive(Debug)]
struct Known {
    id: String,
    asked: Vec<Asked>,
}

/// What became of an act.
enum Done {
    Launched(Result<String>),
    Told { session: usize, asked: Asked, turn: Result<Option<String>> },
    Restarted(Result<bool>),
    Removed { session: usize, removed: Result<()> },
}

/// A session of so many turns is removed.
const OLD: usize = 8;

/// How much happens at a time, and how fast.
struct Pace {
    most_sessions: usize,
    /// A kill comes so long after the clients have begun, at the most.
    delay: Duration,
    /// Or after so many things that they have seen, at the most.
    things: u64,
}

/// All that is known between rounds.
pub(crate) struct World {
    agent: Agent,
    pace: Pace,
    seeded: Seeded,
    line: Arc<Line>,
    sessions: Vec<Known>,
    marks: u64,
    pub(crate) findings: Findings,
}

impl World {
    pub(crate) fn new(options: &options::Options, seeded: Seeded, installation: &Installation) -> Self {
        let pace = match options.agent {
            Agent::Scripted => Pace { most_sessions: 6, delay: Duration::from_millis(400), things: 300 },
            Agent::Claude => Pace { most_sessions: 3, delay: Duration::from_millis(4000), things: 60 },
        };
        let line = Line::new(installation.api(acts::KEY));
        line.serves();
        let (agent, findings) = (options.agent, Findings::default());
        Self { agent, pace, seeded, line, sessions: Vec::new(), marks: 0, findings }
    }

    /// Plays one round.
    ///
    /// # Errors
    /// When it cannot be played to its end. What is wrong is among the findings.
    pub(crate) async fn round(&mut self, installation: &mut Installation) -> Result<()> {
        self.findings.rounds += 1;
        let mut acts = self.begin();
        self.kill(installation, &acts).await?;
        let mut removed = BTreeSet::new();
        while let Some(done) = acts.join_next().await {
            self.note(done?, &mut removed);
        }
        let mut nth = 0;
        self.sessions.retain(|_| {
            nth += 1;
            !removed.contains(&(nth - 1))
        });
        installation.adopted().await?;
        self.look(installation).await
    }

    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("m{}", self.marks)
    }

    /// Lets clients begin what chance says.
    fn begin(&mut self) -> JoinSet<Done> {
        let mut acts = JoinSet::new();
        let (line, agent) = (Arc::clone(&self.line), self.agent);
        let mut room = self.pace.most_sessions.saturating_sub(self.sessions.len());
        let mut launches = usize::from(room > 0 && self.seeded.percent(60));
        if self.sessions.is_empty() {
            launches = 2.min(room);
        }
        while launches > 0 && room > 0 {
            let (line, key) = (line.clone(), self.mark());
            acts.spawn(async move { Done::Launched(acts::launch(line, agent, key).await) });
            (launches, room) = (launches - 1, room - 1);
            self.findings.launches += 1;
        }
        for session in 0..self.sessions.len() {
            let id = self.sessions[session].id.clone();
            let talks = self.seeded.percent(85);
            let restarts = self.seeded.percent(25);
            // All of a journal is read in every round, so none may grow for ever.
            let is_old = self.sessions[session].asked.len() >= OLD;
            let removes = !restarts && (is_old || self.seeded.percent(15));
            if talks {
                let mut asked = Asked::new(agent, self.mark(), &mut self.seeded);
                asked.may_be_cut = restarts;
                let (line, id) = (line.clone(), id.clone());
                acts.spawn(async move {
                    let turn = acts::turn(line, id, asked.clone()).await;
                    Done::Told { session, asked, turn }
                });
                self.findings.turns += 1;
            }
            let wait = self.seeded.time(self.pace.delay / 6);
            if restarts {
                let (line, id) = (line.clone(), id.clone());
                acts.spawn(async move { Done::Restarted(acts::restart(line, id, wait).await) });
                self.findings.restarts += 1;
            }
            if removes {
                let line = line.clone();
                acts.spawn(
                    async move { Done::Removed { session, removed: acts::delete(line, id, wait).await } },
                );
                self.findings.deletes += 1;
            }
        }
        acts
    }

    /// Kills the server at a point that chance says, once or again while it recovers.
    async fn kill(&mut self, installation: &mut Installation, acts: &JoinSet<Done>) -> Result<()> {
        // Clients that wait see nothing: then it is time that counts.
        // Most of what clients begin is soon done.
        let longest = if self.seeded.percent(60) { self.pace.delay / 6 } else { self.pace.delay };
        let delay = self.seeded.time(longest);
        if self.seeded.percent(50) || acts.is_empty() {
            tokio::time::sleep(delay).await;
        } else {
            let things = self.seeded.below(self.pace.things);
            let _ = tokio::time::timeout(self.pace.delay * 4, self.line.seen(things)).await;
        }
        self.kill_now(installation, None).await?;
        while self.seeded.percent(25) {
            tokio::time::sleep(self.seeded.time(self.pace.delay / 4)).await;
            self.kill_now(installation, Some(Phase::Recovery)).await?;
        }
        Ok(())
    }

    async fn kill_now(&mut self, installation: &mut Installation, also: Option<Phase>) -> Result<()> {
        let mut phases = self.line.phases();
        phases.extend(also);
        if phases.is_empty() {
            phases.push(Phase::Rest);
        }
        installation.kill().await?;
        self.findings.kills += 1;
        for phase in phases {
            *self.findings.phases.entry(phase).or_default() += 1;
        }
        installation.start().await?;
        self.line.serves();
        Ok(())
    }

    fn note(&mut self, done: Done, removed: &mut BTreeSet<usize>) {
        match done {
            Done::Launched(Ok(id)) => {
                if self.sessions.iter().any(|known| known.id == id) {
                    self.findings.fault(Fault::Duplicated, format!("two launches gave {id}"));
                }
                self.sessions.push(Known { id, asked: Vec::new() });
            }
            Done::Launched(Err(error)) => self.findings.fault(Fault::Lost, format!("a launch: {error:#}")),
            Done::Told { session, mut asked, turn } => match turn {
                Ok(turn) => {
                    asked.turn = turn;
                    self.sessions[session].asked.push(asked);
                }
                Err(error) => {
                    let what = format!("{}: {}: {error:#}", self.sessions[session].id, asked.marker);
                    self.findings.fault(Fault::Lost, what);
                    self.sessions[session].asked.push(asked);
                }
            },
            Done::Restarted(Ok(true)) => {}
            Done::Restarted(Ok(false)) => self.findings.fault(Fault::Lost, "a session to restart was gone"),
            Done::Restarted(Err(error)) => {
                self.findings.fault(Fault::Untrue, format!("a restart: {error:#}"))
            }
            Done::Removed { session, removed: Ok(()) } => drop(removed.insert(session)),
            Done::Removed { session, removed: Err(error) } => {
                let what = format!("{} cannot be removed: {error:#}", self.sessions[session].id);
                self.findings.fault(Fault::Untrue, what);
            }
        }
    }

    /// Looks at everything.
    async fn look(&mut self, installation: &Installation) -> Result<()> {
        let listed = self.line.get("/api/agents/sessions").await?;
        let listed: Vec<Value> = listed["sessions"].as_array().cloned().unwrap_or_default();
        let ids: BTreeSet<&str> =
            listed.iter().filter_map(|session| session["session_id"].as_str()).collect();
        let known: BTreeSet<&str> = self.sessions.iter().map(|known| known.id.as_str()).collect();
        for id in ids.difference(&known) {
            self.findings.fault(Fault::Orphaned, format!("session {id} is nobody's"));
        }
        for id in known.difference(&ids) {
            self.findings.fault(Fault::Lost, format!("session {id}"));
        }
        let mut expected = Expected::new();
        for session in &listed {
            let id = session["session_id"].as_str().context("a session has an id")?;
            if session["status"] != "running" {
                let (status, reason) = (&session["status"], &session["reason"]);
                self.findings.fault(Fault::Untrue, format!("session {id} is {status}: {reason}"));
            }
            expected.insert(id.to_owned(), session["generation"].as_u64().unwrap_or_default());
        }
        for nth in 0..self.sessions.len() {
            let id = self.sessions[nth].id.clone();
            if !expected.contains_key(&id) {
                continue;
            }
            let looked = self.look_at(&id).await;
            match looked {
                Ok((events, probe)) => {
                    let asked = &self.sessions[nth].asked;
                    journal::check(self.agent, &id, &events, asked, &probe, &mut self.findings);
                }
                Err(error) => self.findings.fault(Fault::Untrue, format!("session {id}: {error:#}")),
            }
        }
        for difference in leftovers::differences(installation, &expected).await? {
            self.findings.fault(Fault::Orphaned, difference);
        }
        Ok(())
    }

    async fn look_at(&mut self, id: &str) -> Result<(Vec<Value>, String)> {
        let probe = acts::probe(&self.line, self.agent, id, &mut self.seeded).await?;
        let events = acts::read_until_end(&self.line, id, &probe).await?;
        Ok((events, probe))
    }
}
