//! Branches.

use agcluster_protocol::workspace as codes;
use agcluster_protocol::workspace::git::{Branch, BranchAction, Branches};

use super::program::{Git, failed};
use super::reference;
use super::repository::Repo;
use crate::http::Refusal;

/// The most branches that are listed.
const MOST: usize = 1_000;
/// The fields of a branch, each ended by a zero byte.
const FORMAT: &str = "--format=%(refname)%00%(objectname)%00%(upstream:short)%00%(committerdate:iso-strict)%00%(symref)%00%(contents:subject)%00";
const FIELDS: usize = 6;

/// All branches.
pub(super) async fn list(git: &Git, repo: &Repo) -> Result<Branches, Refusal> {
    let run = repo.look(git).args(["for-each-ref", FORMAT, &format!("--count={}", MOST + 1)]);
    let output = run.args(["refs/heads", "refs/remotes"]).output().await?;
    if !output.success && !output.cut {
        return Err(output.refusal());
    }
    let mut branches = read(&output.stdout);
    let truncated = output.cut || branches.len() > MOST;
    branches.truncate(MOST);
    Ok(Branches { current: reference::branch(git, repo).await?, branches, truncated })
}

fn read(answer: &[u8]) -> Vec<Branch> {
    let mut fields = answer.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let mut branches = Vec::new();
    loop {
        let branch: Vec<String> = fields.by_ref().take(FIELDS).map(|field| field.into_owned()).collect();
        let Ok([name, commit, upstream, date, symbolic, subject]) = <[String; FIELDS]>::try_from(branch)
        else {
            return branches;
        };
        let name = name.trim_start_matches('\n');
        let (name, remote) = match (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/remotes/")) {
            (Some(name), _) => (name, false),
            (None, Some(name)) => (name, true),
            (None, None) => continue,
        };
        // What stands for a remote's own choice is no branch.
        if symbolic.is_empty() || !remote {
            let upstream = (!upstream.is_empty()).then_some(upstream);
            branches.push(Branch { name: name.to_owned(), remote, commit, subject, date, upstream });
        }
    }
}

/// Makes, switches to, or removes a branch.
pub(super) async fn change(git: &Git, repo: &Repo, action: BranchAction) -> Result<(), Refusal> {
    match action {
        BranchAction::Create { name, start, switch } => {
            create(git, repo, &name, start.as_deref(), switch).await
        }
        BranchAction::Switch { name } => switch_to(git, repo, &name).await,
        BranchAction::Delete { name, force } => delete(git, repo, &name, force).await,
    }
}

async fn create(
    git: &Git,
    repo: &Repo,
    name: &str,
    start: Option<&str>,
    switch: bool,
) -> Result<(), Refusal> {
    reference::check_branch_name(git, repo, name).await?;
    if reference::found(git, repo, &format!("refs/heads/{name}")).await?.is_some() {
        return Err(Refusal::new(
            codes::GIT_BRANCH_EXISTS,
            format!("there is a branch {name:?}: switch to it, or choose another name"),
        ));
    }
    let start = match start {
        Some(start) => Some(reference::commit(git, repo, start).await?),
        None => None,
    };
    let mut run = repo.act(git);
    run = if switch {
        run.args(["switch", "--no-track", "--create"])
    } else {
        run.args(["branch", "--no-track"])
    };
    changed(run.arg(name).args(start)).await
}

async fn switch_to(git: &Git, repo: &Repo, name: &str) -> Result<(), Refusal> {
    reference::check_branch_name(git, repo, name).await?;
    let local = reference::found(git, repo, &format!("refs/heads/{name}")).await?;
    if local.is_some() {
        return changed(repo.act(git).args(["switch", "--no-guess"]).arg(name)).await;
    }
    let remote = reference::found(git, repo, &format!("refs/remotes/{name}")).await?;
    match (remote, name.split_once('/')) {
        (Some(_), Some((_, short))) => {
            changed(repo.act(git).args(["switch", "--track", "--create", short]).arg(name)).await
        }
        _ => Err(reference::unknown(name)),
    }
}

async fn delete(git: &Git, repo: &Repo, name: &str, force: bool) -> Result<(), Refusal> {
    reference::check_branch_name(git, repo, name).await?;
    if reference::found(git, repo, &format!("refs/heads/{name}")).await?.is_none() {
        return Err(reference::unknown(name));
    }
    let how = if force { "-D" } else { "-d" };
    let output = repo.act(git).args(["branch", how, "--"]).arg(name).output().await?;
    if output.success {
        return Ok(());
    }
    Err(if output.stderr.contains("not fully merged") {
        let detail = format!("{name:?} has commits that no other branch has: delete it with \"force\": true");
        Refusal::new(codes::GIT_CONFLICT, detail)
    } else if output.stderr.contains("checked out at") || output.stderr.contains("used by worktree") {
        Refusal::new(codes::GIT_CONFLICT, format!("{name:?} is checked out: switch to another branch first"))
    } else {
        output.refusal()
    })
}

async fn changed(run: super::program::Run<'_>) -> Result<(), Refusal> {
    let output = run.output().await?;
    if output.success {
        return Ok(());
    }
    Err(if output.stderr.contains("would be overwritten") {
        Refusal::new(
            codes::GIT_CONFLICT,
            "changes in the working tree would be overwritten: commit them first, or undo them",
        )
    } else {
        failed(&output.stderr)
    })
}
