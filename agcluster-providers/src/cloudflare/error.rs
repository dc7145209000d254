//! Refusals, said in the words of the one error type: the gateway's, and those of what may stand before it or in its place.

use std::time::Duration;

use agcluster_core::provider::{CapacityScope, Error, ErrorKind};
use url::Url;

use super::PLATFORM;
use super::api::Failure;

/// What a failure comes to.
struct Meaning {
    kind: ErrorKind,
    sentence: String,
    /// Otherwise than the kind says.
    retryable: Option<bool>,
}

impl Meaning {
    fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), retryable: None }
    }

    fn retryable(self, retryable: bool) -> Self {
        Self { retryable: Some(retryable), ..self }
    }
}

/// Turns a failure into an error. `gateway` is its URL, `about` the container's id, if it is about one.
pub(super) fn explain(
    failure: Failure,
    operation: &'static str,
    gateway: &Url,
    about: Option<&str>,
) -> Error {
    let (meaning, code, request_id, wait) = match &failure {
        Failure::Refused { status, code, message, retryable, retry_after, request_id } => {
            let meaning = refusal(code, message, *retry_after, about)
                .unwrap_or_else(|| unknown(*status, *retry_after).retryable(*retryable));
            (meaning, Some(code.clone()), request_id.clone(), *retry_after)
        }
        Failure::Foreign { status, number, login, retry_after, request_id } => {
            let code = number.unwrap_or(*status).to_string();
            let meaning = foreign(*status, *number, *login, *retry_after, gateway);
            (meaning, Some(code), request_id.clone(), *retry_after)
        }
        Failure::Unreachable(_) => {
            let sentence = format!(
                "the gateway at {gateway} cannot be reached: check gateway_url (CLOUDFLARE_GATEWAY_URL) and this machine's way to the internet"
            );
            (Meaning::new(ErrorKind::Unavailable, sentence), None, None, None)
        }
        Failure::Timeout => {
            let sentence =
                format!("the gateway at {gateway} did not answer in time: try again, or raise timeouts");
            (Meaning::new(ErrorKind::Timeout, sentence), None, None, None)
        }
        Failure::Nonsense { request_id, .. } => {
            let sentence = format!(
                "what answers at {gateway} does not speak as the gateway does: deploy the gateway of this version, or mend gateway_url"
            );
            (Meaning::new(ErrorKind::Protocol, sentence), None, request_id.clone(), None)
        }
    };
    let mut error = Error::new(meaning.kind, PLATFORM, operation, meaning.sentence);
    if let Some(retryable) = meaning.retryable {
        error = error.retryable(retryable);
    }
    if let Some(code) = code {
        error = error.with_code(code);
    }
    if let Some(id) = request_id {
        error = error.with_request_id(id);
    }
    if let Some(wait) = wait {
        error = error.with_retry_after(wait);
    }
    error.with_source(failure)
}

