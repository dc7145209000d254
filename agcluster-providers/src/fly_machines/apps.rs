//! Which app a machine is in, and how both make up a container's id.

use agcluster_core::provider::{ContainerId, Labels};
use sha2::{Digest, Sha256};

use super::config::{AppMode, FlyMachinesConfig, given};

/// The longest name of an app.
const LONGEST_APP: usize = 62;

/// Where machines are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Apps {
    /// All in this app.
    Shared(String),
    /// Each in an app of its own.
    PerSession {
        /// Of this organisation.
        organization: String,
        /// With names that begin like this.
        prefix: String,
    },
}

/// What a container's id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// A machine.
    Machine {
        /// The app it is in.
        app: &'a str,
        /// Its id.
        machine: &'a str,
    },
    /// An app without a machine.
    App(&'a str),
}

impl Apps {
    /// Where a valid configuration puts them.
    pub(super) fn of(config: &FlyMachinesConfig) -> Self {
        let text = |field: &Option<String>| given(field.as_ref()).unwrap_or_default().to_owned();
        match config.mode {
            AppMode::Shared => Self::Shared(text(&config.app)),
            AppMode::PerSession => Self::PerSession {
                organization: text(&config.organization),
                prefix: config.app_prefix.clone(),
            },
        }
    }

    /// The app of a container.
    pub(super) fn app_for(&self, labels: &Labels) -> String {
        match self {
            Self::Shared(app) => app.clone(),
            Self::PerSession { prefix, .. } => {
                let name = labels.container_name();
                let name = name.strip_prefix("agc-").unwrap_or(&name);
                let begin = Self::begin_of(prefix, &labels.cluster);
                let room = LONGEST_APP.saturating_sub(begin.len());
                if name.len() <= room {
                    format!("{begin}{name}")
                } else {
                    format!("{begin}{}", digest(name, 12))
                }
            }
        }
    }

    /// What the names of a cluster's own apps begin with: names are all that an app without a machine is known by.
    pub(super) fn begin_of(prefix: &str, cluster: &str) -> String {
        format!("{prefix}-{}-", digest(cluster, 4))
    }

    /// What an id stands for; `None` for what this provider cannot have given: somebody else's things are never touched.
    pub(super) fn target<'a>(&self, id: &'a ContainerId) -> Option<Target<'a>> {
        let (app, machine) = match id.0.split_once(':') {
            Some((app, machine)) => (app, Some(machine)),
            None => (id.0.as_str(), None),
        };
        let is_ours = match self {
            Self::Shared(shared) => app == shared && machine.is_some(),
            Self::PerSession { prefix, .. } => app
                .strip_prefix(prefix.as_str())
                .and_then(|rest| rest.strip_prefix('-')?.split_once('-'))
                .is_some_and(|(cluster, name)| is_digest(cluster) && is_name(name)),
        };
        match machine {
            _ if !is_ours => None,
            None => Some(Target::App(app)),
            Some(machine) => is_machine(machine).then_some(Target::Machine { app, machine }),
        }
    }
}

/// The id of a container.
pub(super) fn id(app: &str, machine: &str) -> ContainerId {
    ContainerId(format!("{app}:{machine}"))
}

fn digest(text: &str, bytes: usize) -> String {
    Sha256::digest(text.as_bytes()).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

fn is_digest(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_name(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LONGEST_APP).contains(&text.len()) && text.bytes().all(fine)
}

/// Whether a text can be a machine's id, and so be put into a path.
pub(super) fn is_machine(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(session: &str, generation: u32) -> Labels {
        Labels {
            cluster: "default".to_owned(),
            session: session.to_owned(),
            agent: "a".to_owned(),
            generation,
            expires_at: None,
        }
    }

    fn per_session() -> Apps {
        Apps::PerSession { organization: "acme".to_owned(), prefix: "agc".to_owned() }
    }

    #[test]
    fn each_container_has_an_app_of_its_own_whose_name_fits() {
        let long = "conv-8b2f8f0e-9d5a-4a53-8a3e-0d5b7f1f6c11";
        let apps = [labels(long, 1), labels(long, u32::MAX), labels("S", 1), labels("s", 1)];
        let names: std::collections::BTreeSet<_> =
            apps.iter().map(|labels| per_session().app_for(labels)).collect();
        assert_eq!(names.len(), apps.len());
        for name in names {
            assert!(name.len() <= LONGEST_APP, "{name}");
            assert_eq!(per_session().target(&ContainerId(name.clone())), Some(Target::App(&name)));
        }
    }

    #[test]
    fn an_id_says_app_and_machine() {
        let shared = Apps::Shared("agents".to_owned());
        let made = id("agents", "9185741b7e5483");
        let expected = Target::Machine { app: "agents", machine: "9185741b7e5483" };
        assert_eq!(shared.target(&made), Some(expected));
        assert_eq!(per_session().target(&made), None);
    }

    #[test]
    fn what_is_not_ours_is_nothing() {
        let shared = Apps::Shared("agents".to_owned());
        for foreign in
            ["agents", "agents:", "others:9185741b7e5483", "agents:../x", "agents:a b", "", ":", "a:b:c"]
        {
            assert_eq!(shared.target(&ContainerId(foreign.to_owned())), None, "{foreign}");
        }
        for foreign in ["agc-website", "agc-never-was-g1", "agents", "agc-00000000-", "xagc-00000000-a"] {
            assert_eq!(per_session().target(&ContainerId(foreign.to_owned())), None, "{foreign}");
        }
    }
}
