//! The end of the program's work on a prompt.

use std::collections::BTreeMap;

use agcluster_protocol::{FailureReason, Limit, ModelUsage, Outcome, TurnEnd, Usage};
use serde_json::Value;

use crate::model_proxy::UNREACHABLE;

use super::{Ended, Fields, Said, Translator, user_messages};

impl Translator {
    pub(super) fn result(&mut self, mut fields: Fields, said: &mut Vec<Said>) {
        let messages = user_messages(&fields);
        let outcome = outcome(&fields);
        // The usage of the line is nothing when the turn was interrupted, and its cost is the whole session's: what came
        // since the last result is the turn's.
        let models = models(fields.get("model_usage_since_last_result"));
        let mut usage = Usage::default();
        for model in models.values() {
            usage += model.usage;
        }
        let cost_usd = models.values().filter_map(|model| model.cost_usd).reduce(|sum, cost| sum + cost);
        // What the program says instead of an answer of the model is told by the outcome.
        let failed = matches!(outcome, Outcome::Failed { .. });
        let end = TurnEnd {
            result: if failed { None } else { fields.take_string("result") },
            structured_output: fields.take("structured_output"),
            usage,
            models,
            cost_usd,
            ..TurnEnd::bare(outcome)
        };
        self.strip(&mut fields);
        said.push(Said::Ends(Box::new(Ended { messages, end, extra: fields.rest() })));
    }
}

fn outcome(fields: &Fields) -> Outcome {
    match fields.str("subtype") {
        "success" if fields.get("is_error") == true => failure(fields),
        "success" => Outcome::Completed,
        "error_max_turns" => Outcome::Limit { which: Limit::MaxTurns },
        "error_max_budget_usd" => Outcome::Limit { which: Limit::Budget },
        "error_max_structured_output_retries" => Outcome::Limit { which: Limit::StructuredOutputRetries },
        _ if fields.str("terminal_reason").starts_with("aborted") => Outcome::Interrupted,
        _ => {
            let errors = super::strings(fields.get("errors"));
            let message = match errors.first() {
                Some(error) => format!("the agent program reported an error: {error}"),
                None => "the agent program reported an error without a text".to_owned(),
            };
            Outcome::Failed { reason: FailureReason::AgentError, message }
        }
    }
}

/// The model could not be reached, or refused.
fn failure(fields: &Fields) -> Outcome {
    let status = fields.get("api_error_status").as_u64();
    let kind = fields.str("api_error_type");
    let text = words_of_the_api(fields.str("result"), status);
    let (reason, message) = match (status, kind) {
        (_, UNREACHABLE) => (FailureReason::ModelApi, text.to_owned()),
        (Some(401 | 403), _) | (_, "authentication_error" | "permission_error") => (
            FailureReason::ModelAuth,
            "the model API refused the key: check the API key of the launch".to_owned(),
        ),
        (Some(429), _) | (_, "rate_limit_error") => (
            FailureReason::ModelOverloaded,
            "the model API limits the rate of this key: try again later".to_owned(),
        ),
        (Some(503 | 529), _) | (_, "overloaded_error") => {
            (FailureReason::ModelOverloaded, "the model API is overloaded: try again later".to_owned())
        }
        (Some(status @ 500..), _) => (
            FailureReason::ModelApi,
            format!("the model API failed with status {status}, also when tried again: try again later"),
        ),
        (Some(status), _) => {
            let text = text.trim_start_matches(&format!("{status} "));
            (
                FailureReason::ModelApi,
                format!("the model API refused the request with status {status}: {text}"),
            )
        }
        (None, _) if fields.str("terminal_reason") == "api_error" => (
            FailureReason::ModelApi,
            "the connection to the model API failed: check that it can be reached from the container"
                .to_owned(),
        ),
        (None, _) => (FailureReason::AgentError, format!("the agent program reported an error: {text}")),
    };
    Outcome::Failed { reason, message }
}

/// What the model API said, out of what the program makes of it: `API Error: 500 … This is a server-side issue …`. The rest
/// would send people to look at the agent server's own port.
fn words_of_the_api(text: &str, status: Option<u64>) -> &str {
    let text = text.strip_prefix("API Error: ").unwrap_or(text);
    let status = status.map(|status| format!("{status} ")).unwrap_or_default();
    let text = text.strip_prefix(&status).unwrap_or(text);
    text.split(" This is a server-side issue").next().unwrap_or(text)
}

fn models(since_last: &Value) -> BTreeMap<String, ModelUsage> {
    let Some(models) = since_last.as_object() else { return BTreeMap::new() };
    let tokens = |model: &Value, name: &str| model[name].as_u64().unwrap_or_default();
    models
        .iter()
        .map(|(name, model)| {
            let usage = Usage {
                input_tokens: tokens(model, "inputTokens"),
                output_tokens: tokens(model, "outputTokens"),
                cache_read_tokens: tokens(model, "cacheReadInputTokens"),
                cache_write_tokens: tokens(model, "cacheCreationInputTokens"),
            };
            let cost_usd = model["costUSD"].as_f64();
            let context_window = model["contextWindow"].as_u64();
            (name.clone(), ModelUsage { usage, cost_usd, context_window })
        })
        .collect()
}
