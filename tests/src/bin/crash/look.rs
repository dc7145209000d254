//! Looking at everything after a round: sessions, journals, and what the platform has.

use std::collections::BTreeSet;

use agcluster_tests::system::Installation;
use anyhow::{Context, Result};
use serde_json::Value;

use super::findings::Fault;
use super::leftovers::{self, Expected};
use super::round::World;
use super::{acts, journal};

impl World {
    /// Looks at everything.
    pub(super) async fn look(&mut self, installation: &Installation) -> Result<()> {
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
