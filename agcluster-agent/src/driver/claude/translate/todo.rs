//! The list of things to do, and plans, out of the calls of the tools that the model keeps them with.

use std::collections::{BTreeMap, HashMap};

use agcluster_protocol::EventBody;
use agcluster_protocol::event::{TodoItem, TodoStatus};
use serde_json::Value;

/// Tool calls whose result is still awaited; more than that are never open at once.
const MOST_OPEN: usize = 64;

/// What is known of the list.
///
/// `TodoWrite` gives it whole with each call. `TaskCreate` and `TaskUpdate` change one item each, and only their results
/// say which.
#[derive(Debug, Default)]
pub(super) struct TodoList {
    items: BTreeMap<u64, TodoItem>,
    open: HashMap<String, (String, Value)>,
}

impl TodoList {
    /// What a tool call says besides itself.
    pub(super) fn call(&mut self, body: &EventBody) -> Vec<EventBody> {
        let EventBody::ToolCall { call_id, name, input, .. } = body else { return Vec::new() };
        match name.as_str() {
            "TodoWrite" => {
                let items = serde_json::from_value(input["todos"].clone()).ok();
                items.map(|items| EventBody::Todo { items }).into_iter().collect()
            }
            "TaskCreate" | "TaskUpdate" => {
                if self.open.len() >= MOST_OPEN {
                    self.open.clear();
                }
                self.open.insert(call_id.clone(), (name.clone(), input.clone()));
                Vec::new()
            }
            "ExitPlanMode" => match input["plan"].as_str() {
                Some(plan) => {
                    vec![EventBody::Plan { call_id: call_id.clone(), plan: plan.to_owned() }]
                }
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// The list, when a result changed it.
    pub(super) fn result(&mut self, body: &EventBody) -> Option<EventBody> {
        let EventBody::ToolResult { call_id, is_error, structured, .. } = body else { return None };
        let (tool, input) = self.open.remove(call_id)?;
        let structured = structured.as_ref().filter(|_| !is_error)?;
        if tool == "TaskCreate" {
            let task = &structured["task"];
            let item = TodoItem {
                content: task["subject"].as_str()?.to_owned(),
                status: TodoStatus::Pending,
                active_form: input["activeForm"].as_str().map(str::to_owned),
            };
            self.items.insert(number(&task["id"])?, item);
        } else {
            self.update(number(&structured["taskId"])?, &input)?;
        }
        Some(EventBody::Todo { items: self.items.values().cloned().collect() })
    }

    fn update(&mut self, id: u64, input: &Value) -> Option<()> {
        if input["status"] == "deleted" {
            return self.items.remove(&id).map(drop);
        }
        let item = self.items.get_mut(&id)?;
        if let Ok(status) = serde_json::from_value(input["status"].clone()) {
            item.status = status;
        }
        if let Some(subject) = input["subject"].as_str() {
            item.content = subject.to_owned();
        }
        if let Some(active_form) = input["activeForm"].as_str() {
            item.active_form = Some(active_form.to_owned());
        }
        Some(())
    }
}

fn number(id: &Value) -> Option<u64> {
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}
