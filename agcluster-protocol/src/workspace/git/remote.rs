//! Repositories elsewhere.
//!
//! The agent server keeps the credentials to itself: it opens a port on the loopback interface that is good for one
//! repository and one command, and tells the workspace only where that is.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// What opens a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitCredentials"))]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user; most hosts take any with a token, so it may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A token, or the user's password.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token: Secret,
}

/// A repository to clone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CloneRequest {
    /// Where it is: an `https://` URL without credentials.
    pub url: String,
    /// The branch or tag to check out; the repository's own choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The folder it comes into, which must not exist or be empty; named like the repository when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only so many commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Whether a clone of the same URL that is there already will do.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub adopt: bool,
    /// What opens it. The workspace itself never gets these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// Whether `http://` will do.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub plain_http: bool,
    /// What stands for the URL during this command. Set by the agent server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub through: Option<String>,
}

/// A repository to bring together with a remote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyncRequest {
    /// The repository's folder.
    #[serde(default = "super::here")]
    pub path: String,
    /// The remote's name; `origin` when absent.
    #[serde(default = "origin")]
    pub remote: String,
    /// For a push, the local branch; the present one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// For a push: also when the remote's branch has other commits, as long as they are known here.
    #[serde(default)]
    pub force: bool,
    /// Where the remote must be; needed with credentials, which are for that repository alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What opens it. The workspace itself never gets these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// Whether `http://` will do.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub plain_http: bool,
    /// What stands for the remote's URL during this command. Set by the agent server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub through: Option<String>,
}

fn origin() -> String {
    "origin".to_owned()
}

/// Where a remote is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Its URL, as the repository's configuration says.
    pub url: String,
}

/// What is told of a command that takes time, one a line; the last is `Done` or `Refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress<T> {
    /// It is under way. Told again and again, so that no connection seems dead.
    Working,
    /// It has been done.
    Done(T),
    /// It was refused, or did not work.
    Refused(crate::Problem),
}

/// A repository that was cloned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Cloned {
    /// Its folder as the agent sees it.
    pub repo_path: String,
    /// Its folder below the workspace.
    pub relative_path: String,
    /// The branch that is checked out; none for a tag.
    pub branch: Option<String>,
    /// The commit that is checked out; none when the repository is empty.
    pub commit: Option<String>,
}

/// What came of a fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fetched {
    /// The present branch.
    pub branch: Option<String>,
    /// The present commit.
    pub commit: Option<String>,
    /// The branch that the present one follows.
    pub upstream: Option<String>,
    /// Commits that the upstream does not have.
    pub ahead: Option<u64>,
    /// Commits that only the upstream has.
    pub behind: Option<u64>,
}

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Pushed {
    /// The branch.
    pub branch: String,
    /// The commit that the remote's branch is at now.
    pub commit: String,
    /// Whether it was there before.
    pub up_to_date: bool,
}
