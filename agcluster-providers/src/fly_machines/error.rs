//! The platform's refusals, said in the words of the one error type.

use agcluster_core::provider::{CapacityScope, Error, ErrorKind};

use super::PLATFORM;
use super::api::{Failure, Refusal};
use super::room::{NoRoom, no_room};

/// What a call was about, so that an error can name it.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// The organisation, by its slug.
    Organization(&'a str),
    /// An app.
    App(&'a str),
    /// A machine, by the container's id.
    Machine(&'a str),
    /// A machine that is being made.
    Creation {
        /// In this app.
        app: &'a str,
        /// From this image.
        image: &'a str,
        /// In one of these regions; none is wherever the platform likes.
        regions: &'a [String],
    },
}

/// Turns a failure into an error.
pub(super) fn explain(failure: Failure, operation: &'static str, about: About<'_>) -> Error {
    let (kind, message) = match &failure {
        Failure::Refused(refusal) => refused(refusal, about),
        Failure::Unreachable(_) => (
            ErrorKind::Unavailable,
            "the Machines API cannot be reached: check this machine's network, and base_url (FLY_FLAPS_BASE_URL)"
                .to_owned(),
        ),
        Failure::Broken(_) => {
            (ErrorKind::Unavailable, "the connection to the Machines API broke: try again".to_owned())
        }
        Failure::Timeout => (
            ErrorKind::Timeout,
            "the Machines API did not answer in time: try again, or raise timeouts.call_seconds".to_owned(),
        ),
        Failure::Nonsense { .. } => (
            ErrorKind::Protocol,
            "the answer is none of the Machines API: check base_url (FLY_FLAPS_BASE_URL)".to_owned(),
        ),
        Failure::TooMany(wait) => (
            ErrorKind::RateLimited { retry_after: Some(*wait) },
            format!("too many calls wait for their turn: try again in {} s", wait.as_secs_f64().ceil()),
        ),
    };
    if kind == ErrorKind::Invalid {
        // In its own words for whoever runs the server: what it does not take may be news.
        tracing::warn!(operation, %failure, "Fly does not take a request");
    }
    let mut error = Error::new(kind, PLATFORM, operation, message);
    let (mut request_id, mut retry_after) = (None, None);
    match &failure {
        Failure::Refused(refusal) => {
            error = error.with_code(refusal.code.clone().unwrap_or_else(|| refusal.status.to_string()));
            (request_id, retry_after) = (refusal.request_id.clone(), refusal.retry_after);
        }
        Failure::Nonsense { request_id: id, .. } => request_id.clone_from(id),
        _ => {}
    }
    if let Some(id) = request_id {
        error = error.with_request_id(id);
    }
    if let Some(wait) = retry_after {
        error = error.with_retry_after(wait);
    }
    error.with_source(failure)
}

fn refused(refusal: &Refusal, about: About<'_>) -> (ErrorKind, String) {
    if let Some(room) = no_room(refusal) {
        return full(room, about);
    }
    let fixed = |kind, sentence: &str| (kind, sentence.to_owned());
    match refusal.status {
        401 => fixed(
            ErrorKind::Auth,
            "Fly refuses the token: set token (FLY_API_TOKEN) to one that `fly tokens create deploy` made and that has not expired",
        ),
        402 => fixed(
            ErrorKind::Quota,
            "Fly wants a payment method or a paid invoice: see the organisation's billing page",
        ),
        403 => (ErrorKind::Auth, forbidden(about)),
        404 => not_found(refusal, about),
        408 => fixed(ErrorKind::Timeout, "Fly took too long: try again"),
        409 if refusal.says("lease") => fixed(
            ErrorKind::Unavailable,
            "somebody holds a lease on the machine, `fly machine lease view` says who: try again when it ends",
        ),
        409 => fixed(ErrorKind::Unavailable, "the machine is being changed by somebody else: try again"),
        412 => fixed(
            ErrorKind::Precondition,
            "the machine is not in a state for this: look at it with `fly machine status`",
        ),
        400 | 422 => unfit(refusal, about),
        429 => (
            ErrorKind::RateLimited { retry_after: refusal.retry_after },
            "Fly takes no more requests now: lower rate.per_second when several servers use one app"
                .to_owned(),
        ),
        500.. => {
            fixed(ErrorKind::Unavailable, "Fly has a fault of its own: see status.flyio.net, and try again")
        }
        _ => fixed(
            ErrorKind::Protocol,
            "the answer is none of the Machines API: check base_url (FLY_FLAPS_BASE_URL)",
        ),
    }
}

/// No room, as far as one answer tells.
fn full(room: NoRoom, about: About<'_>) -> (ErrorKind, String) {
    let place = match about {
        About::Creation { regions, .. } if !regions.is_empty() => format!("in {}", regions.join(", ")),
        About::Creation { .. } => "in the nearest region".to_owned(),
        _ => "on the machine's host".to_owned(),
    };
    match room {
        NoRoom::Host => (
            ErrorKind::Capacity(CapacityScope::Host),
            format!("Fly has no room {place}: try again, or name more regions"),
        ),
        NoRoom::Region => (
            ErrorKind::Capacity(CapacityScope::Region),
            format!("Fly has no room {place}: name more regions (FLY_REGION)"),
        ),
        NoRoom::Quota => (
            ErrorKind::Quota,
            format!(
                "the organisation's quota is used up {place}: destroy machines, name more regions, or ask billing@fly.io for more"
            ),
        ),
    }
}

fn forbidden(about: About<'_>) -> String {
    match about {
        About::Organization(slug) => format!(
            "the token may not be used for the organisation {slug}: set organization (FLY_ORG) to its own, or token to one that `fly tokens create org -o {slug}` made"
        ),
        About::App(app) | About::Creation { app, .. } => format!(
            "the token may not be used for the app {app}: set app (FLY_APP_NAME) to its own, or token to one that `fly tokens create deploy -a {app}` made"
        ),
        About::Machine(id) => format!(
            "the token may not be used for the machine {id}: set token (FLY_API_TOKEN) to one of its app"
        ),
    }
}

fn not_found(refusal: &Refusal, about: About<'_>) -> (ErrorKind, String) {
    let no_app = |app: &str| {
        let message = format!(
            "there is no app {app} that this token can see: set app (FLY_APP_NAME), or make it with `fly apps create {app}`"
        );
        (ErrorKind::Precondition, message)
    };
    match about {
        About::Creation { image, .. } if is_about_image(refusal) => {
            (ErrorKind::Precondition, no_image(image))
        }
        About::App(app) | About::Creation { app, .. } => no_app(app),
        About::Organization(slug) => (
            ErrorKind::Precondition,
            format!("there is no organisation {slug} that this token can see: set organization (FLY_ORG)"),
        ),
        About::Machine(id) => (ErrorKind::NotFound, format!("there is no container {id}")),
    }
}

fn unfit(refusal: &Refusal, about: About<'_>) -> (ErrorKind, String) {
    match about {
        About::Creation { image, .. } if is_about_image(refusal) => {
            (ErrorKind::Precondition, no_image(image))
        }
        About::Creation { regions, .. } if refusal.says("region") => (
            ErrorKind::Invalid,
            format!(
                "Fly does not know a region of {}: set regions (FLY_REGION) to codes that `fly platform regions` shows",
                regions.join(", ")
            ),
        ),
        About::Creation { .. } if refusal.says("guest") || refusal.says("memory") || refusal.says("cpu") => (
            ErrorKind::Invalid,
            "Fly does not take this size of a machine: change guest, or the agent's resource limits"
                .to_owned(),
        ),
        About::Organization(slug) => (
            ErrorKind::Invalid,
            format!(
                "Fly does not take the organisation {slug}: set organization (FLY_ORG) to the slug that `fly orgs list` shows"
            ),
        ),
        _ => (
            ErrorKind::Invalid,
            "Fly does not take this machine's settings: the log has its reason".to_owned(),
        ),
    }
}

fn is_about_image(refusal: &Refusal) -> bool {
    ["manifest", "image", "registry"].iter().any(|word| refusal.says(word))
}

fn no_image(image: &str) -> String {
    format!(
        "Fly cannot get the image {image}: push it to registry.fly.io under an app of the organisation, or set image to a public one"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn code_request_and_wait_are_in_the_error() {
        let refusal = Refusal {
            status: 429,
            text: "slow down, customer 4711".to_owned(),
            code: None,
            request_id: Some("01J-fra".to_owned()),
            retry_after: Some(Duration::from_secs(7)),
        };
        let error = explain(Box::new(refusal).into(), "create", About::App("agents"));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert!(error.to_string().ends_with("(code 429, request 01J-fra)"), "{error}");
        assert!(!error.to_string().contains("4711"), "the platform's own words reached a user: {error}");
    }
}
