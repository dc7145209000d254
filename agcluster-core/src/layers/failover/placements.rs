//! Where containers went.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::provider::{ContainerId, Labels};

/// So many are remembered; the oldest is forgotten.
const MOST: usize = 10_000;

/// Where containers went, by their name, as far as this process remembers.
#[derive(Debug, Default)]
pub(super) struct Placements {
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    by_name: HashMap<String, Placement>,
    names: VecDeque<String>,
}

/// Where a container went.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    /// The member that was asked last.
    pub(super) member: usize,
    /// Whose it is.
    pub(super) labels: Labels,
    /// The container, once it is known to be there.
    pub(super) id: Option<ContainerId>,
    /// Members that may have a container of this name as well, because they did not answer.
    pub(super) doubtful: Vec<usize>,
    /// What its warnings said.
    pub(super) warnings: Vec<String>,
}

impl Placements {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        // The worst that half a change leaves is a name that is forgotten early.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, name: &str) -> Option<Placement> {
        self.memory().by_name.get(name).cloned()
    }

    pub(super) fn put(&self, name: &str, placement: Placement) {
        let mut memory = self.memory();
        if memory.by_name.insert(name.to_owned(), placement).is_some() {
            return;
        }
        memory.names.push_back(name.to_owned());
        if memory.names.len() > MOST
            && let Some(oldest) = memory.names.pop_front()
        {
            memory.by_name.remove(&oldest);
        }
    }

    pub(super) fn remove(&self, name: &str) {
        let mut memory = self.memory();
        memory.by_name.remove(name);
        memory.names.retain(|other| other != name);
    }

    /// Forgets a container by its id, and gives what was known.
    pub(super) fn take(&self, id: &ContainerId) -> Option<Placement> {
        let name = {
            let memory = self.memory();
            let mut all = memory.by_name.iter();
            all.find(|(_, placement)| placement.id.as_ref() == Some(id))?.0.clone()
        };
        let placement = self.get(&name);
        self.remove(&name);
        placement
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fake::spec;
    use super::*;

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let placements = Placements::default();
        for number in 0..=MOST {
            let labels = spec(&number.to_string()).labels;
            let id = Some(ContainerId(number.to_string()));
            let placement = Placement { member: 0, labels, id, doubtful: Vec::new(), warnings: Vec::new() };
            placements.put(&number.to_string(), placement);
        }
        assert!(placements.get("0").is_none());
        assert!(placements.get("1").is_some());
        assert!(placements.take(&ContainerId("1".into())).is_some());
        let memory = placements.memory();
        assert_eq!((memory.names.len(), memory.by_name.len()), (MOST - 1, MOST - 1));
    }
}
