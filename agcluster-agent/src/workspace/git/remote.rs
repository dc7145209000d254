//! Commands that go to a repository elsewhere: always through the port that the agent server has opened for this one command.

mod cloning;
mod pushing;

use std::time::Duration;

use agcluster_protocol::workspace as codes;
use agcluster_protocol::workspace::git::{Fetched, Remote, RemoteQuery, SyncRequest};

use super::program::{Git, Output, Run};
use super::repository::Repo;
use super::status;
use crate::http::Refusal;
pub(super) use cloning::clone;
pub(super) use pushing::push;

/// The longest such a command may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// What such ports begin with.
const LOOPBACK: &str = "http://127.0.0.1:";

/// A way to a repository elsewhere.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    /// What the repository is called.
    url: &'a str,
    /// What stands for it during this command.
    through: &'a str,
}

impl<'a> Way<'a> {
    fn of(url: Option<&'a str>, through: Option<&'a str>) -> Result<Self, Refusal> {
        match (url, through) {
            (Some(url), Some(through)) if through.starts_with(LOOPBACK) => Ok(Self { url, through }),
            _ => Err(Refusal::new(
                codes::INVALID_REQUEST,
                "a command that goes elsewhere is asked of the agent server",
            )),
        }
    }

    /// A command that can go this way, and no other.
    fn along<'g>(self, run: Run<'g>) -> Run<'g> {
        run.env("GIT_ALLOW_PROTOCOL", "http").limit(LIMIT).config([
            (format!("url.{}.insteadOf", self.through), self.url),
            ("http.proxy".to_owned(), ""),
            ("http.followRedirects".to_owned(), "false"),
            ("http.extraHeader".to_owned(), ""),
        ])
    }

    /// What git says against it, without the port.
    fn refusal(self, output: &Output) -> Refusal {
        let clean =
            Output { stderr: output.stderr.replace(self.through, self.url), stdout: Vec::new(), ..*output };
        clean.refusal()
    }
}

/// Where a remote is, as the repository's configuration says.
pub(super) async fn remote(git: &Git, repo: &Repo, query: &RemoteQuery) -> Result<Remote, Refusal> {
    check_name(&query.remote)?;
    let keys = if query.push { &["pushurl", "url"][..] } else { &["url"] };
    for key in keys {
        let key = format!("remote.{}.{key}", query.remote);
        let output = repo.look(git).args(["config", "-z", "--get-all", &key]).output().await?;
        let mut urls = output.stdout.split(|byte| *byte == 0).filter(|url| !url.is_empty());
        match (urls.next(), urls.next()) {
            (None, _) => {}
            (Some(url), None) => return Ok(Remote { url: String::from_utf8_lossy(url).into_owned() }),
            (Some(_), Some(_)) => {
                return Err(Refusal::new(
                    codes::GIT_URL_INVALID,
                    format!("the remote {:?} has several URLs: leave it one", query.remote),
                ));
            }
        }
    }
    Err(Refusal::new(
        codes::GIT_REF_NOT_FOUND,
        format!("the repository has no remote {:?}: clone it, or add the remote", query.remote),
    ))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    if !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(['-', '.', '/'])
        && name.bytes().all(is_plain)
    {
        return Ok(());
    }
    Err(Refusal::new(
        codes::GIT_REF_INVALID,
        "the name of a remote has letters, digits, \"-\", \"_\", \".\" and \"/\", such as origin",
    ))
}

/// Brings what the remote has, and with `pull` moves the present branch to it.
pub(super) async fn fetch(
    git: &Git,
    repo: &Repo,
    request: &SyncRequest,
    pull: bool,
) -> Result<Fetched, Refusal> {
    check_name(&request.remote)?;
    let way = Way::of(request.url.as_deref(), request.through.as_deref())?;
    let run = way.along(repo.act(git));
    let arguments = [
        "fetch",
        "--quiet",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--",
    ];
    let output = run.args(arguments).arg(&request.remote).output().await?;
    if !output.success {
        return Err(way.refusal(&output));
    }
    if pull {
        follow(git, repo).await?;
    }
    let now = status::status(git, repo).await?;
    let (ahead, behind) = (now.ahead, now.behind);
    Ok(Fetched { branch: now.branch, commit: now.commit, upstream: now.upstream, ahead, behind })
}

/// Moves the present branch to where its upstream is, when nothing of its own is in the way.
async fn follow(git: &Git, repo: &Repo) -> Result<(), Refusal> {
    let merge = ["merge", "--quiet", "--ff-only", "--no-edit", "--no-stat", "@{upstream}"];
    let output = repo.act(git).args(merge).output().await?;
    if output.success {
        return Ok(());
    }
    let says = |text: &str| output.stderr.contains(text);
    Err(if says("no upstream") || says("does not point to a branch") || says("HEAD does not point") {
        Refusal::new(
            codes::GIT_REF_NOT_FOUND,
            "the present branch follows no branch of a remote: fetch, then merge",
        )
    } else if says("fast-forward") || says("Diverging") {
        Refusal::new(
            codes::GIT_CONFLICT,
            "the branch and the one it follows have gone different ways: merge them in the workspace",
        )
    } else if says("would be overwritten") {
        Refusal::new(
            codes::GIT_CONFLICT,
            "changes in the working tree would be overwritten: commit them first",
        )
    } else {
        output.refusal()
    })
}
