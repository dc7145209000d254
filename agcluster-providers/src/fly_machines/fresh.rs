//! What was just made, so that a launch need not ask for it again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agcluster_core::provider::{ContainerId, Endpoint};
use tokio::time::Instant;

/// How long what `create` saw is worth an answer.
const LIFETIME: Duration = Duration::from_secs(5);
/// So many are remembered at most.
const MOST: usize = 1024;

/// Endpoints of machines that `create` saw running a moment ago. Each is given out once.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    endpoints: Mutex<HashMap<ContainerId, (Instant, Endpoint)>>,
}

impl Fresh {
    /// Remembers an endpoint for a moment.
    pub(super) fn remember(&self, id: ContainerId, endpoint: Endpoint) {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if endpoints.len() >= MOST {
            endpoints.retain(|_, (since, _)| since.elapsed() < LIFETIME);
        }
        if endpoints.len() < MOST {
            endpoints.insert(id, (Instant::now(), endpoint));
        }
    }

    /// The endpoint, if it is remembered; and forgets it. To be called before whatever changes the machine.
    pub(super) fn take(&self, id: &ContainerId) -> Option<Endpoint> {
        let (since, endpoint) = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).remove(id)?;
        (since.elapsed() < LIFETIME).then_some(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agcluster_core::provider::Address;

    fn endpoint() -> Endpoint {
        Endpoint::new(Address::Unix("/s".into()))
    }

    #[test]
    fn what_is_remembered_is_given_once() {
        let (fresh, id) = (Fresh::default(), ContainerId("a:1".to_owned()));
        fresh.remember(id.clone(), endpoint());
        assert!(fresh.take(&id).is_some());
        assert!(fresh.take(&id).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let fresh = Fresh::default();
        for number in 0..MOST + 10 {
            fresh.remember(ContainerId(number.to_string()), endpoint());
        }
        assert_eq!(fresh.endpoints.lock().unwrap().len(), MOST);
    }
}
