//! Vercel's refusals, said in the words of the one error type.

use agcluster_core::provider::{CapacityScope, ContainerId, Error, ErrorKind};

use super::PLATFORM;
use super::api::Failure;
use super::credentials::{CredentialKind, Credentials};

/// What a call was about, so that an error can name it.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// The project as a whole.
    Project,
    /// A container, by its id.
    Container(&'a str),
    /// A container that is being made, from an image or Vercel's default one.
    Image(Option<&'a str>),
    /// A container that is being made from a snapshot.
    Snapshot(&'a str),
}

/// An error of this provider's own.
pub(super) fn plain(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(kind, PLATFORM, operation, message)
}

pub(super) fn no_container(id: &ContainerId, operation: &'static str) -> Error {
    plain(ErrorKind::NotFound, operation, format!("there is no container {id}"))
}

pub(super) fn not_running(operation: &'static str) -> Error {
    plain(ErrorKind::Gone, operation, "the container does not run: start it, or make another one")
}

pub(super) fn no_client(source: reqwest::Error) -> Error {
    let message = "no HTTPS client can be made: see whether the system's certificates can be read";
    plain(ErrorKind::Precondition, "configure", message).with_source(source)
}

/// Turns a failure into an error.
pub(super) fn explain(
    failure: Failure,
    operation: &'static str,
    about: About<'_>,
    credentials: &Credentials,
) -> Error {
    let (kind, message) = match &failure {
        Failure::Refused { status, code, message, retry_after, .. } => {
            let says = format!("{code} {message}").to_ascii_lowercase();
            match status {
                429 => (ErrorKind::RateLimited { retry_after: *retry_after }, too_many(&says)),
                _ => refusal(*status, code, message, &says, about, credentials),
            }
        }
        Failure::Unreachable(_) => (
            ErrorKind::Unavailable,
            "the Vercel API cannot be reached: see whether this machine reaches api_url".to_owned(),
        ),
        Failure::Timeout => (
            ErrorKind::Timeout,
            "the Vercel API did not answer in time: try again, or raise timeouts".to_owned(),
        ),
        Failure::Nonsense { .. } => (
            ErrorKind::Protocol,
            "what answers at api_url does not speak as the Vercel API does: check api_url".to_owned(),
        ),
    };
    let mut error = plain(kind, operation, message);
    match &failure {
        Failure::Refused { status, code, request_id, retry_after, .. } => {
            error = error.with_code(if code.is_empty() { status.to_string() } else { code.clone() });
            if let Some(id) = request_id {
                error = error.with_request_id(id.clone());
            }
            if let Some(wait) = retry_after {
                error = error.with_retry_after(*wait);
            }
            // Another call or the platform itself is about to be done with it.
            if *status == 409 || failure.is_stopping() {
                error = error.retryable(true);
            }
        }
        Failure::Nonsense { request_id: Some(id), .. } => error = error.with_request_id(id.clone()),
        _ => {}
    }
    error.with_source(failure)
}

fn too_many(says: &str) -> String {
    if says.contains("concurren") {
        return "the team runs as many sandboxes as its plan allows: end some, or take a larger plan"
            .to_owned();
    }
    if says.contains("vcpu") {
        return "the team starts more processors a minute than its plan allows: wait, or lower vcpus"
            .to_owned();
    }
    "Vercel takes no more calls of this team now: wait, or make fewer".to_owned()
}

/// Every refusal that is known but 429, most telling first. `says` is in lower case.
fn refusal(
    status: u16,
    code: &str,
    message: &str,
    says: &str,
    about: About<'_>,
    credentials: &Credentials,
) -> (ErrorKind, String) {
    let has = |part: &str| says.contains(part);
    let fixed = |kind, sentence: &str| (kind, sentence.to_owned());
    let Credentials { team, project, kind, .. } = credentials;
    match status {
        401 => match kind {
            CredentialKind::AccessToken => fixed(
                ErrorKind::Auth,
                "Vercel refuses the token: set token (VERCEL_TOKEN) to an access token that is valid",
            ),
            CredentialKind::Oidc => fixed(
                ErrorKind::Auth,
                "Vercel refuses the OIDC token, which lives for 12 hours: set oidc_token (VERCEL_OIDC_TOKEN) to a new one",
            ),
        },
        402 => fixed(
            ErrorKind::Quota,
            "the team's included usage is used up or a payment is due: see its billing page, or set plan after taking a larger one",
        ),
        403 => (
            ErrorKind::Auth,
            format!(
                "the token may not use team {team} and project {project}: set team_id (VERCEL_TEAM_ID) and project_id (VERCEL_PROJECT_ID) to those it is for"
            ),
        ),
        404 => match about {
            About::Container(id) => (ErrorKind::NotFound, format!("there is no container {id}")),
            About::Image(image) if has("image") || has("manifest") || has("repository") => {
                (ErrorKind::Precondition, no_image(image))
            }
            About::Snapshot(id) if has("snapshot") => (ErrorKind::Precondition, no_snapshot(id)),
            _ => (
                ErrorKind::Precondition,
                format!(
                    "Vercel knows no project {project} in team {team}: set project_id (VERCEL_PROJECT_ID) and team_id (VERCEL_TEAM_ID)"
                ),
            ),
        },
        400 if has("timeout") => fixed(
            ErrorKind::Quota,
            "the team's plan does not let sandboxes live so long (45 minutes on Hobby): lower timeout_seconds, and set plan to the team's own",
        ),
        400 | 422 if has("image") || has("manifest") || has("repository") => {
            let image = if let About::Image(image) = about { image } else { None };
            (ErrorKind::Precondition, no_image(image))
        }
        400 if has("region") => fixed(
            ErrorKind::Invalid,
            "Vercel does not take the region: set region and failover_regions to ones it has, such as iad1",
        ),
        400 if has("vcpu") || has("resources") => {
            fixed(ErrorKind::Quota, "the team's plan has no machines of that size: lower vcpus and max_vcpus")
        }
        400 if has("network") => {
            fixed(ErrorKind::Invalid, "Vercel does not take the network policy: check network")
        }
        409 => fixed(ErrorKind::Unavailable, "another call changes this sandbox at the moment: try again"),
        410 if code == "snapshot_not_found" => match about {
            About::Snapshot(id) => (ErrorKind::Precondition, no_snapshot(id)),
            _ => fixed(
                ErrorKind::Gone,
                "the snapshot that the container would go on from is gone: make another container",
            ),
        },
        410 => fixed(ErrorKind::Gone, "the container does not run: start it, or make another one"),
        413 => fixed(ErrorKind::Invalid, "the upload is larger than Vercel takes: send less"),
        422 if code == "sandbox_stopping" || code == "sandbox_snapshotting" => fixed(
            ErrorKind::Unavailable,
            "the container is being stopped or saved at the moment: try again in some seconds",
        ),
        500.. if has("capacity") => fixed(
            ErrorKind::Capacity(CapacityScope::Region),
            "the region has no room at the moment: set failover_regions, or another region",
        ),
        500.. => fixed(ErrorKind::Unavailable, "the Vercel API failed: see https://www.vercel-status.com"),
        _ => (ErrorKind::Invalid, format!("Vercel does not take this request: {}", short(message))),
    }
}

fn no_image(image: Option<&str>) -> String {
    let image = image.unwrap_or("of Vercel's own");
    format!(
        "the image {image} cannot be used: push it to vcr.vercel.com for linux/amd64 and wait until it is ready, or set image to another one"
    )
}

fn no_snapshot(id: &str) -> String {
    format!("the snapshot {id} is gone: make a new one, and set snapshot to it if it is the configured one")
}

/// One line of what a platform says, for cases that nobody foresaw.
fn short(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    let end = line.char_indices().nth(200).map_or(line.len(), |(end, _)| end);
    if line.is_empty() { "it gives no reason" } else { &line[..end] }
}
