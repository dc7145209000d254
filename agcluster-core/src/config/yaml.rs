//! YAML text to a tree, with little trust: strict booleans, no duplicate keys, and a budget that a real
//! configuration never touches and an expansion bomb always does.

use std::borrow::Cow;

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error, MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::node::{Kind, Node};
use super::problem::{ConfigError, FieldProblem, Position};

/// The longest document in bytes.
pub(super) const MAX_DOCUMENT: usize = 256 * 1024;

/// Deeper than any field of the format, shallow enough for every stack.
const MAX_DEPTH: usize = 16;

/// Far more values than a configuration has.
const MAX_NODES: usize = 10_000;

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(MAX_DOCUMENT),
            max_events: 4 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 1,
            max_aliases: 200,
            max_anchors: 200,
            max_merge_keys: 200,
            max_recorded_anchor_events: MAX_NODES,
            max_recorded_anchor_bytes: MAX_DOCUMENT,
            max_total_scalar_bytes: 2 * MAX_DOCUMENT,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 4,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, ConfigError> {
    if text.len() > MAX_DOCUMENT {
        let message = format!("the document is larger than {} KiB; make it smaller", MAX_DOCUMENT / 1024);
        return Err(ConfigError::one(FieldProblem::sentence("", message)));
    }
    serde_saphyr::from_str_with_options::<Spanned<Kind>>(text, options()).map(Node::from).map_err(|error| {
        let position = error.location().and_then(|location| {
            Some(Position {
                line: u32::try_from(location.line()).ok()?,
                column: u32::try_from(location.column()).ok()?,
            })
        });
        let message = format!("the document is not valid YAML: {}", reason(error.without_snippet()));
        ConfigError::one(FieldProblem::sentence("", message).at(position.filter(|at| at.line > 0)))
    })
}

/// What is wrong, in words for the author of the document.
fn reason(error: &Error) -> Cow<'_, str> {
    match error {
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } | Error::MultipleDocuments { .. } => {
            "it holds more than one document; keep one of them".into()
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "it is deeper, longer or more repetitive than any configuration; make it smaller".into()
        }
        Error::Unexpected { expected: "string scalar", .. } => "a key must be a plain text".into(),
        error => UserMessageFormatter.format_message(error),
    }
}
