//! `/sessions/filesystem`: what is in a workspace, and finding things there.

use std::sync::Arc;

use agcluster_core::protocol::PromptBlock;
use agcluster_core::protocol::workspace::git::Repository;
use agcluster_core::session::Session;
use agcluster_core::workspace::Workspace;
use agcluster_core::workspace::files::{Entry, EntryKind, FilePath, TreeQuery};
use axum::Json;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use super::whose::{Meant, Which};
use super::{Stamped, stamped};
use crate::compat::media;
use crate::extract::Query;
use crate::openapi::problems::{AGENT, FILE, QUERY, RUNNING, SESSION, problems};
use crate::{AppState, Problem};

/// How far down is looked, unless asked otherwise, and at most.
const DEPTH: u32 = 10;
const MAX_DEPTH: u32 = 30;
/// The most results, unless asked otherwise, and altogether.
const RESULTS: usize = 200;
/// The most entries that are looked at.
const LOOKED_AT: u32 = 20_000;
/// The largest picture that goes with a prompt, in bytes.
const MAX_PICTURE: u64 = 5 << 20;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(list))
}

problems!(LookProblems in SHAPE => SESSION, QUERY, RUNNING, AGENT, FILE, ["invalid_session_id", "session_id_missing"]);

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Look {
    /// A folder, or for a search words that stand in a path in this order.
    #[serde(default)]
    #[param(required = false)]
    path: String,
    /// Whether files are listed besides folders; they are, unless said otherwise.
    include_files: Option<bool>,
    /// How far down, at most 30; 10 when absent.
    max_depth: Option<u32>,
    /// The most results, at most 200.
    limit: Option<usize>,
}

/// Files and folders that were found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FoundFiles)]
struct Found {
    /// What was asked for.
    path: String,
    /// The folder in the container.
    full_path: String,
    count: usize,
    /// What is higher up comes first.
    entries: Vec<Row>,
    max_depth: u32,
    /// Whether not everything was looked at.
    truncated: bool,
    /// Whether the folder itself is in a repository, and in which.
    current_in_git_repo: bool,
    current_git_root: Option<String>,
    current_is_worktree: bool,
    current_worktree_dir: Option<String>,
}

/// A file or a folder.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FoundFile)]
struct Row {
    name: String,
    /// `file` or `directory`.
    r#type: &'static str,
    /// In the container.
    path: String,
    in_git_repo: bool,
    git_root: Option<String>,
}

/// Lists what is in a folder, what is higher up first.
#[utoipa::path(
    get, path = "/sessions/filesystem/files", operation_id = "agent_server_list_files", tag = "Agent server",
    security(("key" = [])), params(Which, Look),
    responses((status = 200, description = "What there is", body = Stamped<Found>), LookProblems),
)]
async fn list(meant: Meant, Query(look): Query<Look>) -> Result<Json<Stamped<Found>>, Problem> {
    found(&meant.workspace(), &look, &look.path, |_| true).await
}

/// Finds files and folders whose paths have these words, in this order.
#[utoipa::path(
    get, path = "/sessions/filesystem/search", operation_id = "agent_server_search_files", tag = "Agent server",
    security(("key" = [])), params(Which, Look),
    responses((status = 200, description = "What was found", body = Stamped<Found>), LookProblems),
)]
async fn search(meant: Meant, Query(look): Query<Look>) -> Result<Json<Stamped<Found>>, Problem> {
    let words = words(&look.path);
    found(&meant.workspace(), &look, "", |path| has_in_order(path, &words)).await
}

