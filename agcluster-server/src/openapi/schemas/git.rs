//! What git is asked and answers.

use agcluster_core::protocol::workspace::git;

use super::named;

named! {
    /// The repositories in a workspace.
    RepositoriesSchema = git::Repositories;
    /// What differs in a repository.
    StatusSchema = git::Status;
    /// A difference.
    DiffSchema = git::Diff;
    /// A page of commits.
    LogSchema = git::Log;
    /// The branches of a repository.
    BranchesSchema = git::Branches;
    /// A change to the branches.
    BranchRequestSchema = git::BranchRequest;
    /// A commit to make.
    CommitRequestSchema = git::CommitRequest;
    /// A commit that was made.
    CommittedSchema = git::Committed;
    /// A repository to clone.
    CloneRequestSchema = git::CloneRequest;
    /// A repository that was cloned.
    ClonedSchema = git::Cloned;
    /// A repository to bring together with a remote.
    SyncRequestSchema = git::SyncRequest;
    /// What came of a fetch or a pull.
    FetchedSchema = git::Fetched;
    /// What came of a push.
    PushedSchema = git::Pushed;
}
