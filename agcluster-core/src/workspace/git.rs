//! Git repositories in a session's container.

use agcluster_protocol::workspace::PREFIX;
mod remote;

use agcluster_protocol::workspace::git::{
    BranchRequest, Branches, CloneRequest, Cloned, CommitRequest, Committed, Diff, DiffQuery, Fetched, Log,
    LogQuery, Pushed, Repositories, RepositoryQuery, Status, SyncRequest, routes,
};
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use remote::clone;

use super::Workspace;
use super::query::query_string;
use crate::agent::Exchange;
use crate::session::Result;

/// The longest a command may take that touches the container's disk alone.
const LOCAL: std::time::Duration = std::time::Duration::from_secs(75);

/// The git repositories of a workspace. Every method fails with the container's refusal, whose code is one of
/// [`REFUSALS`](agcluster_protocol::workspace::REFUSALS), and is broken off by dropping its future.
#[derive(Debug, Clone, Copy)]
pub struct Git<'a> {
    workspace: &'a Workspace,
}

impl<'a> Git<'a> {
    pub(super) fn of(workspace: &'a Workspace) -> Self {
        Self { workspace }
    }

    /// What repositories there are.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn repositories(&self) -> Result<Repositories> {
        self.ask("git repositories", routes::REPOSITORIES, &Value::Null).await
    }

    /// What differs between the last commit, the index and the working tree of a repository.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn status(&self, query: &RepositoryQuery) -> Result<Status> {
        self.ask("git status", routes::STATUS, query).await
    }

    /// Compares two commits, or one with the index or the working tree.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn diff(&self, query: &DiffQuery) -> Result<Diff> {
        self.ask("git diff", routes::DIFF, query).await
    }

    /// A page of commits.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn log(&self, query: &LogQuery) -> Result<Log> {
        self.ask("git log", routes::LOG, query).await
    }

    /// All branches.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn branches(&self, query: &RepositoryQuery) -> Result<Branches> {
        self.ask("git branches", routes::BRANCHES, query).await
    }

    /// Makes, switches to, or removes a branch; gives all there are then.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn branch(&self, request: &BranchRequest) -> Result<Branches> {
        self.tell("git branch", routes::BRANCH, request).await
    }

    /// Makes a commit.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn commit(&self, request: &CommitRequest) -> Result<Committed> {
        self.tell("git commit", routes::COMMIT, request).await
    }

    /// Clones a repository into a folder that does not exist, or is empty. The credentials stay with the agent server.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn clone_repository(&self, request: &CloneRequest) -> Result<Cloned> {
        self.reach("git clone", routes::CLONE, request).await
    }

    /// Brings what a remote has.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn fetch(&self, request: &SyncRequest) -> Result<Fetched> {
        self.reach("git fetch", routes::FETCH, request).await
    }

    /// Brings what a remote has, and moves the present branch to it when nothing of its own is in the way.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn pull(&self, request: &SyncRequest) -> Result<Fetched> {
        self.reach("git pull", routes::PULL, request).await
    }

    /// Pushes a branch.
    ///
    /// # Errors
    /// See [`Git`].
    pub async fn push(&self, request: &SyncRequest) -> Result<Pushed> {
        self.reach("git push", routes::PUSH, request).await
    }

    async fn reach<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        route: &str,
        request: &impl Serialize,
    ) -> Result<T> {
        let client = self.workspace.session().agent_client().await?;
        Ok(remote::carry_out(&client, operation, route, request).await?)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        route: &str,
        query: &impl Serialize,
    ) -> Result<T> {
        let path = format!("{PREFIX}{route}{}", query_string(query)?);
        self.workspace.call(Exchange::new(operation, Method::GET, path).limit(LOCAL)).await
    }

    async fn tell<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        route: &str,
        request: &impl Serialize,
    ) -> Result<T> {
        let exchange = Exchange::new(operation, Method::POST, format!("{PREFIX}{route}")).json(request)?;
        self.workspace.call(exchange.limit(LOCAL)).await
    }
}
