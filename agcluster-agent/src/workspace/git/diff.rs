//! A difference as a structure.
//!
//! Git is asked for the list of what differs and for the patch in one run. The list says what happened to each file; the
//! patch is taken apart file by file as it comes, so that neither its length nor that of any line matters.

mod budget;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod patch;
mod raw;
mod sections;
#[cfg(test)]
mod tests;
mod untracked;

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::workspace as codes;
use agcluster_protocol::workspace::git::{Diff, DiffQuery};

use super::program::{Git, Run, failed};
use super::reference;
use super::repository::Repo;
use crate::http::Refusal;
use crate::program::Lines;
use budget::Budget;
use sections::Sections;

#[cfg(feature = "fuzzing")]
pub(crate) use fuzz::fuzz;

/// The most unchanged lines around a change.
const MOST_CONTEXT: u32 = 1000;
/// What there is around a change when nobody says.
const USUAL_CONTEXT: u32 = 3;
/// The longest that is read; what has come by then is given.
const READING: Duration = Duration::from_secs(45);
/// The longest line that is looked at.
const LONGEST_LINE: usize = 256 << 10;

const FORMAT: &[&str] = &[
    "--raw",
    "--patch",
    "--full-index",
    "--no-abbrev",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--inter-hunk-context=0",
    "--submodule=short",
    "--ignore-submodules=dirty",
    "--find-renames",
    "--find-copies",
    "-l1000",
];

/// Compares two sides of a repository.
pub(super) async fn diff(git: &Git, repo: Repo, query: DiffQuery) -> Result<Diff, Refusal> {
    if query.staged && query.head.is_some() {
        return Err(Refusal::new(
            codes::INVALID_REQUEST,
            "head and staged exclude each other: the newer side is either a commit or the index",
        ));
    }
    let sides = sides(git, &repo, &query).await?;
    let repo = Arc::new(repo);
    let context = query.context.unwrap_or(USUAL_CONTEXT).min(MOST_CONTEXT);
    let mut run = repo.look(git).arg("diff").args(FORMAT).arg(format!("--unified={context}"));
    if query.staged {
        run = run.arg("--cached");
    }
    let mut sections = read(only(run.args(sides), query.file.as_deref())).await?;
    if query.head.is_none() && !query.staged {
        untracked::append(git, &repo, query.file.as_deref(), &mut sections).await?;
    }
    Ok(Diff {
        repo_path: repo.folder.shown(),
        relative_path: repo.folder.shown_relative(),
        base: query.base.unwrap_or_else(|| "HEAD".to_owned()),
        head: query.head,
        files: sections.files,
        truncated: sections.truncated,
    })
}

/// The sides as git takes them: names of commits that exist, and of nothing else.
async fn sides(git: &Git, repo: &Repo, query: &DiffQuery) -> Result<Vec<String>, Refusal> {
    let base = match &query.base {
        Some(base) => reference::commit(git, repo, base).await?,
        None => match reference::present(git, repo).await? {
            Some(commit) => commit,
            // Nothing was committed yet: everything is new.
            None => empty_tree(git, repo).await?,
        },
    };
    let head = match &query.head {
        Some(head) => Some(reference::commit(git, repo, head).await?),
        None => None,
    };
    Ok(std::iter::once(base).chain(head).collect())
}

async fn empty_tree(git: &Git, repo: &Repo) -> Result<String, Refusal> {
    let name = repo.look(git).args(["hash-object", "-t", "tree", "--stdin"]).text().await?;
    Ok(String::from_utf8_lossy(&name).trim().to_owned())
}

/// Of everything only what is at or below a path.
fn only<'a>(run: Run<'a>, file: Option<&str>) -> Run<'a> {
    let run = run.arg("--");
    match file {
        Some(file) => run.arg(file),
        None => run,
    }
}

/// Reads what git says, as far as time and room allow.
async fn read(run: Run<'_>) -> Result<Sections, Refusal> {
    let mut running = run.start().await?;
    let Some(stdout) = running.stdout.take() else { return Err(failed("")) };
    let mut lines = Lines::with_most(stdout, LONGEST_LINE);
    let mut sections = Sections::new(Budget::whole());
    let reading = async {
        while let Ok(Some(line)) = lines.next().await {
            sections.take(line);
            if sections.is_full() {
                return false;
            }
        }
        true
    };
    let whole = tokio::time::timeout(READING, reading).await.unwrap_or(false);
    if !whole {
        sections.cut();
        return Ok(sections);
    }
    sections.end();
    let (success, stderr) = running.end().await;
    if success { Ok(sections) } else { Err(failed(&stderr)) }
}
