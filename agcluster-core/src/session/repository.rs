//! The repository that is in a session's workspace before its agent is.

use agcluster_protocol::Phase;
use agcluster_protocol::workspace::git::{CloneRequest, InvalidUrl, RepositoryUrl};
use agcluster_protocol::workspace::{GIT_AUTH_FAILED, GIT_REPO_NOT_FOUND};
use serde::{Deserialize, Serialize};

use super::session_handle::Along;
use super::{Result, Session, SessionError};
use crate::agent::AgentClient;
use crate::journal::Patience;
use crate::workspace::git;

/// A repository that a session begins with. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Where it is.
    pub url: String,
    /// The branch or tag; the repository's own choice when absent.
    pub branch: Option<String>,
    /// Its folder below the workspace; named like the repository when absent.
    pub path: Option<String>,
    /// Whether `http://` will do.
    pub plain_http: bool,
    /// Whether it takes credentials, which are kept nowhere.
    pub private: bool,
}

impl Repository {
    /// A repository that takes no credentials.
    ///
    /// # Errors
    /// When the URL is none that can be used.
    pub fn new(url: &str, plain_http: bool) -> Result<Self, InvalidUrl> {
        let url = RepositoryUrl::parse(url, plain_http)?.as_str().to_owned();
        Ok(Self { url, branch: None, path: None, plain_http, private: false })
    }
}

/// What is missing to clone the repository, in words.
pub(super) const MISSING: &str = "the credentials of its repository (git_credentials)";

/// Clones the session's repository, unless that has been done. May be repeated.
pub(super) async fn clone(session: &Session, client: &AgentClient, phase: Phase) -> Result<()> {
    let Some(repository) = &session.repository else { return Ok(()) };
    // An agent that was started found it there.
    if phase == Phase::Ready || session.state.borrow().cloned {
        return Ok(());
    }
    let credentials = session.credentials.borrow().git.clone();
    let is_missing = repository.private && credentials.is_none();
    let request = CloneRequest {
        url: repository.url.clone(),
        branch: repository.branch.clone(),
        path: repository.path.clone(),
        depth: None,
        adopt: true,
        credentials,
        plain_http: repository.plain_http,
        through: None,
    };
    if let Err(error) = git::clone(client, &request).await {
        let is_closed = error.is_refusal(GIT_AUTH_FAILED) || error.is_refusal(GIT_REPO_NOT_FOUND);
        return Err(if is_missing && is_closed {
            SessionError::CredentialsRequired(MISSING.to_owned())
        } else {
            error.into()
        });
    }
    session
        .change(Patience::Endless, |state| {
            state.cloned = true;
            Ok(Along::default())
        })
        .await
}
