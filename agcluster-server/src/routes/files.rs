//! Files of a session's workspace.
//!
//! A path in a URL is a file's, whatever it is called: the actions beside it are told apart by their method (`POST`), and the two that are
//! read by what is asked of them. `GET …/download` is the archive when it says which `format`, `GET …/changes` the live stream when
//! it accepts one; else they are files with these names.

mod archive;
mod at;
mod bytes;
mod changes;
mod feed;
mod limits;
mod linger;
mod names;
mod preview;
mod tree;
pub(crate) mod upload;
mod write;

use axum::routing::{MethodRouter, get, put};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

pub use limits::FileLimits;
pub(crate) use linger::linger;

/// The routes. Bodies have their own limits, checked while they are streamed.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    let described = OpenApiRouter::new()
        .routes(routes!(upload::upload))
        .routes(routes!(tree::list))
        .routes(routes!(preview::get, write::put, write::delete))
        .routes(routes!(write::make_folder))
        .routes(routes!(write::rename))
        .routes(routes!(archive::download, archive::get))
        .routes(routes!(changes::watch));
    let named = |action: &str| format!("/api/files/{{id}}/{action}");
    let posted = ["mkdir", "rename", "upload"]
        .into_iter()
        .fold(described, |router, action| router.route(&named(action), get(preview::get).merge(changed())));
    let all = ["download", "changes"]
        .into_iter()
        .fold(posted, |router, action| router.route(&named(action), changed()));
    let mut routes = all.route(&named(""), get(tree::list)).layer(axum::middleware::from_fn(linger));
    // Where the router says that a parameter takes the rest, the description just names it.
    let paths = &mut routes.get_openapi_mut().paths.paths;
    *paths = std::mem::take(paths).into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    routes
}

/// What is done to a file, whatever it is called.
fn changed() -> MethodRouter<AppState> {
    put(write::put).delete(write::delete)
}
