//! OpenAI's shapes, for the description of routes: what `render` and `projection` make of a turn.
#![allow(dead_code, reason = "these describe what is rendered")]

use std::collections::HashMap;

use serde_json::Value;
use utoipa::ToSchema;

use super::error::OpenAiError;
use crate::openapi::schemas::any_of::AnyOf;
use crate::openapi::schemas::nothing::Null;

/// A datum of a completion's stream.
pub(super) type CompletionDatum = AnyOf<CompletionChunk, OpenAiError>;

/// A completion.
#[derive(ToSchema)]
pub(super) struct Completion {
    id: String,
    /// `chat.completion`.
    object: String,
    /// In seconds since 1970.
    created: i64,
    model: String,
    /// One.
    choices: Vec<CompletionChoice>,
    usage: CompletionUsage,
}

/// What came of it.
#[derive(ToSchema)]
struct CompletionChoice {
    index: u32,
    message: CompletionAnswer,
    /// None: an agent gives no probabilities.
    logprobs: Null,
    /// `stop`, or `length` for a turn that was cut off.
    finish_reason: String,
}

/// What the agent said.
#[derive(ToSchema)]
struct CompletionAnswer {
    /// `assistant`.
    role: String,
    content: String,
    refusal: Option<String>,
    /// What it thought and did.
    #[schema(required = false)]
    reasoning_content: Option<String>,
}

/// Tokens.
#[derive(ToSchema)]
struct CompletionUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: CachedTokens,
}

/// Of which so many were in the model's cache.
#[derive(ToSchema)]
struct CachedTokens {
    cached_tokens: u64,
}

/// A piece of a completion. The last datum is `[DONE]`.
#[derive(ToSchema)]
pub(super) struct CompletionChunk {
    id: String,
    /// `chat.completion.chunk`.
    object: String,
    created: i64,
    model: String,
    /// One, and none in the chunk that has the usage.
    choices: Vec<ChunkChoice>,
    /// In the last chunk, for `include_usage`.
    usage: Option<CompletionUsage>,
}

#[derive(ToSchema)]
struct ChunkChoice {
    index: u32,
    delta: ChunkDelta,
    finish_reason: Option<String>,
}

/// What there is more of.
#[derive(ToSchema)]
struct ChunkDelta {
    role: Option<String>,
    content: Option<String>,
    reasoning_content: Option<String>,
}

/// A response.
#[derive(ToSchema)]
pub(super) struct ResponseObject {
    id: String,
    /// `response`.
    object: String,
    /// In seconds since 1970.
    created_at: i64,
    /// `queued`, `in_progress`, `completed`, `incomplete`, `cancelled` or `failed`.
    status: String,
    background: bool,
    error: Option<ResponseFailure>,
    incomplete_details: Option<HashMap<String, String>>,
    instructions: Option<String>,
    max_output_tokens: Option<u64>,
    /// As it was sent.
    metadata: HashMap<String, Value>,
    model: String,
    output: Vec<ResponseItem>,
    parallel_tool_calls: bool,
    previous_response_id: Option<String>,
    reasoning: HashMap<String, Option<String>>,
    store: bool,
    temperature: Option<f64>,
    text: ResponseText,
    tool_choice: String,
    /// None: an agent has its own.
    #[schema(max_items = 0)]
    tools: Vec<Value>,
    top_p: Option<f64>,
    truncation: String,
    usage: Option<ResponseUsage>,
    user: Option<String>,
}

/// What its text is.
#[derive(ToSchema)]
struct ResponseText {
    format: ResponseTextFormat,
}

#[derive(ToSchema)]
struct ResponseTextFormat {
    /// `text`.
    r#type: String,
}

/// Why a response failed.
#[derive(ToSchema)]
struct ResponseFailure {
    code: String,
    message: String,
}

/// An item of a response.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ResponseItem {
    /// What the agent said.
    Message {
        id: String,
        /// `in_progress` or `completed`.
        status: String,
        /// `assistant`.
        role: String,
        content: Vec<ResponsePart>,
    },
    /// What it thought and did.
    Reasoning { id: String, status: String, summary: Vec<ResponsePart> },
}

