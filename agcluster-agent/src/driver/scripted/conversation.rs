//! What a scripted agent remembers: the prompts it was given.

use agcluster_protocol::{EventBody, TranscriptFile, TurnId};
use serde_json::{Value, json};

use crate::driver::DriverError;
use crate::recorder::Recorder;

/// The prompts of a conversation, oldest first. Each is told as a transcript, so that another agent can take it up.
pub(super) struct Conversation {
    id: String,
    prompts: Vec<String>,
}

impl Conversation {
    pub(super) fn new() -> Self {
        Self { id: uuid::Uuid::new_v4().to_string(), prompts: Vec::new() }
    }

    /// Takes a conversation up, and says whether anything of it is known.
    pub(super) fn resume(id: String, transcript: &[TranscriptFile]) -> Result<(Self, bool), DriverError> {
        let mut conversation = Self { id, prompts: Vec::new() };
        let mut found = false;
        for file in transcript {
            let path = file.checked_path().map_err(|error| DriverError::Invalid(error.to_string()))?;
            if path.to_str() == Some(&conversation.path()) {
                found = true;
                let prompts = file.entries.iter().filter_map(|entry| entry["text"].as_str());
                conversation.prompts.extend(prompts.map(str::to_owned));
            }
        }
        Ok((conversation, found))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn prompted(&mut self, recorder: &Recorder, turn: TurnId, text: &str) {
        self.prompts.push(text.to_owned());
        let entries = vec![json!({"type": "user", "text": text})];
        recorder.record(Some(turn), EventBody::Transcript { path: self.path(), entries }.into());
    }

    /// All prompts but the newest, as a JSON list.
    pub(super) fn recall(&self) -> String {
        let earlier = self.prompts.len().saturating_sub(1);
        self.prompts[..earlier]
            .iter()
            .map(|prompt| Value::from(prompt.as_str()))
            .collect::<Value>()
            .to_string()
    }

    /// Begins a new one.
    pub(super) fn clear(&mut self, recorder: &Recorder, turn: TurnId) {
        *self = Self::new();
        let changed = EventBody::ConversationChanged { conversation: self.id.clone() };
        recorder.record(Some(turn), changed.into());
    }

    fn path(&self) -> String {
        format!(".scripted/{}.jsonl", self.id)
    }
}