/// Every code of the gateway.
fn refusal(code: &str, message: &str, retry_after: Option<Duration>, about: Option<&str>) -> Option<Meaning> {
    let container = about.unwrap_or("of that id");
    let capacity = ErrorKind::Capacity(CapacityScope::Platform);
    let meaning = |kind, sentence: &str| Meaning::new(kind, sentence);
    Some(match code {
        "unauthorized" => meaning(
            ErrorKind::Auth,
            "the gateway does not take this token: set gateway_token (CLOUDFLARE_GATEWAY_TOKEN) to what `wrangler secret put GATEWAY_TOKEN` was given",
        ),
        "not_configured" => meaning(
            ErrorKind::Precondition,
            "the gateway has no token: give it one of at least 16 characters with `wrangler secret put GATEWAY_TOKEN`",
        ),
        "not_enabled" => meaning(
            ErrorKind::Precondition,
            "the gateway was deployed without containers: deploy it with the containers section of its wrangler.jsonc, on Workers Paid",
        ),
        "not_found" => Meaning::new(ErrorKind::NotFound, format!("there is no container {container}")),
        "conflict" => Meaning::new(
            ErrorKind::AlreadyExists,
            format!("the container {container} belongs to another deployment: use another gateway, or another session"),
        ),
        "destroyed" => meaning(ErrorKind::Gone, "the container was removed or replaced while it came up"),
        "not_running" => meaning(ErrorKind::Gone, "the container does not run: start it, or make another one"),
        "replaced" => meaning(ErrorKind::Gone, "the container was started anew, and what it knew is gone"),
        "no_capacity" => meaning(
            capacity,
            "Cloudflare has no free instance now: try again, or raise max_instances in the gateway's wrangler.jsonc",
        )
        .retryable(true),
        "max_instances" => meaning(
            capacity,
            "as many containers run as may: raise max_instances in the gateway's wrangler.jsonc, remove sessions, or ask Cloudflare for a higher limit of the account",
        ),
        "rate_limited" => meaning(
            ErrorKind::RateLimited { retry_after },
            "Cloudflare starts no more containers at this pace: launch more slowly",
        ),
        "no_such_port" | "not_listening" => {
            meaning(ErrorKind::Unavailable, "the container's agent server does not listen: try again")
        }
        "disconnected" => {
            meaning(ErrorKind::Unavailable, "the gateway's connection to the container broke: try again")
        }
        "exited" => Meaning::new(
            ErrorKind::Precondition,
            format!("{message}: deploy the gateway with the agent image (`cargo xtask image`)"),
        ),
        "ended_by_platform" => meaning(
            ErrorKind::Unavailable,
            "Cloudflare ended the container (a deployment, or a host that was restarted): try again",
        ),
        "not_ready" => meaning(
            ErrorKind::Timeout,
            "the container's agent server did not answer in time: raise ready_seconds, or deploy the gateway with the agent image",
        ),
        "no_such_image" => Meaning::new(
            ErrorKind::Precondition,
            format!("{message}: name one of these, or add it to images in the gateway's wrangler configuration"),
        ),
        "not_selectable" => meaning(
            ErrorKind::Invalid,
            "image and instance cannot be chosen: leave them out, or deploy the gateway with scheduling_policy durable_object",
        ),
        "invalid" => Meaning::new(ErrorKind::Invalid, format!("the gateway does not take this: {message}")),
        "no_such_route" | "method_not_allowed" => meaning(
            ErrorKind::Precondition,
            "the gateway is of another version: deploy the one of this version with `wrangler deploy`",
        ),
        "overloaded" => meaning(ErrorKind::Unavailable, "the container's Durable Object is overloaded: try again"),
        "redeployed" => meaning(ErrorKind::Unavailable, "the gateway was deployed anew this moment: try again"),
        "internal" => meaning(ErrorKind::Unavailable, "the gateway failed: `wrangler tail` says why"),
        _ => return None,
    })
}

/// A code that a later gateway may have.
fn unknown(status: u16, retry_after: Option<Duration>) -> Meaning {
    let kind = match status {
        401 | 403 => ErrorKind::Auth,
        404 => ErrorKind::NotFound,
        410 => ErrorKind::Gone,
        429 => ErrorKind::RateLimited { retry_after },
        400..=499 => ErrorKind::Precondition,
        _ => ErrorKind::Unavailable,
    };
    Meaning::new(
        kind,
        "the gateway refused for a reason that this version does not know: `wrangler tail` says more",
    )
}

/// An answer that is not the gateway's.
fn foreign(
    status: u16,
    number: Option<u16>,
    login: bool,
    retry_after: Option<Duration>,
    gateway: &Url,
) -> Meaning {
    let meaning = |kind, sentence: String| Meaning::new(kind, sentence);
    match (status, number) {
        (_, Some(1027)) => meaning(
            ErrorKind::Quota,
            "the account has used up its Workers requests of today: move it to Workers Paid".to_owned(),
        ),
        (429, _) | (_, Some(1015)) => meaning(
            ErrorKind::RateLimited { retry_after },
            "Cloudflare limits how often this machine may call: raise the rate limiting rule of the gateway's zone".to_owned(),
        ),
        (_, Some(1101 | 1102)) => {
            meaning(ErrorKind::Unavailable, "the gateway Worker failed: `wrangler tail` says why".to_owned())
        }
        (401 | 403, _) | (300..=399, _) if login || status >= 400 => meaning(
            ErrorKind::Auth,
            "Cloudflare does not let this client through: set access.client_id and access.client_secret (CF_ACCESS_CLIENT_ID, CF_ACCESS_CLIENT_SECRET), or allow it in Access and the firewall".to_owned(),
        ),
        (404, _) | (300..=399, _) | (530, _) => meaning(
            ErrorKind::Precondition,
            format!("there is no gateway at {gateway}: deploy it, or set gateway_url (CLOUDFLARE_GATEWAY_URL) to what `wrangler deploy` printed"),
        ),
        (413, _) => meaning(ErrorKind::Invalid, "the request is larger than Cloudflare takes".to_owned()),
        (500..=599, _) => meaning(ErrorKind::Unavailable, "Cloudflare fails before the gateway: try again".to_owned()),
        _ => meaning(
            ErrorKind::Protocol,
            format!("what answers at {gateway} does not speak as the gateway does: check gateway_url"),
        ),
    }
}