/// A part of an item.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ResponsePart {
    /// Of what was said.
    OutputText {
        text: String,
        #[schema(max_items = 0)]
        annotations: Vec<Value>,
        #[schema(max_items = 0)]
        logprobs: Vec<Value>,
    },
    /// Of what was thought and done.
    SummaryText { text: String },
}

/// Tokens.
#[derive(ToSchema)]
struct ResponseUsage {
    input_tokens: u64,
    input_tokens_details: CachedTokens,
    output_tokens: u64,
    output_tokens_details: ReasoningTokens,
    total_tokens: u64,
}

/// Of which so many were thoughts, as far as that is known.
#[derive(ToSchema)]
struct ReasoningTokens {
    reasoning_tokens: u64,
}

/// An event of a response's stream. Each has a `sequence_number`, behind which it can be read on.
#[derive(ToSchema)]
#[serde(tag = "type")]
pub(super) enum ResponseEvent {
    #[serde(rename = "response.created")]
    Created { sequence_number: u64, response: ResponseObject },
    #[serde(rename = "response.in_progress")]
    InProgress { sequence_number: u64, response: ResponseObject },
    /// An item without content.
    #[serde(rename = "response.output_item.added")]
    ItemAdded { sequence_number: u64, output_index: u64, item: ResponseItem },
    #[serde(rename = "response.content_part.added")]
    PartAdded {
        sequence_number: u64,
        output_index: u64,
        item_id: String,
        content_index: u64,
        part: ResponsePart,
    },
    /// A piece of what is said.
    #[serde(rename = "response.output_text.delta")]
    TextDelta {
        sequence_number: u64,
        output_index: u64,
        item_id: String,
        content_index: u64,
        delta: String,
        #[schema(max_items = 0)]
        logprobs: Vec<Value>,
    },
    #[serde(rename = "response.output_text.done")]
    TextDone {
        sequence_number: u64,
        output_index: u64,
        item_id: String,
        content_index: u64,
        text: String,
        #[schema(max_items = 0)]
        logprobs: Vec<Value>,
    },
    #[serde(rename = "response.content_part.done")]
    PartDone {
        sequence_number: u64,
        output_index: u64,
        item_id: String,
        content_index: u64,
        part: ResponsePart,
    },
    #[serde(rename = "response.reasoning_summary_part.added")]
    SummaryAdded {
        sequence_number: u64,
        output_index: u64,
        item_id: String,
        summary_index: u64,
        part: ResponsePart,
    },
    /// A piece of what is thought or done.
    #[serde(rename = "response.reasoning_summary_text.delta")]
    SummaryDelta {
        sequence_number: u64,
        output_index: u64,
        item_id: String,
        summary_index: u64,
        delta: String,
    },
    #[serde(rename = "response.reasoning_summary_text.done")]
    SummaryTextDone {
        sequence_number: u64,
        output_index: u64,
        item_id: String,
        summary_index: u64,
        text: String,
    },
    #[serde(rename = "response.reasoning_summary_part.done")]
    SummaryDone {
        sequence_number: u64,
        output_index: u64,
        item_id: String,
        summary_index: u64,
        part: ResponsePart,
    },
    /// The whole item.
    #[serde(rename = "response.output_item.done")]
    ItemDone { sequence_number: u64, output_index: u64, item: ResponseItem },
    /// The whole response. Nothing follows.
    #[serde(rename = "response.completed")]
    Completed { sequence_number: u64, response: ResponseObject },
    /// It was cut off. Nothing follows.
    #[serde(rename = "response.incomplete")]
    Incomplete { sequence_number: u64, response: ResponseObject },
    /// The turn failed. Nothing follows.
    #[serde(rename = "response.failed")]
    Failed { sequence_number: u64, response: ResponseObject },
    /// The stream cannot go on.
    #[serde(rename = "error")]
    Error { sequence_number: u64, code: String, message: String, param: Option<String> },
}
