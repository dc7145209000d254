//! A turn that the program works on, with the prompts that were added to it.

use agcluster_protocol::{PromptId, TurnEnd, TurnId};

pub(super) struct Working {
    pub(super) turn: TurnId,
    /// Whether the program has said that it works on it.
    pub(super) started: bool,
    pub(super) model_calls: u32,
    added: Vec<Added>,
    /// What came of it before a prompt was taken up that had been added too late for the program's first work.
    so_far: Option<TurnEnd>,
}

/// A prompt that was added and is not done yet.
struct Added {
    id: String,
    /// Whether the program has taken it up.
    taken_up: bool,
}

impl Working {
    pub(super) fn new(turn: TurnId, started: bool) -> Self {
        Self { turn, started, model_calls: 0, added: Vec::new(), so_far: None }
    }

    pub(super) fn add(&mut self, id: PromptId) {
        self.added.push(Added { id: id.to_string(), taken_up: false });
    }

    /// Whether any of these messages is of this turn.
    pub(super) fn is_named(&self, messages: &[String]) -> bool {
        let turn = self.turn.to_string();
        messages.iter().any(|message| *message == turn || self.added.iter().any(|added| added.id == *message))
    }

    /// Takes note of messages that the program takes up; says whether any is of this turn.
    pub(super) fn takes_up(&mut self, messages: &[String]) -> bool {
        for added in self.added.iter_mut().filter(|added| messages.contains(&added.id)) {
            added.taken_up = true;
        }
        self.is_named(messages)
    }

    /// Takes note of messages that the program is done with; says whether any was added.
    pub(super) fn done_with(&mut self, messages: &[String]) -> bool {
        let before = self.added.len();
        self.added.retain(|added| !messages.contains(&added.id));
        self.added.len() < before
    }

    /// Whether a prompt was added that the program has not taken up.
    pub(super) fn has_more(&self) -> bool {
        self.added.iter().any(|added| !added.taken_up)
    }

    pub(super) fn has_result(&self) -> bool {
        self.so_far.is_some()
    }

    /// Keeps the result of a part of the work.
    pub(super) fn so_far(&mut self, end: TurnEnd) {
        self.so_far = Some(self.whole(end));
    }

    /// The end of the whole turn, of which this is the last part.
    pub(super) fn whole(&self, mut end: TurnEnd) -> TurnEnd {
        let Some(so_far) = &self.so_far else { return end };
        end.usage += so_far.usage;
        for (name, before) in &so_far.models {
            let model = end.models.entry(name.clone()).or_default();
            model.usage += before.usage;
            model.cost_usd = sum(model.cost_usd, before.cost_usd);
            model.context_window = model.context_window.or(before.context_window);
        }
        end.cost_usd = sum(end.cost_usd, so_far.cost_usd);
        end.result = end.result.or_else(|| so_far.result.clone());
        end.structured_output = end.structured_output.or_else(|| so_far.structured_output.clone());
        end
    }
}

fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(|sum, cost| sum + cost)
}
