//! Token counts: not the vendor's, but of its size, and the same for the same request.

use serde::Serialize;
use serde_json::Value;

/// Usage as in the vendor's `message_start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Usage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    service_tier: &'static str,
}

impl Usage {
    /// Usage of a request before anything is answered. The last message is new; what is before it was written to
    /// the cache by the first request and is read from it by the others.
    pub(super) fn of_request(body: &Value) -> Self {
        let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        let fresh = messages.last().map_or(1, |message| tokens(&message.to_string()));
        let before = input_tokens(body).saturating_sub(fresh);
        let first = !messages.iter().any(|message| message["role"] == "assistant");
        let (creation, read) = if first { (before, 0) } else { (0, before) };
        Self {
            input_tokens: fresh,
            cache_creation_input_tokens: creation,
            cache_read_input_tokens: read,
            output_tokens: 1,
            service_tier: "standard",
        }
    }

    /// The same with what was answered.
    pub(super) fn with_output(self, output_tokens: u64) -> Self {
        Self { output_tokens: output_tokens.max(1), ..self }
    }
}

/// Tokens of a whole request.
pub(super) fn input_tokens(body: &Value) -> u64 {
    ["system", "tools", "messages"]
        .iter()
        .map(|field| &body[*field])
        .filter(|value| !value.is_null())
        .map(|value| tokens(&value.to_string()))
        .sum()
}

/// Tokens of a text: one for four characters, as is usual for English.
pub(super) fn tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}
