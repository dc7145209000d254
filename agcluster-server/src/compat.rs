//! What the OpenAI-compatible and the Anthropic-compatible API have in common: the model APIs' ways of talking, over sessions.
//!
//! A request ([`talk`]) brings a whole conversation; a session has it already. So it is led to its session ([`choice`],
//! [`open`]), only what is new in it becomes the prompt ([`messages`]), and the turn's events are told in pieces
//! ([`pieces`]) that each API puts into its own shape.

pub(crate) mod answer;
pub(crate) mod choice;
pub(crate) mod failure;
pub(crate) mod helper;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod open;
pub(crate) mod pieces;
pub(crate) mod reshape;
pub(crate) mod stream;
pub(crate) mod talk;
mod transcript;

#[cfg(test)]
pub(crate) mod sample;

use agcluster_core::protocol::TurnId;
use utoipa::IntoParams;

use crate::Problem;
use crate::problem::FieldProblem;

/// The headers of every request that talks to an agent, as they are described. They are read by [`choice`].
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it describes what is read elsewhere")]
pub(crate) struct Headers {
    /// The session; it must be there.
    #[param(rename = "X-Session-ID")]
    session: Option<String>,
    /// The conversation, whose session is launched when there is none.
    #[param(rename = "X-Conversation-ID")]
    conversation: Option<String>,
    /// The same, as Open WebUI sends it.
    #[param(rename = "X-OpenWebUI-Chat-Id")]
    chat: Option<String>,
    /// Makes the request safe to repeat: 1 to 255 printable ASCII characters.
    #[param(rename = "Idempotency-Key")]
    key: Option<String>,
    /// The last frame that the client has of the answer that it asks for again with its key.
    #[param(rename = "Last-Event-ID")]
    last: Option<String>,
}

/// What every route that talks to an agent may refuse, besides what all do.
pub(crate) const TALK: &[&str] = &[
    "config_invalid",
    "content_type_unsupported",
    "conversation_id_invalid",
    "file_invalid",
    "file_type_unsupported",
    "idempotency_key_missing",
    "image_invalid",
    "image_type_unsupported",
    "last_message_not_user",
    "messages_empty",
    "model_api",
    "model_auth",
    "model_not_found",
    "model_overloaded",
    "no_user_message",
    "queue_full",
    "session_id_missing",
    "session_not_found",
    "system_too_long",
    "turn_failed",
    "unsupported_parameter",
    "user_invalid",
];

/// When a turn was promised, in seconds: its name says so, so that it is the same whenever it is told.
pub(crate) fn begun(turn: TurnId) -> i64 {
    let seconds = turn.0.get_timestamp().map_or(0, |at| at.to_unix().0);
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// Why a client's own tools are refused.
pub(crate) const OWN_TOOLS: &str =
    "the agent has its configuration's tools, and none of the client's: leave this out";
/// Why probabilities of tokens are refused.
pub(crate) const NO_PROBABILITIES: &str = "probabilities of tokens are not known: leave this out";
/// Why a format of the answer is refused.
pub(crate) const NO_FORMAT: &str =
    "an agent's answer has no format that can be promised: ask for it in the message";

/// Refuses the first parameter that asks for what would change what an answer means: whether it does, its name, and why not.
pub(crate) fn supported<const N: usize>(asked: [(bool, &str, &str); N]) -> Result<(), Problem> {
    match asked.into_iter().find(|(is_asked, ..)| *is_asked) {
        None => Ok(()),
        Some((_, param, why)) => Err(invalid(param, "unsupported_parameter", why)),
    }
}

/// 400: this parameter of the request cannot be as it is.
pub(crate) fn invalid(param: &str, code: &'static str, detail: impl Into<String>) -> Problem {
    about(param, Problem::bad_request(code, detail))
}

/// Says which parameter of the request a problem is about.
pub(crate) fn about(param: &str, mut problem: Problem) -> Problem {
    problem.errors = [FieldProblem { field: param.to_owned(), message: problem.detail.clone() }].into();
    problem
}
