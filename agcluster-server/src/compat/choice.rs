//! Which session a request belongs to, as it says itself.

use agcluster_core::protocol::TurnId;
use axum::http::{HeaderMap, StatusCode};
use uuid::Uuid;

use super::{about, invalid};
use crate::Problem;

/// Names a session that must be there.
const SESSION: &str = "x-session-id";
/// Name conversations, the first that is sent counting: header, and what its names are told apart by.
const CONVERSATIONS: [(&str, &str); 2] =
    [("x-conversation-id", "conversation"), ("x-openwebui-chat-id", "open-webui")];
/// What clients send for a conversation that has no name yet.
const UNNAMED: [&str; 4] = ["", "new", "null", "undefined"];
/// The longest name.
const MAX_LENGTH: usize = 255;

/// Which session a request belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This one, which must be there.
    Session(String),
    /// The one of this turn.
    After(TurnId),
    /// The one of the conversation of this name.
    Conversation(String),
    /// One of its own.
    Own,
}

impl Choice {
    /// Reads what a request says, what comes first here counting: `X-Session-ID`, `X-Conversation-ID`, the header of Open
    /// WebUI, the response it goes on from, the user's name in this parameter.
    pub(crate) fn of(
        headers: &HeaderMap,
        previous: Option<&str>,
        user: Option<(&str, &str)>,
    ) -> Result<Self, Problem> {
        if let Some(id) = named(headers, SESSION)? {
            return Ok(Self::Session(id));
        }
        for (header, kind) in CONVERSATIONS {
            if let Some(name) = named(headers, header)? {
                // A client that names conversations, but not this one yet, does not mean the user's.
                let unnamed = UNNAMED.contains(&&*name) || name.starts_with("{{");
                return Ok(if unnamed { Self::Own } else { Self::Conversation(format!("{kind}:{name}")) });
            }
        }
        if let Some(previous) = previous {
            return Ok(Self::After(response_turn(previous).ok_or_else(|| no_response(previous))?));
        }
        match user {
            Some((param, name)) if !name.is_empty() => {
                let is_usable = name.len() <= MAX_LENGTH && !name.chars().any(char::is_control);
                if !is_usable {
                    let detail =
                        format!("{param} must have at most {MAX_LENGTH} characters, none of control");
                    return Err(invalid(param, "user_invalid", detail));
                }
                Ok(Self::Conversation(format!("user:{name}")))
            }
            _ => Ok(Self::Own),
        }
    }
}

/// The value of a header that is sent.
fn named(headers: &HeaderMap, header: &str) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(header) else { return Ok(None) };
    // A value that is a `str` is printable ASCII, or a tab.
    let value = value.to_str().ok().map(str::trim).filter(|value| value.len() <= MAX_LENGTH);
    let value = value.ok_or_else(|| {
        let detail = format!("{header} must have at most {MAX_LENGTH} printable ASCII characters");
        invalid(header, "conversation_id_invalid", detail)
    })?;
    Ok(Some(value.to_owned()))
}

/// The turn of a response's name.
pub(crate) fn response_turn(id: &str) -> Option<TurnId> {
    let text = id.strip_prefix("resp_")?;
    let turn = TurnId(Uuid::try_parse(text).ok()?);
    (response_id(turn) == id).then_some(turn)
}

/// The name of a turn as a response.
pub(crate) fn response_id(turn: TurnId) -> String {
    format!("resp_{}", turn.0.simple())
}

/// 404: there is no response of that name, or it is somebody else's, or its session is gone.
pub(crate) fn no_response(id: &str) -> Problem {
    let id: String = id.chars().take(100).collect();
    let detail = format!(
        "there is no response {id:?}, or its session is gone: send the conversation without previous_response_id"
    );
    about("previous_response_id", Problem::new(StatusCode::NOT_FOUND, "previous_response_not_found", detail))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn conversation(name: &str) -> Choice {
        Choice::Conversation(name.to_owned())
    }

    #[test]
    fn what_names_the_session_more_closely_counts() {
        let turn = TurnId::generate();
        let previous = response_id(turn);
        let mut sent =
            vec![("x-session-id", "conv-1"), ("x-conversation-id", "c"), ("x-openwebui-chat-id", "w")];
        let expected = [
            Choice::Session("conv-1".to_owned()),
            conversation("conversation:c"),
            conversation("open-webui:w"),
            Choice::After(turn),
        ];
        for expected in expected {
            let choice = Choice::of(&headers(&sent), Some(&previous), Some(("user", "u"))).unwrap();
            assert_eq!(choice, expected);
            if !sent.is_empty() {
                sent.remove(0);
            }
        }
        assert_eq!(Choice::of(&headers(&[]), None, Some(("user", "u"))).unwrap(), conversation("user:u"));
        assert_eq!(Choice::of(&headers(&[]), None, Some(("user", ""))).unwrap(), Choice::Own);
        assert_eq!(Choice::of(&headers(&[]), None, None).unwrap(), Choice::Own);
    }

    #[test]
    fn a_conversation_that_has_no_name_yet_is_not_the_user_s() {
        for unnamed in ["", " ", "new", "null", "undefined", "{{LIBRECHAT_BODY_CONVERSATIONID}}"] {
            let sent = headers(&[("x-conversation-id", unnamed)]);
            assert_eq!(Choice::of(&sent, None, Some(("user", "u"))).unwrap(), Choice::Own, "{unnamed:?}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_one_is_refused() {
        let long: &'static str = "x".repeat(MAX_LENGTH + 1).leak();
        assert!(Choice::of(&headers(&[("x-conversation-id", long)]), None, None).is_err());
        assert!(Choice::of(&headers(&[]), None, Some(("user", long))).is_err());
        assert!(Choice::of(&headers(&[]), None, Some(("user", "a\u{1}b"))).is_err());
        for bad in ["", "resp_", "resp_1", "01890a5d", "resp_01890A5DAC96774BBCCEB302099A8057"] {
            assert_eq!(response_turn(bad), None, "{bad}");
        }
    }
}
