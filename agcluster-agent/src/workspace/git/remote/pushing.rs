//! Pushing a branch.

use agcluster_protocol::workspace as codes;
use agcluster_protocol::workspace::git::{Pushed, SyncRequest};

use super::super::program::Git;
use super::super::reference;
use super::super::repository::Repo;
use super::{Way, check_name};
use crate::http::Refusal;

/// Pushes one branch to the branch of the same name, which it follows from then on.
pub(in super::super) async fn push(git: &Git, repo: &Repo, request: &SyncRequest) -> Result<Pushed, Refusal> {
    check_name(&request.remote)?;
    let way = Way::of(request.url.as_deref(), request.through.as_deref())?;
    let branch = match &request.branch {
        Some(branch) => branch.clone(),
        None => reference::branch(git, repo).await?.ok_or_else(|| {
            Refusal::new(codes::GIT_REF_INVALID, "no branch is checked out: name the one to push as branch")
        })?,
    };
    reference::check_branch_name(git, repo, &branch).await?;
    let full = format!("refs/heads/{branch}");
    let commit = reference::found(git, repo, &full).await?.ok_or_else(|| reference::unknown(&branch))?;
    let mut run = way.along(repo.act(git)).args([
        "push",
        "--porcelain",
        "--no-verify",
        "--no-signed",
        "--no-follow-tags",
        "--recurse-submodules=no",
        "--set-upstream",
    ]);
    if request.force {
        run = run.arg("--force-with-lease");
    }
    let output = run.arg("--").arg(&request.remote).arg(format!("{full}:{full}")).output().await?;
    match flag(&output.stdout) {
        Some((b'!', reason)) => Err(rejected(&branch, &reason)),
        Some((flag, _)) if output.success => Ok(Pushed { branch, commit, up_to_date: flag == b'=' }),
        _ => Err(way.refusal(&output)),
    }
}

/// What became of the branch: a letter, and in what is behind it the reason in parentheses.
fn flag(answer: &[u8]) -> Option<(u8, String)> {
    answer.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b'\t');
        let (flag, _, summary) = (fields.next()?, fields.next()?, fields.next()?);
        Some((*flag.first()?, String::from_utf8_lossy(summary).into_owned()))
    })
}

fn rejected(branch: &str, summary: &str) -> Refusal {
    let says = |text: &str| summary.contains(text);
    if says("non-fast-forward") || says("fetch first") || says("stale info") {
        return Refusal::new(
            codes::GIT_REJECTED,
            format!("the remote's {branch:?} has commits that are not in this one: pull, then push again"),
        );
    }
    let reason: String = summary.chars().filter(|char| !char.is_control()).take(200).collect();
    Refusal::new(codes::GIT_REJECTED, format!("the remote did not take {branch:?}: {reason}"))
}
