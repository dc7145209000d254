//! Which session and which path a request is about.

use agcluster_core::workspace::Workspace;
use agcluster_core::workspace::files::FilePath;
use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;

use crate::auth::Caller;
use crate::{AppState, Problem};

/// The session's workspace, and the path behind it in the URL. The path is taken as it stands there, so that it may be bytes that are
/// no text.
pub(crate) struct At {
    pub(super) workspace: Workspace,
    pub(super) path: FilePath,
}

impl FromRequestParts<AppState> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let rest = parts.uri.path().strip_prefix("/api/files/").unwrap_or_default();
        let (session, path) = rest.split_once('/').unwrap_or((rest, ""));
        let session = caller.session(state, &FilePath::from_url(session).text())?;
        Ok(Self { workspace: Workspace::of(session), path: FilePath::from_url(path) })
    }
}

impl At {
    /// The session's id.
    pub(super) fn session(&self) -> &str {
        self.workspace.session().id().as_str()
    }
}

/// A path in the query string, likewise; from the workspace's root.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<FilePath> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    values.next().map(|value| FilePath::from_url(&value.replace('+', " ")).relative())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_query_string_may_be_any_bytes() {
        let uri = "/x?depth=1&path=a+b%2Fcaf%E9&path=second".parse().unwrap();
        assert_eq!(parameter(&uri, "path").unwrap().as_bytes(), b"a b/caf\xe9");
        assert!(parameter(&uri, "after").is_none());
    }
}
