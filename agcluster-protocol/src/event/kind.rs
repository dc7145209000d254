//! The names of events.

use super::EventBody;

impl EventBody {
    /// Its `type` on the wire; `unknown` for one of a newer vocabulary, whatever that calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TurnStarted { .. } => "turn_started",
            Self::PromptAdded { .. } => "prompt_added",
            Self::AgentReady { .. } => "agent_ready",
            Self::MessageStarted { .. } => "message_started",
            Self::TextDelta { .. } => "text_delta",
            Self::ThinkingDelta { .. } => "thinking_delta",
            Self::ToolCallStarted { .. } => "tool_call_started",
            Self::ToolInputDelta { .. } => "tool_input_delta",
            Self::MessageEnded { .. } => "message_ended",
            Self::Text { .. } => "text",
            Self::Thinking { .. } => "thinking",
            Self::ToolCall { .. } => "tool_call",
            Self::Block { .. } => "block",
            Self::ToolResult { .. } => "tool_result",
            Self::Note { .. } => "note",
            Self::Todo { .. } => "todo",
            Self::Plan { .. } => "plan",
            Self::TaskStarted(_) => "task_started",
            Self::TaskProgress(_) => "task_progress",
            Self::TaskEnded(_) => "task_ended",
            Self::BackgroundTasks { .. } => "background_tasks",
            Self::PermissionRequested(_) => "permission_requested",
            Self::QuestionAsked { .. } => "question_asked",
            Self::RequestAnswered(_) => "request_answered",
            Self::RequestResolved { .. } => "request_resolved",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::Retry { .. } => "retry",
            Self::Status { .. } => "status",
            Self::ModeChanged { .. } => "mode_changed",
            Self::ModelChanged { .. } => "model_changed",
            Self::Compacted { .. } => "compacted",
            Self::ConversationChanged { .. } => "conversation_changed",
            Self::Transcript { .. } => "transcript",
            Self::AgentExited { .. } => "agent_exited",
            Self::SessionChanged { .. } => "session_changed",
            Self::Notice { .. } => "notice",
            Self::Vendor { .. } => "vendor",
            Self::TurnStuck { .. } => "turn_stuck",
            Self::TurnEnded(_) => "turn_ended",
            Self::Unknown(_) => "unknown",
        }
    }
}
