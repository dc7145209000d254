//! A conversation as a client sends it, whole each time, and what of it is new to an agent.

use agcluster_core::protocol::PromptBlock;

use super::{invalid, transcript};
use crate::Problem;

/// The longest system prompt, in bytes.
const MAX_SYSTEM: usize = 256 << 10;

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Whoever made the client.
    System,
    /// The user.
    User,
    /// The agent.
    Assistant,
    /// A tool of the client's.
    Tool,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Who said it.
    pub(crate) role: Role,
    /// What.
    pub(crate) content: Vec<PromptBlock>,
}

impl Message {
    /// A message of plain text.
    pub(crate) fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, content: vec![PromptBlock::text(text)] }
    }
}

/// A conversation, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// What the system says.
    pub(crate) system: Option<String>,
    /// What was said before.
    pub(crate) earlier: Vec<Message>,
    /// What the user has said since the agent last spoke.
    pub(crate) prompt: Vec<PromptBlock>,
}

impl Conversation {
    /// Takes messages apart that came as this parameter.
    pub(crate) fn of(param: &str, messages: Vec<Message>) -> Result<Self, Problem> {
        if messages.is_empty() {
            let detail = format!("{param} is empty: send at least one message of the user's");
            return Err(invalid(param, "messages_empty", detail));
        }
        let (system, mut said): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.role == Role::System);
        let from = said.iter().rposition(|message| message.role != Role::User).map_or(0, |last| last + 1);
        let prompt: Vec<PromptBlock> =
            said.split_off(from).into_iter().flat_map(|message| message.content).collect();
        if prompt.iter().all(is_blank) {
            return Err(match said.last() {
                None => {
                    let detail = "No user message found in request: send one with content";
                    invalid(param, "no_user_message", detail)
                }
                Some(_) => {
                    let detail = format!(
                        "the last of {param} must be the user's, with content: an agent cannot go on with what is put into its mouth"
                    );
                    invalid(param, "last_message_not_user", detail)
                }
            });
        }
        let system: Vec<String> = system.iter().map(|message| transcript::plain(&message.content)).collect();
        let system = Some(system.join("\n\n")).filter(|system| !system.trim().is_empty());
        if system.as_ref().is_some_and(|system| system.len() > MAX_SYSTEM) {
            let detail = format!("the system message is too long: at most {} KiB", MAX_SYSTEM >> 10);
            return Err(invalid(param, "system_too_long", detail));
        }
        Ok(Self { system, earlier: said, prompt })
    }

    /// The prompt for an agent that was told nothing yet, and what the system says where it does not know that either.
    pub(crate) fn told_from_the_beginning(self, with_system: bool) -> Vec<PromptBlock> {
        let system = self.system.filter(|_| with_system);
        let mut prompt = Vec::new();
        if system.is_some() || !self.earlier.is_empty() {
            prompt.push(PromptBlock::text(transcript::render(system.as_deref(), &self.earlier)));
        }
        // Pictures of earlier messages are still there to be looked at.
        let pictures = self.earlier.into_iter().flat_map(|message| message.content);
        prompt.extend(pictures.filter(|block| !matches!(block, PromptBlock::Text { .. })));
        prompt.extend(self.prompt);
        prompt
    }
}

fn is_blank(block: &PromptBlock) -> bool {
    matches!(block, PromptBlock::Text { text } if text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(all: &[(Role, &str)]) -> Vec<Message> {
        all.iter().map(|(role, text)| Message::text(*role, *text)).collect()
    }

    fn refusal(all: &[(Role, &str)]) -> &'static str {
        Conversation::of("messages", messages(all)).unwrap_err().code
    }

    #[test]
    fn what_the_user_said_since_the_agent_spoke_is_new() {
        let all = [
            (Role::System, "be kind"),
            (Role::User, "first"),
            (Role::Assistant, "yes?"),
            (Role::User, "second"),
            (Role::System, "and brief"),
            (Role::User, "third"),
        ];
        let conversation = Conversation::of("messages", messages(&all)).unwrap();
        assert_eq!(conversation.system.as_deref(), Some("be kind\n\nand brief"));
        assert_eq!(conversation.earlier, messages(&all[1..3]));
        assert_eq!(conversation.prompt, [PromptBlock::text("second"), PromptBlock::text("third")]);
    }

    #[test]
    fn a_conversation_without_a_question_is_refused() {
        assert_eq!(refusal(&[]), "messages_empty");
        assert_eq!(refusal(&[(Role::System, "be kind")]), "no_user_message");
        assert_eq!(refusal(&[(Role::User, " \n")]), "no_user_message");
        assert_eq!(refusal(&[(Role::User, "hi"), (Role::Assistant, "yes")]), "last_message_not_user");
        assert_eq!(refusal(&[(Role::User, "hi"), (Role::Tool, "42")]), "last_message_not_user");
        let long = "x".repeat(MAX_SYSTEM + 1);
        assert_eq!(refusal(&[(Role::System, &long), (Role::User, "hi")]), "system_too_long");
    }

    #[test]
    fn an_agent_that_knows_nothing_is_told_what_was_said() {
        let all =
            [(Role::System, "be kind"), (Role::User, "hi"), (Role::Assistant, "yes?"), (Role::User, "now")];
        let mut said = messages(&all);
        let picture = PromptBlock::Image { media_type: "image/png".into(), data: "aGk=".into() };
        said[1].content.push(picture.clone());
        let conversation = Conversation::of("messages", said).unwrap();
        let prompt = conversation.clone().told_from_the_beginning(false);
        assert_eq!(prompt[1..], [picture, PromptBlock::text("now")]);
        let PromptBlock::Text { text } = &prompt[0] else { panic!("{prompt:?}") };
        assert!(text.contains("User: hi") && text.contains("Assistant: yes?"), "{text}");
        assert!(!text.contains("be kind"), "{text}");
        let PromptBlock::Text { text } = &conversation.told_from_the_beginning(true)[0] else { panic!() };
        assert!(text.contains("System: be kind"), "{text}");
        let alone = Conversation::of("messages", messages(&all[3..])).unwrap();
        assert_eq!(alone.told_from_the_beginning(true), [PromptBlock::text("now")]);
    }
}