async fn found(
    workspace: &Workspace,
    look: &Look,
    folder: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Json<Stamped<Found>>, Problem> {
    let folder = folder.strip_prefix("/workspace").unwrap_or(folder);
    let folder = FilePath::from(folder).relative();
    let depth = look.max_depth.unwrap_or(DEPTH).clamp(1, MAX_DEPTH);
    let query = TreeQuery { path: folder.clone(), depth: Some(depth), limit: Some(LOOKED_AT), after: None };
    let tree = workspace.tree(&query).await?;
    let repositories = workspace.git().repositories().await?.repositories;
    let most = look.limit.unwrap_or(RESULTS).clamp(1, RESULTS);
    let with_files = look.include_files.unwrap_or(true);
    let mut entries = Vec::new();
    // What is higher up comes first.
    let mut level = vec![(folder.clone(), &tree.folder)];
    while !level.is_empty() && entries.len() < most {
        let mut below = Vec::new();
        for (at, parent) in level {
            for child in parent.children.iter().flatten() {
                if child.name.as_bytes() == b".git" {
                    continue;
                }
                let path = at.join(&child.name);
                let shown = child.kind == EntryKind::Directory || with_files;
                if entries.len() < most && shown && wanted(&path.text()) {
                    entries.push(row(&path, child, &repositories));
                }
                below.push((path, child));
            }
        }
        level = below;
    }
    let here = repository_of(&folder, &repositories);
    let full = format!("/workspace/{}", folder.text());
    let worktree = here.filter(|repository| repository.is_worktree);
    Ok(stamped(Found {
        path: look.path.clone(),
        full_path: full.trim_end_matches('/').to_owned(),
        count: entries.len(),
        entries,
        max_depth: depth,
        truncated: tree.truncated,
        current_in_git_repo: here.is_some(),
        current_git_root: here.map(|repository| repository.path.clone()),
        current_is_worktree: worktree.is_some(),
        current_worktree_dir: worktree.map(|repository| repository.path.clone()),
    }))
}

fn row(path: &FilePath, entry: &Entry, repositories: &[Repository]) -> Row {
    let kind = if entry.kind == EntryKind::Directory { "directory" } else { "file" };
    let repository = repository_of(path, repositories);
    Row {
        name: entry.name.text().into_owned(),
        r#type: kind,
        path: format!("/workspace/{}", path.text()),
        in_git_repo: repository.is_some(),
        git_root: repository.map(|repository| repository.path.clone()),
    }
}

/// The innermost repository that a path is in.
fn repository_of<'a>(path: &FilePath, repositories: &'a [Repository]) -> Option<&'a Repository> {
    let text = path.text();
    let holds = |repository: &&Repository| {
        let root = repository.relative_path.as_str();
        root == "." || text.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    repositories.iter().filter(holds).max_by_key(|repository| repository.relative_path.len())
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || c == '/')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Whether a path has these words, each behind the one before.
fn has_in_order(path: &str, words: &[String]) -> bool {
    let path = path.to_lowercase();
    let mut rest = path.as_str();
    words.iter().all(|word| match rest.find(word.as_str()) {
        Some(at) => {
            rest = &rest[at + word.len()..];
            true
        }
        None => false,
    })
}

/// A picture in the workspace, as part of a prompt.
pub(super) async fn picture(session: &Arc<Session>, path: &str) -> Result<PromptBlock, Problem> {
    let invalid = |why: &str| Problem::bad_request("image_invalid", format!("the image {path:?} {why}"));
    let media_type = match path.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        _ => return Err(invalid("is none that a model takes: send PNG, JPEG, GIF or WebP")),
    };
    let below = path.strip_prefix("/workspace").unwrap_or(path);
    let workspace = Workspace::of(Arc::clone(session));
    let content = workspace.read(&FilePath::from(below).relative(), &HeaderMap::new()).await?;
    let mut data = Vec::new();
    let mut pieces = content.bytes;
    while let Some(piece) = pieces.try_next().await.map_err(Problem::from)? {
        if (data.len() + piece.len()) as u64 > MAX_PICTURE {
            return Err(invalid("is too large: send one of at most 5 MiB"));
        }
        data.extend_from_slice(&piece);
    }
    media::picture("images", media_type, &STANDARD.encode(data))
        .map_err(|_| invalid(&format!("is no file of type {media_type}: send the picture itself")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_their_order() {
        for (path, text, found) in [
            ("src/http/routes.rs", "http rs", true),
            ("src/http/routes.rs", "rs http", false),
            ("src/HTTP/Routes.rs", "http/routes", true),
            ("src/a.rs", "", true),
            ("aa", "a a a", false),
        ] {
            assert_eq!(has_in_order(path, &words(text)), found, "{text} in {path}");
        }
    }

    #[test]
    fn a_path_is_in_the_innermost_repository_that_holds_it() {
        let repository = |relative: &str| Repository {
            name: relative.to_owned(),
            path: format!("/workspace/{relative}"),
            relative_path: relative.to_owned(),
            is_worktree: false,
            is_submodule: false,
            root: String::new(),
            branch: None,
        };
        let all = [repository("app"), repository("app/vendor"), repository("apple")];
        let root = |path: &str| repository_of(&path.into(), &all).map(|found| found.relative_path.as_str());
        assert_eq!(root("app/src"), Some("app"));
        assert_eq!(root("app/vendor/x"), Some("app/vendor"));
        assert_eq!(root("apple"), Some("apple"));
        assert_eq!(root("other"), None);
        assert_eq!(
            repository_of(&"x".into(), &[repository(".")]).map(|r| r.relative_path.as_str()),
            Some(".")
        );
    }
}
