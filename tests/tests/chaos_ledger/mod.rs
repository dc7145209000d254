//! What really happened on a platform, whatever its callers were told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use agcluster_core::layers::{Call, Layer, Next, Operation};
use agcluster_core::provider::{ContainerId, ContainerProvider, ListFilter, Result};
use jiff::Timestamp;

/// Looks at the platform after each call that makes a container. Clones share.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    platform: Arc<dyn ContainerProvider>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    creates: HashMap<String, usize>,
    /// What stands for a session's generation, until somebody wants it destroyed.
    made: HashMap<(String, u32), (ContainerId, Option<Timestamp>)>,
    twice: Vec<String>,
}

impl Ledger {
    pub(crate) fn of(platform: Arc<dyn ContainerProvider>) -> Self {
        Self { platform, seen: Arc::default() }
    }

    /// How many calls that make a container came for a session after its first one.
    pub(crate) fn repeated(&self) -> usize {
        self.seen.lock().unwrap().creates.values().map(|calls| calls - 1).sum()
    }

    /// What was made a second time.
    pub(crate) fn made_twice(&self) -> Vec<String> {
        self.seen.lock().unwrap().twice.clone()
    }
}

impl Layer for Ledger {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        if let (Operation::Destroy, Some(id)) = (call.operation, call.container) {
            self.seen.lock().unwrap().made.retain(|_, (made, _)| made != id);
        }
        let answer = next.run().await;
        let makes = matches!(call.operation, Operation::Create | Operation::Restore | Operation::Fork);
        let Some(session) = call.session.filter(|_| makes) else {
            return answer;
        };
        let filter = ListFilter { cluster: None, session: Some(session.to_owned()) };
        let there = self.platform.list(filter).await.unwrap();
        let mut generations: Vec<_> = there.iter().map(|container| container.labels.generation).collect();
        generations.sort_unstable();
        let many = generations.len();
        generations.dedup();
        let mut seen = self.seen.lock().unwrap();
        *seen.creates.entry(session.to_owned()).or_default() += 1;
        if generations.len() != many {
            seen.twice.push(format!("{there:?}"));
        }
        for found in there {
            let of = (session.to_owned(), found.labels.generation);
            let first = seen.made.entry(of).or_insert_with(|| (found.id.clone(), found.created_at)).clone();
            if first != (found.id.clone(), found.created_at) {
                seen.twice.push(format!("first {first:?}, then {found:?}"));
            }
        }
        answer
    }
}
