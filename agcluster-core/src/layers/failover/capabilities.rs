//! What two providers have in common.

use std::time::Duration;

use crate::provider::{
    Archive, Capabilities, Exec, Fork, Isolation, Lifetime, Limits, Logs, Pause, SnapshotCapability, Start,
};

/// What holds for both: the weaker promise of each.
pub(super) fn common(a: &Capabilities, b: &Capabilities) -> Capabilities {
    Capabilities {
        isolation: weaker(a.isolation, b.isolation),
        limits: Limits {
            cpu: a.limits.cpu && b.limits.cpu,
            memory: a.limits.memory && b.limits.memory,
            pids: a.limits.pids && b.limits.pids,
            storage: a.limits.storage && b.limits.storage,
        },
        lifetime: Lifetime {
            default: shorter(a.lifetime.default, b.lifetime.default),
            max: shorter(a.lifetime.max, b.lifetime.max),
            extendable: a.lifetime.extendable && b.lifetime.extendable,
        },
        custom_image: a.custom_image && b.custom_image,
        start: both(a.start, b.start, |a, b| Start {
            keeps_workspace: a.keeps_workspace && b.keeps_workspace,
        }),
        pause: both(a.pause, b.pause, |a, b| Pause { keeps_memory: a.keeps_memory && b.keeps_memory }),
        snapshot: both(a.snapshot, b.snapshot, |a, b| SnapshotCapability {
            stops_source: a.stops_source || b.stops_source,
            keeps_memory: a.keeps_memory && b.keeps_memory,
        }),
        fork: both(a.fork, b.fork, |a, b| Fork { stops_source: a.stops_source || b.stops_source }),
        logs: both(a.logs, b.logs, |a, b| Logs { follow: a.follow && b.follow }),
        stats: a.stats && b.stats,
        exec: both(a.exec, b.exec, |a, b| Exec { max: shorter(a.max, b.max) }),
        archive: both(a.archive, b.archive, |a, b| Archive {
            while_stopped: a.while_stopped && b.while_stopped,
        }),
    }
}

fn both<T>(a: Option<T>, b: Option<T>, common: impl FnOnce(T, T) -> T) -> Option<T> {
    a.zip(b).map(|(a, b)| common(a, b))
}

/// `None` is without end.
fn shorter(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}

fn weaker(a: Isolation, b: Isolation) -> Isolation {
    match (a, b) {
        (Isolation::None, _) | (_, Isolation::None) => Isolation::None,
        (Isolation::Container, _) | (_, Isolation::Container) => Isolation::Container,
        (Isolation::VirtualMachine, Isolation::VirtualMachine) => Isolation::VirtualMachine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Capabilities {
        Capabilities {
            isolation: Isolation::VirtualMachine,
            limits: Limits { cpu: true, memory: true, pids: true, storage: true },
            lifetime: Lifetime { default: None, max: None, extendable: true },
            custom_image: true,
            start: Some(Start { keeps_workspace: true }),
            pause: Some(Pause { keeps_memory: true }),
            snapshot: Some(SnapshotCapability { stops_source: false, keeps_memory: true }),
            fork: Some(Fork { stops_source: false }),
            logs: Some(Logs { follow: true }),
            stats: true,
            exec: Some(Exec { max: None }),
            archive: Some(Archive { while_stopped: true }),
        }
    }

    #[test]
    fn the_weaker_promise_holds_in_either_order() {
        let weak = Capabilities {
            isolation: Isolation::Container,
            limits: Limits { storage: false, ..all().limits },
            lifetime: Lifetime { max: Some(Duration::from_secs(2700)), ..all().lifetime },
            custom_image: false,
            start: Some(Start { keeps_workspace: false }),
            snapshot: Some(SnapshotCapability { stops_source: true, keeps_memory: false }),
            fork: Some(Fork { stops_source: true }),
            exec: Some(Exec { max: Some(Duration::from_secs(60)) }),
            archive: None,
            ..all()
        };
        assert_eq!(common(&all(), &weak), weak);
        assert_eq!(common(&weak, &all()), weak);
        assert_eq!(common(&all(), &all()), all());
    }
}
