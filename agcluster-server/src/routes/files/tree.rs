//! The tree of a workspace.

use agcluster_core::workspace::files::{Entry, EntryKind, FilePath, TreeQuery};
use axum::Json;
use axum::extract::OriginalUri;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::at::{At, parameter};
use crate::Problem;
use crate::extract::Query;
use crate::openapi::problems::{FILE, QUERY, RUNNING, SESSION, problems};

problems!(TreeProblems = SESSION, QUERY, RUNNING, FILE);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Lazily {
    /// The folder, from the workspace's root.
    #[serde(rename = "path")]
    _path: Option<String>,
    /// How many levels: 1 for what is in the folder itself. All of them, up to 32, when absent.
    depth: Option<u32>,
    /// The most entries, up to 10000.
    limit: Option<u32>,
    /// Of the folder itself, only what comes behind this name: to read on in a folder that has more.
    #[serde(rename = "after")]
    _after: Option<String>,
}

/// A folder and what is in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TreeAnswer {
    /// Where the workspace is in the container.
    root: &'static str,
    tree: Node,
    /// How many files the answer names.
    total_files: u64,
    /// How many entries the answer names.
    total_items: u64,
    /// Whether there are more, up to the depth that was asked for: ask for single folders, or with `after`.
    truncated: bool,
}

/// Something in a workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Node {
    name: String,
    #[schema(value_type = String)]
    r#type: EntryKind,
    /// From the workspace's root.
    path: String,
    /// The path as it stands in a URL, where `path` is not all of it: names need not be text.
    #[serde(skip_serializing_if = "Option::is_none")]
    url_path: Option<String>,
    /// Bytes.
    size: u64,
    modified: Option<Timestamp>,
    /// Permissions, in octal digits.
    mode: String,
    /// What a link says.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// What is in a folder; absent where it was not looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    children: Option<Vec<Node>>,
    /// Whether `children` are not all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl Node {
    fn new(path: FilePath, entry: Entry) -> Self {
        let children = entry.children.map(|children| {
            children.into_iter().map(|child| Self::new(path.join(&child.name), child)).collect()
        });
        Self {
            name: entry.name.text().into_owned(),
            r#type: entry.kind,
            url_path: (!path.is_text()).then(|| path.to_url()),
            path: path.text().into_owned(),
            size: entry.size,
            modified: entry.modified,
            mode: format!("{:03o}", entry.mode & 0o777),
            target: entry.target.map(|target| target.text().into_owned()),
            children,
            truncated: entry.truncated,
        }
    }
}

/// What is in the workspace, or in a folder of it, by name.
///
/// True types (`file`, `directory`, `symlink`, `other`), sizes and times; a link is itself, not what it leads to. The names that lie deepest are
/// left out first where there are too many.
#[utoipa::path(
    get, path = "/api/files/{id}", operation_id = "list_files", tag = "Files",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Lazily),
    responses((status = 200, description = "The tree", body = TreeAnswer), TreeProblems),
)]
pub(crate) async fn list(
    at: At,
    OriginalUri(uri): OriginalUri,
    Query(Lazily { depth, limit, .. }): Query<Lazily>,
) -> Result<Json<TreeAnswer>, Problem> {
    let path = parameter(&uri, "path").unwrap_or_default();
    let query = TreeQuery { path: path.clone(), depth, limit, after: parameter(&uri, "after") };
    let found = at.workspace.tree(&query).await?;
    let mut tree = Node::new(path, found.folder);
    if tree.path.is_empty() {
        "workspace".clone_into(&mut tree.name);
        "/".clone_into(&mut tree.path);
    }
    Ok(Json(TreeAnswer {
        root: "/workspace",
        tree,
        total_files: found.files,
        total_items: found.entries,
        truncated: found.truncated,
    }))
}
