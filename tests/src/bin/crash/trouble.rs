//! What befalls the system in a round, besides the end of its server.

use std::time::Duration;

use agcluster_core::provider::ContainerId;
use agcluster_tests::postgres::Postgres;
use agcluster_tests::system::{Installation, Provider};
use agcluster_tests::trouble::{self, CutOff, Locked};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rustix::process::Signal;

use super::options::Agent;

/// What may befall it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Trouble {
    /// A container is killed
    Container,
    /// The agent program is killed, or ends itself where it is the agent server's own
    Program,
    /// An agent server stands still (SIGSTOP)
    Standstill,
    /// A container is cut from its network (Docker)
    Network,
    /// The disk of the database is full (SQLite)
    Disk,
    /// Somebody else locks the database (SQLite)
    Lock,
    /// PostgreSQL is restarted
    Postgres,
}

impl Trouble {
    /// Whether it befalls one session.
    pub(crate) fn has_victim(self) -> bool {
        matches!(self, Self::Container | Self::Program | Self::Standstill | Self::Network)
    }

    /// Whether it may end a turn.
    pub(crate) fn cuts(self) -> bool {
        matches!(self, Self::Container | Self::Program)
    }

    /// Whether a server can be started while it lasts, and finds what the one before had.
    pub(crate) fn allows_a_start(self) -> bool {
        self.has_victim()
    }

    /// Its name.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What goes on until it is [ended](Self::end).
pub(crate) enum Lasting {
    Nothing,
    Still(ContainerId),
    CutOff(CutOff),
    Full(std::path::PathBuf),
    Locked(Locked),
    Down,
}

/// Lets it befall a session, or the database.
///
/// # Errors
/// When it cannot be done.
pub(crate) async fn begin(
    trouble: Trouble,
    installation: &Installation,
    victim: Option<&str>,
    agent: Agent,
    postgres: Option<&mut Postgres>,
) -> Result<Lasting> {
    let victim = match victim {
        Some(session) => Some(trouble::container(installation, session).await?),
        None => None,
    };
    Ok(match (trouble, victim) {
        (Trouble::Container, Some(container)) => {
            trouble::signal(installation, &container, Signal::KILL).await?;
            Lasting::Nothing
        }
        (Trouble::Program, Some(container)) => {
            if agent == Agent::Claude {
                // It may be on its way up just now: then nothing befalls it.
                trouble::kill_claude(installation, &container).await?;
            }
            Lasting::Nothing
        }
        (Trouble::Standstill, Some(container)) => {
            trouble::signal(installation, &container, Signal::STOP).await?;
            Lasting::Still(container)
        }
        (Trouble::Network, Some(container)) if installation.provider() == Provider::Docker => {
            Lasting::CutOff(CutOff::from_network(&container).await?)
        }
        (Trouble::Disk, _) => Lasting::Full(trouble::fill_disk(installation)?),
        (Trouble::Lock, _) => Lasting::Locked(Locked::database(installation).await?),
        (Trouble::Postgres, _) => {
            postgres.context("there is no PostgreSQL")?.stop().await?;
            Lasting::Down
        }
        (trouble, _) => bail!("{} cannot befall it here", trouble.name()),
    })
}

impl Lasting {
    /// How long it may last, where `still` is the longest for what stands still.
    pub(crate) fn longest(&self, still: Duration) -> Duration {
        match self {
            Self::Nothing => Duration::ZERO,
            Self::Still(_) | Self::CutOff(_) => still,
            Self::Full(_) | Self::Locked(_) | Self::Down => still.min(Duration::from_secs(3)),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub(crate) async fn end(
        self,
        installation: &Installation,
        postgres: Option<&mut Postgres>,
    ) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Still(container) => trouble::signal(installation, &container, Signal::CONT).await,
            Self::CutOff(cut) => cut.mend().await,
            Self::Full(filler) => Ok(std::fs::remove_file(filler)?),
            Self::Locked(locked) => locked.unlock().await,
            Self::Down => postgres.context("there is no PostgreSQL")?.run().await,
        }
    }
}
