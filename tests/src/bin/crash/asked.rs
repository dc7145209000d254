//! What agents are asked, so that it can be seen afterwards whether it was done once and completely.

use agcluster_tests::seeded::Seeded;
use serde_json::{Value, json};

use super::options::Agent;
use super::trouble::Trouble;

/// A turn that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// A word that no other turn has.
    pub(crate) marker: String,
    /// What is sent.
    pub(crate) prompt: String,
    /// What the agent says, all of it.
    pub(crate) says: String,
    /// Its name, once it is known.
    pub(crate) turn: Option<String>,
    /// Whether a restart of its session may end it.
    pub(crate) may_be_cut: bool,
}

impl Asked {
    /// A turn that takes a while, with numbered words.
    pub(crate) fn new(agent: Agent, marker: String, seeded: &mut Seeded) -> Self {
        let (prompt, says) = match agent {
            Agent::Scripted => scripted(&marker, seeded),
            Agent::Claude => claude(&marker, seeded),
        };
        Self { marker, prompt, says, turn: None, may_be_cut: false }
    }

    /// The same, with something that may end it from outside. A scripted agent's program ends by its own hand.
    pub(crate) fn befallen_by(mut self, trouble: Trouble, agent: Agent) -> Self {
        self.may_be_cut |= trouble.cuts();
        if (trouble, agent) == (Trouble::Program, Agent::Scripted) {
            self.prompt += "\n@@die";
        }
        self
    }
}

/// Numbered words, some at a time.
fn scripted(marker: &str, seeded: &mut Seeded) -> (String, String) {
    let (mut prompt, mut says) = (format!("turn {marker}"), String::new());
    let mut nth = 0;
    for _ in 0..seeded.below(12) + 1 {
        let words: Vec<_> =
            (0..seeded.below(40) + 1).map(|more| format!("{marker}.{}", nth + more)).collect();
        nth += words.len() as u64;
        let line = words.join(" ");
        prompt += &format!("\n@@say {line}\n@@wait {}ms", seeded.below(40));
        says += &line;
    }
    (prompt, says)
}

/// A command that leaves a trace, and numbered words over a time.
fn claude(marker: &str, seeded: &mut Seeded) -> (String, String) {
    let words: Vec<_> = (0..seeded.below(20) + 5).map(|nth| format!("{marker}.{nth}")).collect();
    let says = words.join(" ");
    let tenths = seeded.below(12);
    let prompt = format!("@@bash echo {marker} >> {TRACE}\n@@slow {}.{} 8 {says}", tenths / 10, tenths % 10);
    (prompt, says)
}

/// Where commands leave their traces, in the workspace.
const TRACE: &str = "trace";

/// A turn that tells what the agent itself knows to have done.
pub(crate) fn probe(agent: Agent) -> &'static str {
    match agent {
        Agent::Scripted => "@@recall",
        Agent::Claude => "@@bash touch trace; cat trace\n@@text That is all.",
    }
}

/// The configuration of a session.
pub(crate) fn config(agent: Agent) -> Value {
    match agent {
        Agent::Scripted => json!({ "driver": "scripted" }),
        Agent::Claude => json!({ "allowed_tools": ["Bash"], "permission_mode": "bypassPermissions" }),
    }
}

/// What the agent knows to have done, from the events of its probe.
pub(crate) fn done<'a>(agent: Agent, probe: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let told: String = probe
        .filter_map(|event| match agent {
            Agent::Scripted => {
                (event["type"] == "text").then(|| event["text"].as_str().map(str::to_owned))?
            }
            Agent::Claude => (event["type"] == "tool_result").then(|| event["content"].to_string()),
        })
        .collect();
    match agent {
        Agent::Scripted => serde_json::from_str(&told).unwrap_or_default(),
        Agent::Claude => {
            told.split(['"', '\n']).flat_map(|part| part.split("\\n")).map(str::to_owned).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_told_apart() {
        for agent in [Agent::Scripted, Agent::Claude] {
            let asked = Asked::new(agent, "m1".to_owned(), &mut Seeded::new(3));
            assert!(asked.says.starts_with("m1.0"), "{}", asked.says);
            assert!(asked.prompt.contains("m1"));
        }
    }

    #[test]
    fn what_was_done_is_read_from_what_agents_say() {
        let recalled = [json!({ "type": "text", "text": "[\"turn m1\\n@@say a\",\"turn m2\"]" })];
        assert_eq!(done(Agent::Scripted, recalled.iter()).len(), 2);
        let shown = [json!({ "type": "tool_result", "content": "m1\nm2" })];
        assert_eq!(done(Agent::Claude, shown.iter()).iter().filter(|line| *line == "m2").count(), 1);
    }
}
