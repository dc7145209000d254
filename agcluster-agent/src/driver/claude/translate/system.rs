//! What the program says about itself.

use agcluster_protocol::EventBody;
use agcluster_protocol::event::{McpServerStatus, Task, TaskEnd};
use serde_json::Value;

use super::{Fields, Said, Translator, event, user_messages, vendor};

impl Translator {
    pub(super) fn system(&mut self, mut fields: Fields, said: &mut Vec<Said>) {
        let body = match fields.str("subtype") {
            "init" => return self.init(fields, said),
            // What it says is said by turns and requests.
            "session_state_changed" => return,
            "status" => {
                if let Some(mode) = fields.get("permissionMode").as_str() {
                    said.push(Said::Mode(mode.to_owned()));
                }
                fields.remove_null("status");
                Some(EventBody::Status { status: fields.take_string("status") })
            }
            "api_retry" => retry(&mut fields),
            "permission_denied" => fields.take_string("tool_name").map(|tool| EventBody::PermissionDenied {
                tool,
                call_id: fields.take_string("tool_use_id"),
                message: fields.take_string("message"),
            }),
            "task_started" => task(&mut fields).map(EventBody::TaskStarted),
            "task_progress" | "task_updated" => task(&mut fields).map(EventBody::TaskProgress),
            "task_notification" => task_end(&mut fields).map(EventBody::TaskEnded),
            "background_tasks_changed" => {
                fields.take_array("tasks").map(|tasks| EventBody::BackgroundTasks { tasks })
            }
            "compact_boundary" => Some(compacted(&mut fields)),
            _ => None,
        };
        let Some(body) = body else { return vendor(fields, said) };
        let parent = self.strip(&mut fields);
        fields.remove("subtype");
        said.push(event(parent, fields, body));
    }

    fn init(&mut self, mut fields: Fields, said: &mut Vec<Said>) {
        let Some(conversation) = fields.take_string("session_id") else { return vendor(fields, said) };
        if conversation != self.conversation {
            self.conversation.clone_from(&conversation);
            let changed = EventBody::ConversationChanged { conversation: conversation.clone() };
            said.push(Said::Event(changed.into()));
        }
        said.push(Said::Begins(user_messages(&fields)));
        let model = fields.take_string("model");
        let permission_mode = fields.take_string("permissionMode");
        said.extend(permission_mode.clone().map(Said::Mode));
        let mcp_servers = servers(&mut fields);
        let failed = mcp_servers.iter().filter(|server| server.status == "failed");
        let failed: Vec<String> = failed.map(|server| server.name.clone()).collect();
        let tools = fields.take_strings("tools").unwrap_or_default();
        let parent = self.strip(&mut fields);
        fields.remove("subtype");
        let body = EventBody::AgentReady { conversation, model, permission_mode, tools, mcp_servers };
        said.push(event(parent, fields, body));
        said.push(Said::FailedServers(failed));
    }
}

/// The servers with their status; the list stays besides when it has more to say.
fn servers(fields: &mut Fields) -> Vec<McpServerStatus> {
    let list = fields.get("mcp_servers").as_array().map_or(&[][..], Vec::as_slice);
    let has_more = list.iter().any(|server| server.as_object().is_none_or(|fields| fields.len() > 2));
    let text = |server: &Value, name: &str| server[name].as_str().unwrap_or_default().to_owned();
    let servers = list
        .iter()
        .map(|server| McpServerStatus { name: text(server, "name"), status: text(server, "status") })
        .collect();
    if !has_more {
        fields.remove("mcp_servers");
    }
    servers
}

fn retry(fields: &mut Fields) -> Option<EventBody> {
    let attempt = fields.take_u32("attempt")?;
    fields.remove_null("error_status");
    let status = fields.take_u32("error_status");
    Some(EventBody::Retry {
        attempt,
        max_attempts: fields.take_u32("max_retries").unwrap_or_default(),
        delay_ms: take_milliseconds(fields),
        status: status.and_then(|status| u16::try_from(status).ok()),
        reason: fields.take_string("error"),
    })
}

/// The delay may have a fraction, which then also stays where it was.
fn take_milliseconds(fields: &mut Fields) -> u64 {
    if let Some(whole) = fields.take_u64("retry_delay_ms") {
        return whole;
    }
    let delay = fields.get("retry_delay_ms").as_f64().unwrap_or_default();
    if delay.is_finite() && delay > 0.0 { delay as u64 } else { 0 }
}

fn task(fields: &mut Fields) -> Option<Task> {
    Some(Task {
        task_id: fields.take_string("task_id")?,
        call_id: fields.take_string("tool_use_id"),
        kind: fields.take_string("task_type"),
        subagent: fields.take_string("subagent_type"),
        description: fields.take_string("description"),
    })
}

fn task_end(fields: &mut Fields) -> Option<TaskEnd> {
    if !fields.get("task_id").is_string() {
        return None;
    }
    let status = fields.take_string("status")?;
    Some(TaskEnd {
        task_id: fields.take_string("task_id")?,
        call_id: fields.take_string("tool_use_id"),
        status,
        summary: fields.take_string("summary"),
        usage: fields.take("usage"),
    })
}

fn compacted(fields: &mut Fields) -> EventBody {
    let mut metadata = fields.take_object("compact_metadata").unwrap_or_default();
    let trigger = metadata.take_string("trigger");
    let tokens_before = metadata.take_u64("pre_tokens");
    fields.put_back("compact_metadata", metadata);
    EventBody::Compacted { trigger, tokens_before }
}
