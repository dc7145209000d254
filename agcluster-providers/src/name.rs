//! Names of containers and of what remains of them, the same on the platforms of this crate.

use agcluster_core::provider::{ContainerId, Labels};

/// What an id that a provider gave stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// A container.
    Container(&'a str),
    /// A session's workspace without a container.
    Workspace(&'a str),
}

impl<'a> Name<'a> {
    /// `None` for what no provider of this crate can have given: somebody else's things are never touched.
    pub(crate) fn of(id: &'a ContainerId) -> Option<Self> {
        let name = id.0.as_str();
        let safe = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !safe || !name.starts_with("agc-") {
            return None;
        }
        if session_part(name).is_some() {
            return Some(Self::Container(name));
        }
        name.ends_with("-ws").then_some(Self::Workspace(name))
    }

    /// The workspace: the same for all generations of a session.
    pub(crate) fn workspace(self) -> String {
        match self {
            Self::Container(name) => workspace_of(name),
            Self::Workspace(name) => name.to_owned(),
        }
    }
}

/// The workspace of a session.
pub(crate) fn workspace(labels: &Labels) -> String {
    workspace_of(&labels.container_name())
}

fn workspace_of(container: &str) -> String {
    format!("{}-ws", session_part(container).unwrap_or(container))
}

/// The session's part of a container's name: everything before the generation.
fn session_part(container: &str) -> Option<&str> {
    let (session, generation) = container.rsplit_once("-g")?;
    let number = !generation.is_empty() && generation.bytes().all(|byte| byte.is_ascii_digit());
    number.then_some(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ContainerId {
        ContainerId(text.to_owned())
    }

    #[test]
    fn all_generations_of_a_session_have_one_workspace() {
        let name = |generation| {
            let labels = Labels {
                cluster: "c".to_owned(),
                session: "conv-1".to_owned(),
                agent: "a".to_owned(),
                generation,
                expires_at: None,
            };
            workspace(&labels)
        };
        assert_eq!(name(1), "agc-conv-1-ws");
        assert_eq!(name(1), name(27));
    }

    #[test]
    fn an_id_is_a_container_or_what_remains_of_one() {
        assert_eq!(Name::of(&id("agc-a-g2")), Some(Name::Container("agc-a-g2")));
        assert_eq!(Name::of(&id("agc-a-ws-g2")), Some(Name::Container("agc-a-ws-g2")));
        assert_eq!(Name::of(&id("agc-a-ws")), Some(Name::Workspace("agc-a-ws")));
    }

    #[test]
    fn what_is_not_ours_is_nothing() {
        for foreign in ["postgres", "", "agc-", "agc-a-g", "agc-a-g2/../x", "agc-a b-g1", "xagc-a-g1"] {
            assert_eq!(Name::of(&id(foreign)), None, "{foreign}");
        }
    }
}
