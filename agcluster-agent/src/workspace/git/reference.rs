//! Names of branches, tags and commits.

use agcluster_protocol::workspace as codes;

use super::program::Git;
use super::repository::Repo;
use crate::http::Refusal;

/// The longest name that is taken.
const LONGEST: usize = 1024;

/// The commit that a name means.
pub(super) async fn commit(git: &Git, repo: &Repo, name: &str) -> Result<String, Refusal> {
    found(git, repo, name).await?.ok_or_else(|| unknown(name))
}

/// The commit that a name means; none when there is none of that name.
pub(super) async fn found(git: &Git, repo: &Repo, name: &str) -> Result<Option<String>, Refusal> {
    if name.is_empty() || name.len() > LONGEST || name.contains(['\0', '\n']) {
        return Err(invalid(name));
    }
    let output = repo
        .look(git)
        .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
        .arg(format!("{name}^{{commit}}"))
        .output()
        .await?;
    let hash = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((output.success && !hash.is_empty()).then_some(hash))
}

/// The present commit; none in a new repository.
pub(super) async fn present(git: &Git, repo: &Repo) -> Result<Option<String>, Refusal> {
    found(git, repo, "HEAD").await
}

/// The present branch; none when a commit is checked out.
pub(super) async fn branch(git: &Git, repo: &Repo) -> Result<Option<String>, Refusal> {
    let output = repo.look(git).args(["symbolic-ref", "--quiet", "--short", "HEAD"]).output().await?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((output.success && !name.is_empty()).then_some(name))
}

/// Refuses what cannot be the name of a branch.
pub(super) async fn check_branch_name(git: &Git, repo: &Repo, name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > LONGEST || name.starts_with('-') || name.contains('\0') {
        return Err(invalid(name));
    }
    let checked =
        repo.look(git).args(["check-ref-format"]).arg(format!("refs/heads/{name}")).output().await?;
    if checked.success && name != "HEAD" { Ok(()) } else { Err(invalid(name)) }
}

pub(super) fn unknown(name: &str) -> Refusal {
    Refusal::new(
        codes::GIT_REF_NOT_FOUND,
        format!("there is no branch, tag or commit {name:?} in this repository: see its branches and log"),
    )
}

fn invalid(name: &str) -> Refusal {
    let name: String = name.chars().take(60).collect();
    Refusal::new(
        codes::GIT_REF_INVALID,
        format!(
            "{name:?} cannot be the name of a branch, tag or commit: use letters, digits, \"-\", \"_\", \".\" and \"/\""
        ),
    )
}
