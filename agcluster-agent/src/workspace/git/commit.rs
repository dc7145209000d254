//! Making a commit.

use agcluster_protocol::workspace as codes;
use agcluster_protocol::workspace::git::{CommitRequest, Committed, Person};

use super::program::{Git, Run};
use super::reference;
use super::repository::Repo;
use crate::http::Refusal;

/// The longest message.
const MESSAGE: usize = 64 << 10;
/// The most paths.
const PATHS: usize = 1_000;
/// Who makes a commit in a repository that does not say who works in it.
const NOBODY: (&str, &str) = ("AgCluster agent", "agent@agcluster.invalid");

/// Commits what is asked for.
pub(super) async fn commit(git: &Git, repo: &Repo, request: CommitRequest) -> Result<Committed, Refusal> {
    check(&request)?;
    if request.all {
        staged(repo.act(git).args(["add", "--all", "--", "."])).await?;
    } else if !request.paths.is_empty() {
        staged(repo.act(git).args(["add", "--all", "--"]).args(&request.paths)).await?;
    }
    let run = identified(git, repo, request.author.as_ref()).await?;
    let run =
        run.args(["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=whitespace", "--file=-"]);
    let run = if request.all || request.paths.is_empty() {
        run
    } else {
        run.args(["--only", "--"]).args(&request.paths)
    };
    let output = run.input(request.message).output().await?;
    if !output.success {
        let said = [&*output.stdout, output.stderr.as_bytes()].concat();
        let said = String::from_utf8_lossy(&said);
        return Err(
            if said.contains("nothing to commit")
                || said.contains("no changes added")
                || said.contains("nothing added")
            {
                Refusal::new(
                    codes::GIT_NOTHING_TO_COMMIT,
                    "there is nothing to commit: change something, or send \"all\": true to commit what is not staged",
                )
            } else if said.contains("unmerged") || said.contains("during a merge") {
                Refusal::new(codes::GIT_CONFLICT, "a merge is not finished: resolve its conflicts first")
            } else {
                output.refusal()
            },
        );
    }
    let commit = reference::present(git, repo).await?.ok_or_else(|| output.refusal())?;
    Ok(Committed { commit, branch: reference::branch(git, repo).await? })
}

fn check(request: &CommitRequest) -> Result<(), Refusal> {
    let invalid = |detail: &str| Err(Refusal::new(codes::INVALID_REQUEST, detail));
    if request.message.trim().is_empty() {
        return invalid("message is empty: say what the commit does");
    }
    if request.message.len() > MESSAGE || request.message.contains('\0') {
        return invalid("message is too long, or has zero bytes in it");
    }
    if request.all && !request.paths.is_empty() {
        return invalid("send either \"all\": true or paths, not both");
    }
    if request.paths.len() > PATHS || request.paths.iter().any(|path| path.is_empty() || path.contains('\0'))
    {
        return invalid(
            "paths has too many entries, or an empty one: use \"all\": true to commit everything",
        );
    }
    let is_plain =
        |text: &str| !text.is_empty() && text.len() <= 256 && !text.contains(['<', '>', '\n', '\0']);
    match &request.author {
        Some(author) if !is_plain(&author.name) || !is_plain(&author.email) => {
            invalid("author needs a name and an email, without \"<\" and \">\"")
        }
        _ => Ok(()),
    }
}

async fn staged(run: Run<'_>) -> Result<(), Refusal> {
    let output = run.output().await?;
    if output.success {
        return Ok(());
    }
    Err(if output.stderr.contains("did not match any files") {
        Refusal::new(codes::NOT_FOUND, "one of the paths does not exist in the repository: check them")
    } else if output.stderr.contains("outside repository") || output.stderr.contains("beyond a symbolic link")
    {
        Refusal::new(codes::INVALID_PATH, "one of the paths leads out of the repository")
    } else {
        output.refusal()
    })
}

/// A command that knows who makes the commit.
async fn identified<'a>(git: &'a Git, repo: &Repo, author: Option<&Person>) -> Result<Run<'a>, Refusal> {
    let mut run = repo.act(git);
    let known = repo.look(git).args(["config", "--get", "user.email"]).output().await?.success;
    if let Some(author) = author {
        run = run.env("GIT_AUTHOR_NAME", &author.name).env("GIT_AUTHOR_EMAIL", &author.email);
    }
    if !known {
        let (name, email) = match author {
            Some(author) => (author.name.as_str(), author.email.as_str()),
            None => NOBODY,
        };
        run = run.env("GIT_COMMITTER_NAME", name).env("GIT_COMMITTER_EMAIL", email);
        if author.is_none() {
            run = run.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", email);
        }
    }
    Ok(run)
}
