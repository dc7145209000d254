//! Git repositories beneath the workspace.
//!
//! All paths are relative to the workspace, `.` being the workspace itself; what a client sends may also begin with
//! `/workspace/`. Names that are no UTF-8 are shown with replacement characters.

mod diff;
mod remote;
mod url;

use serde::{Deserialize, Serialize};

pub use diff::{Diff, DiffQuery, FileDiff, FileStatus, Hunk, Line, LineKind};
pub use remote::{CloneRequest, Cloned, Credentials, Fetched, Progress, Pushed, Remote, SyncRequest};
pub use url::{InvalidUrl, RepositoryUrl};

/// The routes, beneath [`PREFIX`](super::PREFIX).
pub mod routes {
    /// `GET`: [`Repositories`](super::Repositories).
    pub const REPOSITORIES: &str = "/git/repositories";
    /// `GET` of a [`RepositoryQuery`](super::RepositoryQuery): [`Status`](super::Status).
    pub const STATUS: &str = "/git/status";
    /// `GET` of a [`DiffQuery`](super::DiffQuery): [`Diff`](super::Diff).
    pub const DIFF: &str = "/git/diff";
    /// `GET` of a [`LogQuery`](super::LogQuery): [`Log`](super::Log).
    pub const LOG: &str = "/git/log";
    /// `GET` of a [`RepositoryQuery`](super::RepositoryQuery): [`Branches`](super::Branches).
    pub const BRANCHES: &str = "/git/branches";
    /// `POST` of a [`BranchRequest`](super::BranchRequest): [`Branches`](super::Branches).
    pub const BRANCH: &str = "/git/branch";
    /// `POST` of a [`CommitRequest`](super::CommitRequest): [`Committed`](super::Committed).
    pub const COMMIT: &str = "/git/commit";
    /// `POST` of a [`RemoteQuery`](super::RemoteQuery): [`Remote`](super::Remote).
    pub const REMOTE: &str = "/git/remote";
    /// `POST` of a [`CloneRequest`](super::CloneRequest): [`Progress`](super::Progress) of [`Cloned`](super::Cloned).
    pub const CLONE: &str = "/git/clone";
    /// `POST` of a [`SyncRequest`](super::SyncRequest): [`Progress`](super::Progress) of [`Fetched`](super::Fetched).
    pub const FETCH: &str = "/git/fetch";
    /// The same, and the present branch follows when nothing of its own is in the way.
    pub const PULL: &str = "/git/pull";
    /// `POST` of a [`SyncRequest`](super::SyncRequest): [`Progress`](super::Progress) of [`Pushed`](super::Pushed).
    pub const PUSH: &str = "/git/push";
}

/// What is beneath the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Repositories {
    /// In the order of their paths.
    pub repositories: Vec<Repository>,
    /// How many are listed.
    pub count: usize,
    /// Whether there may be more: the walk was ended at its limit.
    pub truncated: bool,
}

/// A repository with a working tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// The name of its folder.
    pub name: String,
    /// Its folder as the agent sees it: `/workspace/…`.
    pub path: String,
    /// Its folder below the workspace.
    pub relative_path: String,
    /// Whether it is a further working tree of another repository.
    pub is_worktree: bool,
    /// Whether it is a submodule of another repository.
    pub is_submodule: bool,
    /// The folder of the repository that a working tree belongs to; its own otherwise.
    pub root: String,
    /// The branch; none when a commit is checked out.
    pub branch: Option<String>,
}

/// Which repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryQuery {
    /// Its folder, or one in it.
    #[serde(default = "here")]
    pub path: String,
}

/// Which remote of which repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteQuery {
    /// The repository's folder.
    pub path: String,
    /// The remote's name.
    pub remote: String,
    /// Whether what it is pushed to is asked for.
    #[serde(default)]
    pub push: bool,
}

/// The workspace itself.
pub(crate) fn here() -> String {
    ".".to_owned()
}

