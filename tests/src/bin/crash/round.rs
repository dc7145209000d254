//! A round: clients launch, talk, restart and remove; the server is killed among them and started again, or something else
//! befalls the system; then everything is looked at.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agcluster_tests::postgres::Postgres;
use agcluster_tests::seeded::Seeded;
use agcluster_tests::system::Installation;
use anyhow::Result;
use tokio::task::JoinSet;

use super::acts;
use super::asked::Asked;
use super::findings::{Fault, Findings, Phase};
use super::line::Line;
use super::options::{Agent, Options};
use super::trouble::{self, Trouble};

/// A session that was launched and not removed.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) asked: Vec<Asked>,
}

/// What became of an act.
enum Done {
    Launched(Result<String>),
    Told { session: usize, asked: Asked, turn: Result<Option<String>> },
    Restarted(Result<bool>),
    Revived(Result<()>),
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

/// What befalls the system in a round.
#[derive(Debug, Clone, Copy)]
struct Befalls {
    trouble: Trouble,
    /// Which session, where it befalls one.
    victim: Option<usize>,
}

/// All that is known between rounds.
pub(crate) struct World {
    pub(super) agent: Agent,
    troubles: Vec<Trouble>,
    still: Duration,
    pace: Pace,
    pub(super) seeded: Seeded,
    pub(super) line: Arc<Line>,
    pub(super) sessions: Vec<Known>,
    marks: u64,
    pub(crate) findings: Findings,
}

impl World {
    pub(crate) fn new(options: &Options, seeded: Seeded, installation: &Installation) -> Self {
        let pace = match options.agent {
            Agent::Scripted => Pace { most_sessions: 6, delay: Duration::from_millis(400), things: 300 },
            Agent::Claude => Pace { most_sessions: 3, delay: Duration::from_millis(4000), things: 60 },
        };
        let line = Line::new(installation.api(acts::KEY));
        line.serves();
        Self {
            agent: options.agent,
            troubles: options.trouble.clone(),
            still: Duration::from_secs(options.still),
            pace,
            seeded,
            line,
            sessions: Vec::new(),
            marks: 0,
            findings: Findings::default(),
        }
    }

    /// Plays one round.
    ///
    /// # Errors
    /// When it cannot be played to its end. What is wrong is among the findings.
    pub(crate) async fn round(
        &mut self,
        installation: &mut Installation,
        postgres: Option<&mut Postgres>,
    ) -> Result<()> {
        self.findings.rounds += 1;
        let befalls = self.choose();
        let mut acts = self.begin(befalls);
        self.until_something_goes_on(&acts).await;
        match befalls {
            None if self.may_kill() => self.kill(installation).await?,
            None => {}
            Some(befalls) => self.befall(befalls, installation, &mut acts, postgres).await?,
        }
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

    /// What befalls the system, if anything does and can.
    fn choose(&mut self) -> Option<Befalls> {
        let nth = self.seeded.index(self.troubles.len());
        let trouble = *self.troubles.get(nth)?;
        if !trouble.has_victim() {
            return Some(Befalls { trouble, victim: None });
        }
        let victim = self.seeded.index(self.sessions.len());
        (!self.sessions.is_empty()).then_some(Befalls { trouble, victim: Some(victim) })
    }

    /// A disk that ends with its server is not found again by the next one.
    fn may_kill(&self) -> bool {
        !self.troubles.contains(&Trouble::Disk)
    }

    /// Lets clients begin what chance says.
    fn begin(&mut self, befalls: Option<Befalls>) -> JoinSet<Done> {
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
            let own = befalls.filter(|befalls| befalls.victim == Some(session));
            let talks = self.seeded.percent(85) || own.is_some();
            let restarts = self.seeded.percent(25) && own.is_none();
            // All of a journal is read in every round, so none may grow for ever.
            let is_old = self.sessions[session].asked.len() >= OLD;
            let removes = !restarts && own.is_none() && (is_old || self.seeded.percent(15));
            if talks {
                let mut asked = Asked::new(agent, self.mark(), &mut self.seeded);
                asked.may_be_cut = restarts;
                if let Some(befalls) = own {
                    asked = asked.befallen_by(befalls.trouble, agent);
                }
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

    /// Waits until a point that chance says.
    async fn until_something_goes_on(&mut self, acts: &JoinSet<Done>) {
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
    }

    /// Kills the server, once or again while it recovers.
    async fn kill(&mut self, installation: &mut Installation) -> Result<()> {
        self.kill_now(installation, None).await?;
        while self.seeded.percent(25) {
            tokio::time::sleep(self.seeded.time(self.pace.delay / 4)).await;
            self.kill_now(installation, Some(Phase::Recovery)).await?;
        }
        Ok(())
    }

    /// Lets something befall the system, and mostly the server live on.
    async fn befall(
        &mut self,
        Befalls { trouble, victim }: Befalls,
        installation: &mut Installation,
        acts: &mut JoinSet<Done>,
        mut postgres: Option<&mut Postgres>,
    ) -> Result<()> {
        let victim = victim.map(|nth| self.sessions[nth].id.clone());
        let generation = match &victim {
            Some(id) => self.line.get(&format!("/api/agents/sessions/{id}")).await?["generation"].as_u64(),
            None => None,
        };
        let lasting =
            trouble::begin(trouble, installation, victim.as_deref(), self.agent, postgres.as_deref_mut());
        let lasting = lasting.await?;
        *self.findings.troubles.entry(trouble.name()).or_default() += 1;
        if let (Trouble::Container, Some(id), Some(generation)) = (trouble, victim, generation) {
            let line = Arc::clone(&self.line);
            acts.spawn(async move { Done::Revived(acts::revive(line, id, generation).await) });
        }
        if trouble.allows_a_start() && self.may_kill() && self.seeded.percent(30) {
            self.kill_now(installation, None).await?;
        }
        let longest = lasting.longest(self.still);
        let time = if self.seeded.percent(25) { longest } else { self.seeded.time(longest) };
        tokio::time::sleep(time).await;
        lasting.end(installation, postgres).await
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
            Done::Revived(Ok(())) => {}
            Done::Revived(Err(error)) => {
                self.findings.fault(Fault::Untrue, format!("a killed container: {error:#}"));
            }
            Done::Removed { session, removed: Ok(()) } => drop(removed.insert(session)),
            Done::Removed { session, removed: Err(error) } => {
                let what = format!("{} cannot be removed: {error:#}", self.sessions[session].id);
                self.findings.fault(Fault::Untrue, what);
            }
        }
    }
}
