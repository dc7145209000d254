//! Which variables an agent program has.

use std::collections::BTreeMap;

use agcluster_core::session::Session;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::OwnSession;
use crate::extract::Path;
use crate::openapi::problems::{AGENT, RUNNING, SESSION, problems};
use crate::{AppState, FieldProblem, Problem};

/// The most names in one request.
const MOST_NAMES: usize = 100;
/// The longest of them.
const LONGEST_NAME: usize = 256;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get))
}

/// What names can come to.
pub(crate) const ENVIRONMENT: &[&str] = &["environment_name_invalid"];

problems!(EnvironmentProblems = SESSION, RUNNING, AGENT, ENVIRONMENT);

/// Whether the agent program has variables of these names in its environment, never what is in them.
#[utoipa::path(
    get, path = "/api/agents/{id}/env/{names}", operation_id = "get_environment", tag = "Resources",
    security(("key" = [])),
    params(
        ("id" = String, Path, description = "The session"),
        ("names" = String, Path, description = "Names of capital letters, digits and underscores, with commas between them"),
    ),
    responses(
        (status = 200, description = "Each name, and whether it is there", body = BTreeMap<String, bool>),
        EnvironmentProblems,
    ),
)]
pub(crate) async fn get(
    OwnSession(session): OwnSession,
    Path((_id, names)): Path<(String, String)>,
) -> Result<Json<BTreeMap<String, bool>>, Problem> {
    Ok(Json(present(&session, &names).await?))
}

/// Which of these names, with commas between them, a session's agent program has.
pub(crate) async fn present(session: &Session, names: &str) -> Result<BTreeMap<String, bool>, Problem> {
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    if names.len() > MOST_NAMES {
        let detail = format!("ask for at most {MOST_NAMES} names at a time");
        return Err(Problem::bad_request("environment_name_invalid", detail));
    }
    let message = "is no name of capital letters, digits and underscores";
    let wrong = names.iter().filter(|name| !is_name(name));
    let errors: Vec<_> =
        wrong.map(|name| FieldProblem { field: (*name).to_owned(), message: message.to_owned() }).collect();
    if !errors.is_empty() {
        let detail = "names are of capital letters, digits and underscores, with commas between them";
        let mut problem = Problem::bad_request("environment_name_invalid", detail);
        problem.errors = errors.into();
        return Err(problem);
    }
    Ok(session.variables(&names).await?)
}

fn is_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_asked_for() {
        for name in ["HOME", "A_1", "_"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "home", "A-B", "A=B", "A B", "Ä", "A&names=B", &"A".repeat(257)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
