//! Responses as OpenAI's clients read them.

use std::collections::HashMap;

use agcluster_core::protocol::{TurnId, Usage};
use agcluster_core::store::TurnRecord;
use serde_json::{Value, json};

use super::request::ResponsesRequest;
use crate::Problem;
use crate::compat::answer::Part;
use crate::compat::begun;
use crate::compat::failure::Finish;

/// What a response says of itself, besides what came of it.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    turn: TurnId,
    created_at: i64,
    model: String,
    instructions: Option<String>,
    previous: Option<String>,
    metadata: HashMap<String, Value>,
    user: Option<String>,
    store: bool,
    background: bool,
}

impl Settings {
    /// Of a response that is being asked for.
    pub(super) fn of(turn: TurnId, request: &ResponsesRequest) -> Self {
        Self {
            turn,
            created_at: begun(turn),
            model: request.model.clone(),
            instructions: request.instructions.clone(),
            previous: request.previous_response_id.clone(),
            metadata: request.metadata.clone().unwrap_or_default(),
            user: request.user.clone(),
            store: request.store,
            background: request.background,
        }
    }

    /// Of one that was asked for before, as far as that is known still.
    pub(super) fn again(turn: &TurnRecord, config: &str) -> Self {
        Self {
            turn: turn.id,
            created_at: begun(turn.id),
            model: config.to_owned(),
            instructions: None,
            previous: None,
            metadata: HashMap::new(),
            user: None,
            store: true,
            background: turn.background,
        }
    }

    /// Whose response it is.
    pub(super) fn turn(&self) -> TurnId {
        self.turn
    }

    /// A response that is not over.
    pub(super) fn unfinished(&self, status: &str) -> Value {
        self.render(status, &Output::default(), None)
    }

    /// A response that is over.
    pub(super) fn finished(&self, output: &Output, finish: Finish, usage: &Usage) -> Value {
        let status = match finish {
            Finish::Done => "completed",
            Finish::Limit => "incomplete",
            Finish::Interrupted => "cancelled",
        };
        let mut response = self.render(status, output, Some(usage));
        if finish == Finish::Limit {
            // Of OpenAI's reasons the one that means a limit.
            response["incomplete_details"] = json!({ "reason": "max_output_tokens" });
        }
        response
    }

    /// A response that failed.
    pub(super) fn failed(&self, output: &Output, problem: &Problem) -> Value {
        let mut response = self.render("failed", output, None);
        response["error"] = json!({ "code": problem.code, "message": problem.detail });
        response
    }

    fn render(&self, status: &str, output: &Output, usage: Option<&Usage>) -> Value {
        json!({
            "id": super::name(self.turn),
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": self.background,
            "error": null,
            "incomplete_details": null,
            "instructions": self.instructions,
            "max_output_tokens": null,
            "metadata": self.metadata,
            "model": self.model,
            "output": output.items.iter().map(Item::render).collect::<Vec<_>>(),
            "parallel_tool_calls": true,
            "previous_response_id": self.previous,
            "reasoning": { "effort": null, "summary": null },
            "store": self.store,
            "temperature": null,
            "text": { "format": { "type": "text" } },
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": usage.map(self::usage),
            "user": self.user,
        })
    }
}

fn usage(usage: &Usage) -> Value {
    let input = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": usage.cache_read_tokens },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": input + usage.output_tokens,
    })
}

/// What came of it: messages, and between them what was thought and done.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// In order.
    pub(super) items: Vec<Item>,
}

/// An item of the output.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its name.
    pub(super) id: String,
    /// Whether it is what was said, and not what was thought and done.
    pub(super) is_message: bool,
    /// All of it.
    pub(super) text: String,
}

impl Output {
    /// Of a whole answer.
    pub(super) fn of(parts: Vec<Part>, turn: TurnId) -> Self {
        let mut output = Self::default();
        for part in parts {
            let (is_message, text) = match part {
                Part::Text(text) => (true, text),
                Part::Thought(text, _) => (false, text + "\n\n"),
                Part::Acts(text) => (false, text),
            };
            match output.items.last_mut().filter(|item| item.is_message == is_message) {
                Some(item) if is_message => item.text = format!("{}\n\n{text}", item.text),
                Some(item) => item.text.push_str(&text),
                None => {
                    output.begin(is_message, turn).text = text;
                }
            }
        }
        output
    }

    /// Begins another item.
    pub(super) fn begin(&mut self, is_message: bool, turn: TurnId) -> &mut Item {
        let kind = if is_message { "msg" } else { "rs" };
        let id = format!("{kind}_{}_{}", turn.0.simple(), self.items.len());
        self.items.push(Item { id, is_message, text: String::new() });
        let last = self.items.len() - 1;
        &mut self.items[last]
    }
}

impl Item {
    /// The whole item.
    pub(super) fn render(&self) -> Value {
        if self.is_message {
            json!({
                "id": self.id, "type": "message", "status": "completed", "role": "assistant",
                "content": [self.part()],
            })
        } else {
            json!({ "id": self.id, "type": "reasoning", "status": "completed", "summary": [self.part()] })
        }
    }

    /// The item as it begins.
    pub(super) fn render_begun(&self) -> Value {
        if self.is_message {
            json!({
                "id": self.id, "type": "message", "status": "in_progress", "role": "assistant", "content": [],
            })
        } else {
            json!({ "id": self.id, "type": "reasoning", "status": "in_progress", "summary": [] })
        }
    }

    /// Its one part, as far as it is.
    pub(super) fn part(&self) -> Value {
        if self.is_message {
            json!({ "type": "output_text", "text": self.text, "annotations": [], "logprobs": [] })
        } else {
            json!({ "type": "summary_text", "text": self.text })
        }
    }
}