/// What differs between the last commit, the index and the working tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitStatus"))]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The repository's folder as the agent sees it.
    pub repo_path: String,
    /// The repository's folder below the workspace.
    pub relative_path: String,
    /// The branch; none when a commit is checked out.
    pub branch: Option<String>,
    /// The last commit; none in a new repository.
    pub commit: Option<String>,
    /// The branch that this one follows.
    pub upstream: Option<String>,
    /// Commits that the upstream does not have.
    pub ahead: Option<u64>,
    /// Commits that only the upstream has.
    pub behind: Option<u64>,
    /// Whether nothing differs.
    pub clean: bool,
    /// What differs.
    pub files: Vec<StatusEntry>,
    /// Whether there are more than are listed.
    pub truncated: bool,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatusEntry {
    /// Its path in the repository.
    pub path: String,
    /// Where it was, for what was renamed or copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_path: Option<String>,
    /// The index against the last commit.
    pub index: Change,
    /// The working tree against the index.
    pub worktree: Change,
}

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitChange"))]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It does not.
    Unmodified,
    /// Other content or mode.
    Modified,
    /// It is another kind of thing: a link where a file was.
    Typechange,
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// It was elsewhere.
    Renamed,
    /// It is like another.
    Copied,
    /// A merge has left it to be resolved.
    Unmerged,
    /// Git does not follow it.
    Untracked,
}

/// Which commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// The repository's folder.
    #[serde(default = "here")]
    pub path: String,
    /// Where to begin: a branch, a tag, a commit; the present commit when absent.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Only commits that touch this path in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The most commits, 1 to 200; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// What the page before gave as `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A page of commits, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitLog"))]
pub struct Log {
    /// The commits.
    pub commits: Vec<Commit>,
    /// What to send as `after` for the next page; none when this is the last.
    pub next: Option<String>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitCommit"))]
pub struct Commit {
    /// Its name.
    pub hash: String,
    /// The names of those before it.
    pub parents: Vec<String>,
    /// Who wrote it, and when.
    pub author: Signature,
    /// Who made the commit, and when.
    pub committer: Signature,
    /// The first line of its message.
    pub subject: String,
    /// The rest of its message.
    pub body: String,
    /// Branches and tags that point at it.
    pub refs: Vec<String>,
}

/// Who, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitSignature"))]
pub struct Signature {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// ISO 8601 with the author's time zone.
    pub date: String,
}

/// The branches of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Branches {
    /// The present one; none when a commit is checked out.
    pub current: Option<String>,
    /// Local ones, then those of remotes.
    pub branches: Vec<Branch>,
    /// Whether there are more than are listed.
    pub truncated: bool,
}

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitBranch"))]
pub struct Branch {
    /// Its short name, `main` or `origin/main`.
    pub name: String,
    /// Whether it is what is known of a remote's branch.
    pub remote: bool,
    /// Its last commit.
    pub commit: String,
    /// The first line of that commit's message.
    pub subject: String,
    /// When that was made, in ISO 8601.
    pub date: String,
    /// The branch that it follows.
    pub upstream: Option<String>,
}

/// A change to the branches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BranchRequest {
    /// The repository's folder.
    #[serde(default = "here")]
    pub path: String,
    /// What is to be done.
    #[serde(flatten)]
    pub action: BranchAction,
}

/// What can be done to a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum BranchAction {
    /// Make one.
    Create {
        /// Its name.
        name: String,
        /// Where it begins; the present commit when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start: Option<String>,
        /// Whether to switch to it as well.
        #[serde(default)]
        switch: bool,
    },
    /// Make another one the present one. Changes that are not committed go along, or it is refused.
    Switch {
        /// Its name; that of a remote's branch makes a local one that follows it.
        name: String,
    },
    /// Remove one.
    Delete {
        /// Its name.
        name: String,
        /// Also when it has commits that no other branch has.
        #[serde(default)]
        force: bool,
    },
}

/// A commit to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommitRequest {
    /// The repository's folder.
    #[serde(default = "here")]
    pub path: String,
    /// The message.
    pub message: String,
    /// Who wrote it; what the repository's configuration says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// Whether everything that differs goes in, also what is new.
    #[serde(default)]
    pub all: bool,
    /// Or only these paths in the repository. With neither, what is in the index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitPerson"))]
pub struct Person {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Committed {
    /// Its name.
    pub commit: String,
    /// The branch it is on; none when a commit was checked out.
    pub branch: Option<String>,
}
