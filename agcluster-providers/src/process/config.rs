//! What an operator can set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agcluster_core::provider::{Result, invalid_field as invalid};
use rustix::process::{geteuid, getuid};
use serde::{Deserialize, Serialize};

use super::PLATFORM;
use crate::Size;

/// Where things are and whose they are. Every field has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessConfig {
    /// The agent server. Absent, `agcluster-agent` beside the running program, or in `PATH`.
    pub agent_binary: Option<PathBuf>,
    /// Where workspaces, logs and sockets are. Absent, `/var/lib/agcluster/process` for root, and
    /// `~/.local/state/agcluster/process` (`XDG_STATE_HOME`) for others. At most 70 bytes, for it is part of a socket's path.
    pub state_dir: Option<PathBuf>,
    /// The user that the agent runs as. Only root can choose one; absent, 1000 and 1000 for root, and the same user for
    /// others.
    pub agent_user: Option<AgentUser>,
    /// The Claude program: a path, or a name that is looked for in `PATH`. Absent, `claude`.
    pub claude: Option<PathBuf>,
    /// Variables of this process's environment that the agent server gets, by name. It gets no others of them.
    pub inherit: Vec<String>,
    /// Variables that the agent server gets besides.
    pub env: BTreeMap<String, String>,
    /// How much of a container's output is kept, at least half of it the newest.
    pub max_log: Size,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self {
            agent_binary: None,
            state_dir: None,
            agent_user: None,
            claude: None,
            inherit: ["PATH", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"].map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            max_log: Size::mib(10),
        }
    }
}

/// A user and group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentUser {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// The longest state folder: with what follows it, a socket's path must stay below 108 bytes.
const LONGEST_STATE_DIR: usize = 70;

impl ProcessConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](agcluster_core::provider::ErrorKind::Invalid) with the field's path.
    pub fn validate(&self) -> Result<()> {
        let check =
            |fine: bool, field, reason| if fine { Ok(()) } else { Err(invalid(PLATFORM, field, reason)) };
        if let Some(folder) = &self.state_dir {
            check(folder.is_absolute(), "state_dir", "write an absolute path")?;
            let short = folder.as_os_str().len() <= LONGEST_STATE_DIR;
            check(short, "state_dir", "choose a path of at most 70 bytes: a socket's path must fit")?;
        }
        if let Some(user) = self.agent_user {
            let may = geteuid().is_root() || user.uid == getuid().as_raw();
            check(may, "agent_user", "only root can run the agent as another user: leave it out")?;
            let apart = !geteuid().is_root() || user.uid != 0;
            check(apart, "agent_user.uid", "the agent must not be root: choose a common user")?;
        }
        let names = self.inherit.iter().chain(self.env.keys());
        let fine = |name: &String| !name.is_empty() && !name.contains(['=', '\0']);
        check(names.into_iter().all(fine), "inherit", "names of variables have no = and are not empty")?;
        check(self.max_log >= Size::bytes(4096), "max_log", "at least 4k")?;
        Ok(())
    }

    /// The folder for everything, as configured or usual.
    pub(super) fn state_dir(&self, var: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
        if let Some(folder) = &self.state_dir {
            return Some(folder.clone());
        }
        if geteuid().is_root() {
            return Some(PathBuf::from("/var/lib/agcluster/process"));
        }
        let state = var("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let state = state.or_else(|| var("HOME").map(|home| Path::new(&home).join(".local/state")))?;
        Some(state.join("agcluster/process"))
    }

    /// The user that the agent runs as; `None` is the same one as this process.
    pub(super) fn agent_user(&self) -> Option<AgentUser> {
        geteuid().is_root().then(|| self.agent_user.unwrap_or(AgentUser { uid: 1000, gid: 1000 }))
    }
}

#[cfg(test)]
mod tests {
    use agcluster_core::provider::ErrorKind;
    use serde_json::json;

    use super::*;

    fn refused(config: serde_json::Value) -> String {
        let error = agcluster_core::provider::read_config::<ProcessConfig>(PLATFORM, config)
            .and_then(|config| config.validate())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.message().to_owned()
    }

    #[test]
    fn the_defaults_are_valid() {
        assert!(ProcessConfig::default().validate().is_ok());
    }

    #[test]
    fn what_cannot_work_is_refused_by_field() {
        assert!(refused(json!({"state_dir": "relative"})).starts_with("state_dir: "));
        assert!(refused(json!({"state_dir": format!("/{}", "d".repeat(80))})).starts_with("state_dir: "));
        assert!(refused(json!({"inherit": ["A=B"]})).starts_with("inherit: "));
        assert!(refused(json!({"max_log": "1k"})).starts_with("max_log: "));
        assert!(refused(json!({"agent_user": {"uid": "me"}})).starts_with("agent_user"));
        assert!(refused(json!({"stat_dir": "/x"})).starts_with("stat_dir: "));
    }

    #[test]
    fn the_state_folder_follows_the_configuration() {
        let config = ProcessConfig { state_dir: Some("/s".into()), ..ProcessConfig::default() };
        assert_eq!(config.state_dir(|_| None), Some(PathBuf::from("/s")));
    }
}
