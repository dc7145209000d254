//! The agent server as a command of a session: Vercel starts nothing by itself.

use std::collections::BTreeMap;

use super::api::{Api, Command, Failure, Run, Session};
use super::upload::Uploads;
use super::{AGENT_OWNER, WORKSPACE};

/// Makes the workspace where the image has none, and becomes the agent server.
const START: &str = r#"mkdir -p "$1" && { [ "$(stat -c %u "$1")" != 0 ] || chown "$2" "$1"; } && exec "$0""#;
const SHELL: &str = "/bin/sh";

/// How the agent server gets into a session, and where it is there.
#[derive(Debug)]
pub(super) struct AgentProgram {
    /// In image or snapshot.
    path: String,
    /// Uploaded, if one is configured.
    uploads: Option<Uploads>,
}

/// Why no agent server was started.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// The configured file cannot be read.
    Unreadable(std::path::PathBuf, std::io::Error),
    Failure(Failure),
}

impl From<Failure> for NotStarted {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl AgentProgram {
    pub(super) fn new(path: String, binary: Option<std::path::PathBuf>) -> Self {
        Self { path, uploads: binary.map(Uploads::new) }
    }

    /// Where it is in a session.
    fn path_in(&self, session: &Session) -> String {
        match self.uploads {
            Some(_) => format!("{}/.agcluster/agcluster-agent", session.cwd.trim_end_matches('/')),
            None => self.path.clone(),
        }
    }

    fn arguments(&self, session: &Session) -> Vec<String> {
        let program = self.path_in(session);
        ["-c", START, &program, WORKSPACE, AGENT_OWNER].map(str::to_owned).to_vec()
    }

    /// Starts it. The environment of the sandbox is its environment.
    pub(super) async fn start(&self, api: &Api, session: &Session) -> Result<(), NotStarted> {
        if let Some(uploads) = &self.uploads {
            let path = self.path_in(session);
            let packed = uploads
                .packed(&path)
                .await
                .map_err(|error| NotStarted::Unreadable(uploads.binary().to_owned(), error))?;
            api.write(&session.id, packed).await?;
        }
        let args = self.arguments(session);
        // As root, so that it can run the agent as somebody else.
        let run = Run { command: SHELL, args: &args, env: BTreeMap::new(), sudo: true, timeout: None };
        api.start(&session.id, &run).await?;
        Ok(())
    }

    /// Starts it unless it runs. Where two callers do this at once, the second agent server finds its port taken, and ends.
    pub(super) async fn ensure(&self, api: &Api, session: &Session) -> Result<(), NotStarted> {
        match self.find(api, session).await? {
            Some(command) if command.exit_code.is_none() => Ok(()),
            _ => self.start(api, session).await,
        }
    }

    /// Its command in a session: the one that runs, or else the last one.
    pub(super) async fn find(&self, api: &Api, session: &Session) -> Result<Option<Command>, Failure> {
        let args = self.arguments(session);
        let own = |command: &Command| command.name == SHELL && command.args == args;
        let commands = api.commands(&session.id).await?.into_iter().filter(own);
        Ok(commands.max_by(|a, b| {
            let order = |command: &Command| (command.exit_code.is_none(), command.started_at.0);
            let (a, b) = (order(a), order(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        }))
    }
}
