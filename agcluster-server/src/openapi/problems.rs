//! What an operation can refuse, by codes.

use std::collections::BTreeMap;
use std::fmt::Write;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::registry;

/// No key was sent. For operations of a caller that name no session.
pub(crate) const CALLER: &[&str] = &["unauthorized"];
/// The session of the path cannot be had: for every operation that goes through
/// [`Caller::session`](crate::auth::Caller::session).
pub(crate) const SESSION: &[&str] = &["unauthorized", "invalid_path", "session_not_found"];
/// The job of the path cannot be had.
pub(crate) const JOB: &[&str] =
    &["unauthorized", "invalid_path", "job_not_found", "session_not_found", "store_unavailable"];
/// The query string is wrong.
pub(crate) const QUERY: &[&str] = &["invalid_query"];
/// The cursor is wrong, or what is behind it is no longer kept.
pub(crate) const CURSOR: &[&str] =
    &["invalid_query", "invalid_cursor", "cursor_expired", "cursor_in_future", "store_unavailable"];
/// The JSON body is wrong.
pub(crate) const BODY: &[&str] = &["invalid_json", "invalid_request", "too_large", "unsupported_media_type"];
/// The header `Idempotency-Key` is wrong.
pub(crate) const IDEMPOTENCY: &[&str] = &["idempotency_key_invalid", "idempotency_key_reused"];
/// The session is not fit for what needs its running agent server: asking it anything, the workspace included.
pub(crate) const RUNNING: &[&str] = &[
    "session_not_running",
    "session_unreachable",
    "session_removed",
    "credentials_required",
    "container_ended",
    "shutting_down",
    "store_unavailable",
];
/// The platform fails, for what makes, wakes or removes a container.
pub(crate) const PROVIDER: &[&str] = &[
    "provider_auth",
    "provider_not_found",
    "provider_gone",
    "provider_already_exists",
    "provider_capacity",
    "provider_rate_limited",
    "provider_quota",
    "provider_precondition",
    "provider_invalid",
    "provider_timeout",
    "provider_unavailable",
    "provider_unsupported",
    "provider_protocol",
];
/// The agent server or the agent fails, for what asks it anything.
pub(crate) const AGENT: &[&str] = &[
    "session_busy",
    "agent_invalid_request",
    "agent_unsupported",
    "agent_not_found",
    "agent_start_failed",
    "agent_timeout",
    "agent_refused",
    "agent_error",
];

/// The workspace refuses, for what asks for a path in it; with everything that asking the agent server takes.
pub(crate) const FILE: &[&str] =
    &["file_not_found", "wrong_file_type", "forbidden", "invalid_request", "agent_timeout", "agent_error"];

/// Makes a type for `responses(…)` of [`macro@utoipa::path`] from the codes that can come: `problems!(ReadProblems = SESSION, QUERY, ["too_large"])`.
macro_rules! problems {
    ($name:ident = $($codes:expr),+ $(,)?) => {
        $crate::openapi::problems::problems!($name in $crate::openapi::problems::PROBLEM => $($codes),+);
    };
    // In the shape of another API.
    ($name:ident in $shape:expr => $($codes:expr),+ $(,)?) => {
        struct $name;

        $(const _: () =
            assert!($crate::problem::registry::knows_all(&$codes), "a code is not in problem/registry.rs");)+

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::openapi::problems::responses($shape, &[$(&$codes[..]),+])
            }
        }
    };
}
pub(crate) use problems;

/// In which shape a problem is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The media type.
    pub(crate) media_type: &'static str,
    /// The schema.
    pub(crate) schema: &'static str,
    /// The object in it that has the code; none when it is the whole.
    pub(crate) within: Option<&'static str>,
}

/// Ours.
pub(crate) const PROBLEM: Shape =
    Shape { media_type: "application/problem+json", schema: "Problem", within: None };

/// One response for each status of these codes, with the codes that it can have.
pub(crate) fn responses(shape: Shape, groups: &[&[&'static str]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, BTreeMap<&str, &str>> = BTreeMap::new();
    for code in groups.iter().copied().flatten() {
        for known in registry::of(code) {
            by_status.entry(known.status).or_default().insert(known.code, known.meaning);
        }
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status.to_string(), response(shape, status, &codes).into()))
        .collect()
}

fn response(shape: Shape, status: u16, codes: &BTreeMap<&str, &str>) -> Response {
    let mut description = String::new();
    for (code, meaning) in codes {
        let _ = writeln!(description, "* `{code}`: {meaning}");
    }
    let text = || ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let code = text().enum_values(Some(codes.keys().copied()));
    let mut one_of_them = ObjectBuilder::new().property("code", code);
    if let Some(within) = shape.within {
        one_of_them = ObjectBuilder::new().property(within, one_of_them);
    }
    let schema = AllOfBuilder::new().item(Ref::from_schema_name(shape.schema)).item(one_of_them);
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response =
        ResponseBuilder::new().description(description.trim_end()).content(shape.media_type, content);
    match status {
        401 => response.header("WWW-Authenticate", HeaderBuilder::new().schema(Some(text())).build()),
        409 | 429 | 503 => {
            let seconds = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer));
            let header = HeaderBuilder::new()
                .schema(Some(seconds))
                .description(Some("Seconds to wait, where that helps"))
                .build();
            response.header("Retry-After", header)
        }
        _ => response,
    }
    .build()
}
