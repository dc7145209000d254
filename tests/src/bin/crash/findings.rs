//! What was counted and what was found wrong.

use std::collections::BTreeMap;
use std::fmt;

/// What a server was doing when it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Launch,
    Turn,
    Restart,
    Delete,
    /// An earlier kill's sessions were being adopted.
    Recovery,
    /// Nothing that a client waited for.
    Rest,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Launch => "launch",
            Self::Turn => "turn",
            Self::Restart => "restart",
            Self::Delete => "delete",
            Self::Recovery => "recovery",
            Self::Rest => "rest",
        })
    }
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Something that was promised is not there.
    Lost,
    /// Something is there twice, or ran twice.
    Duplicated,
    /// Something is there that nobody owns.
    Orphaned,
    /// Something is said that is not so.
    Untrue,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Orphaned => "orphaned",
            Self::Untrue => "untrue",
        })
    }
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) rounds: u32,
    pub(crate) kills: u32,
    pub(crate) phases: BTreeMap<Phase, u32>,
    pub(crate) troubles: BTreeMap<String, u32>,
    pub(crate) launches: u32,
    pub(crate) turns: u32,
    pub(crate) restarts: u32,
    pub(crate) deletes: u32,
    pub(crate) events: u64,
    pub(crate) disconnects: u64,
    faults: Vec<(Fault, String)>,
}

impl Findings {
    /// Notes something that is wrong.
    pub(crate) fn fault(&mut self, fault: Fault, what: impl Into<String>) {
        let found = (fault, what.into());
        // A later round sees it again.
        if !self.faults.contains(&found) {
            self.faults.push(found);
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// What is wrong, a line each.
    pub(crate) fn faults(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(|(fault, what)| format!("{fault}: {what}"))
    }

    fn count(&self, wanted: Fault) -> usize {
        self.faults.iter().filter(|(fault, _)| *fault == wanted).count()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            kills,
            phases,
            troubles,
            launches,
            turns,
            restarts,
            deletes,
            events,
            disconnects,
            ..
        } = self;
        let phases: Vec<_> = phases.iter().map(|(phase, count)| format!("{phase} {count}")).collect();
        writeln!(f, "{rounds} rounds, {kills} kills (what was going on: {})", phases.join(", "))?;
        if !troubles.is_empty() {
            let troubles: Vec<_> = troubles.iter().map(|(name, count)| format!("{name} {count}")).collect();
            writeln!(f, "what befell it: {}", troubles.join(", "))?;
        }
        writeln!(f, "{launches} launches, {turns} turns, {restarts} restarts, {deletes} deletes")?;
        writeln!(f, "{events} events checked, {disconnects} streams cut")?;
        let counts = [Fault::Lost, Fault::Duplicated, Fault::Orphaned, Fault::Untrue]
            .map(|fault| format!("{} {fault}", self.count(fault)));
        f.write_str(&counts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_counts_are_the_last_line() {
        let mut findings = Findings { rounds: 2, kills: 3, ..Findings::default() };
        findings.phases.insert(Phase::Turn, 3);
        assert!(findings.is_clean());
        assert!(findings.to_string().starts_with("2 rounds, 3 kills (what was going on: turn 3)\n"));
        findings.fault(Fault::Lost, "an event");
        assert!(!findings.is_clean());
        let text = findings.to_string();
        assert_eq!(text.lines().last(), Some("1 lost, 0 duplicated, 0 orphaned, 0 untrue"));
    }
}
