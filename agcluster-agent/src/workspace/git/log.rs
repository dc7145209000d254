//! Commits, newest first, page by page.

use agcluster_protocol::workspace as codes;
use agcluster_protocol::workspace::git::{Commit, Log, LogQuery, Signature};

use super::program::Git;
use super::reference;
use super::repository::Repo;
use crate::http::Refusal;

/// Commits of a page when nobody says.
const USUAL: usize = 50;
/// The most of a page.
const MOST: usize = 200;
/// The most of git's answer that is read.
const ANSWER: usize = 2 << 20;
/// The longest message that is shown whole, in characters.
const MESSAGE: usize = 8_000;
/// The fields of a commit, each ended by a zero byte.
const FORMAT: &str =
    "--format=tformat:%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%D%x00%s%x00%b%x00";
const FIELDS: usize = 11;

/// A page of the log.
pub(super) async fn log(git: &Git, repo: &Repo, query: LogQuery) -> Result<Log, Refusal> {
    let limit = query.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::new(codes::INVALID_REQUEST, format!("limit is a number from 1 to {MOST}")));
    }
    let (start, skip) = match &query.after {
        Some(cursor) => from_cursor(git, repo, cursor).await?,
        None => match &query.reference {
            Some(name) => (reference::commit(git, repo, name).await?, 0),
            None => match reference::present(git, repo).await? {
                Some(commit) => (commit, 0),
                // Nothing was committed yet.
                None => return Ok(Log { commits: Vec::new(), next: None }),
            },
        },
    };
    let mut run = repo
        .look(git)
        .args([
            "log",
            "--no-color",
            "--no-show-signature",
            "--decorate=short",
            "--encoding=UTF-8",
            "-z",
            FORMAT,
        ])
        .arg(format!("--max-count={}", limit + 1))
        .arg(format!("--skip={skip}"))
        .arg(&start)
        .arg("--");
    if let Some(file) = &query.file {
        run = run.arg(file);
    }
    let output = run.most(ANSWER).output().await?;
    if !output.success && !output.cut {
        return Err(output.refusal());
    }
    let mut commits = read(&output.stdout);
    let more = commits.len() > limit || output.cut;
    commits.truncate(limit);
    if more && commits.is_empty() {
        return Err(Refusal::new(codes::TOO_LARGE, "a commit's message is too long to be shown"));
    }
    let next = more.then(|| format!("{start}.{}", skip + commits.len()));
    Ok(Log { commits, next })
}

/// Where a page begins: so many commits after a given one.
async fn from_cursor(git: &Git, repo: &Repo, cursor: &str) -> Result<(String, usize), Refusal> {
    let parsed = cursor.split_once('.').and_then(|(start, skip)| Some((start, skip.parse().ok()?)));
    let wrong = || Refusal::new(codes::INVALID_REQUEST, "after is what the page before gave as next");
    let (start, skip) = parsed.ok_or_else(wrong)?;
    let is_name = (40..=64).contains(&start.len()) && start.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_name {
        return Err(wrong());
    }
    Ok((reference::commit(git, repo, start).await?, skip))
}

fn read(answer: &[u8]) -> Vec<Commit> {
    let mut fields = answer.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let mut commits = Vec::new();
    loop {
        let commit: Vec<String> = fields.by_ref().take(FIELDS).map(|field| field.into_owned()).collect();
        let Ok([hash, parents, an, ae, ad, cn, ce, cd, refs, subject, body]) =
            <[String; FIELDS]>::try_from(commit)
        else {
            return commits;
        };
        // What ends a commit is a zero byte of its own.
        if fields.next().is_none() {
            return commits;
        }
        commits.push(Commit {
            hash,
            parents: parents.split_whitespace().map(str::to_owned).collect(),
            author: Signature { name: an, email: ae, date: ad },
            committer: Signature { name: cn, email: ce, date: cd },
            subject: subject.chars().take(MESSAGE).collect(),
            body: body.trim_end().chars().take(MESSAGE).collect(),
            refs: refs.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        });
    }
}
