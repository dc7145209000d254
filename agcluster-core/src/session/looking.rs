//! What a session's container uses, has and says. Looking is not activity.

use std::collections::BTreeMap;

use agcluster_protocol::resources::ResourceUse;
use futures::stream::BoxStream;

use super::{Result, Session};
use crate::provider::{self, ContainerId, LogLine, LogOptions};

impl Session {
    /// The platform's name of its container, while it has one.
    pub fn container(&self) -> Option<ContainerId> {
        self.state.borrow().container.clone()
    }

    /// What its container uses now. What a platform does not let one measure is absent.
    ///
    /// # Errors
    /// [`SessionError::NotRunning`](super::SessionError::NotRunning), or [`SessionError::Agent`](super::SessionError::Agent) when the
    /// agent server does not answer.
    pub async fn resources(&self) -> Result<ResourceUse> {
        Ok(self.client().await?.resources().await?)
    }

    /// Whether its agent program has variables of these names in its environment. Names are of letters, digits and underscores. A
    /// container that says nothing of one does not have it.
    ///
    /// # Errors
    /// As [`resources`](Self::resources).
    pub async fn variables(&self, names: &[&str]) -> Result<BTreeMap<String, bool>> {
        let present = self.client().await?.environment(names).await?.present;
        let known = |name: &&str| present.get(*name).copied().unwrap_or_default();
        Ok(names.iter().map(|name| ((*name).to_owned(), known(name))).collect())
    }

    /// What its container wrote to its standard streams, oldest first.
    ///
    /// # Errors
    /// [`SessionError::Provider`](super::SessionError::Provider) with [`Unsupported`](provider::ErrorKind::Unsupported) where the
    /// platform keeps no logs, or does not go on with them; [`SessionError::NotRunning`](super::SessionError::NotRunning) without a
    /// container.
    pub async fn logs(&self, options: LogOptions) -> Result<BoxStream<'static, provider::Result<LogLine>>> {
        let container = {
            let state = self.state.borrow();
            state.container.clone().ok_or_else(|| state.not_running())?
        };
        let provider = self.provider()?;
        match provider.info().capabilities.logs {
            Some(logs) if logs.follow || !options.follow => Ok(provider.logs(&container, options).await?),
            Some(_) => Err(provider.unsupported("logs that go on").into()),
            None => Err(provider.unsupported("logs").into()),
        }
    }
}
