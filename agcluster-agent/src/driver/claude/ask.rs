//! What the program asks, and how an answer is put to it.

use agcluster_protocol::event::{PermissionKind, PermissionRequest, Question, Resolution};
use agcluster_protocol::{Decision, EventBody, Scope};
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::tools::{ASK, OFFER_PLAN};
use crate::driver::DriverError;
use crate::recorder::Entry;

/// A request that waits for people.
#[derive(Debug)]
pub(super) struct Ask {
    kind: Kind,
    tool: String,
    input: Value,
    suggestions: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Permission,
    Question,
    Plan,
}

impl Ask {
    /// Reads a `can_use_tool` request, and gives the event that passes it on.
    pub(super) fn read(request_id: &str, request: Map<String, Value>) -> (Self, Entry) {
        let mut fields = Fields::new(request);
        fields.remove("subtype");
        let tool = fields.take_string("tool_name").unwrap_or_default();
        let input = fields.take("input").unwrap_or_default();
        let suggestions = fields.take_array("permission_suggestions").unwrap_or_default();
        let call_id = fields.take_string("tool_use_id");
        let questions = if tool == ASK { questions(&input) } else { None };
        let kind = match (&questions, tool.as_str()) {
            (Some(_), _) => Kind::Question,
            (None, OFFER_PLAN) => Kind::Plan,
            (None, _) => Kind::Permission,
        };
        let body = match questions {
            Some(questions) => {
                keep_rest(&mut fields, &input);
                EventBody::QuestionAsked { request_id: request_id.to_owned(), call_id, questions }
            }
            None => EventBody::PermissionRequested(PermissionRequest {
                request_id: request_id.to_owned(),
                call_id,
                kind: if kind == Kind::Plan { PermissionKind::Plan } else { PermissionKind::Tool },
                tool: tool.clone(),
                display_name: fields.take_string("display_name"),
                input: input.clone(),
                reason: fields.take_string("decision_reason"),
                blocked_path: fields.take_string("blocked_path"),
                suggestions: suggestions.clone(),
            }),
        };
        let ask = Self { kind, tool, input, suggestions };
        (ask, Entry { parent: None, extra: fields.rest(), body })
    }

    /// What the program is told, and what became of the request.
    pub(super) fn answer(&self, decision: &Decision) -> Result<(Value, Resolution), DriverError> {
        match decision {
            Decision::Deny { message, interrupt } => {
                // The model is told the reason, and must be told something.
                let message =
                    if message.trim().is_empty() { "The user does not allow this." } else { message };
                let answer = json!({"behavior": "deny", "message": message, "interrupt": interrupt});
                Ok((answer, Resolution::Denied))
            }
            Decision::Allow { .. } if self.kind == Kind::Question => {
                Err(DriverError::Invalid("this is a question: decide with `answers`, or `deny`".to_owned()))
            }
            Decision::Allow { input, scope } => {
                let input = input.as_ref().unwrap_or(&self.input);
                let mut answer = allow(input);
                if *scope == Scope::Session {
                    answer["updatedPermissions"] = self.permissions();
                }
                Ok((answer, Resolution::Allowed))
            }
            Decision::Answers { answers } if self.kind == Kind::Question => {
                let mut input = self.input.clone();
                input["answers"] = json!(answers);
                Ok((allow(&input), Resolution::Answered))
            }
            Decision::Answers { .. } => {
                Err(DriverError::Invalid("this is no question: decide with `allow` or `deny`".to_owned()))
            }
        }
    }

    /// What holds for the rest of the session: the rules that the program offers, and nothing beyond it.
    fn permissions(&self) -> Value {
        if self.kind == Kind::Plan {
            return json!([{"type": "setMode", "mode": "acceptEdits", "destination": "session"}]);
        }
        let offered = self.suggestions.iter().filter(|suggestion| suggestion["type"] == "addRules");
        let mut rules: Vec<Value> = offered.cloned().collect();
        for rule in &mut rules {
            rule["destination"] = json!("session");
        }
        if rules.is_empty() {
            rules.push(json!({
                "type": "addRules",
                "rules": [{"toolName": self.tool}],
                "behavior": "allow",
                "destination": "session",
            }));
        }
        Value::Array(rules)
    }
}

/// Lets a tool run with an input.
pub(super) fn allow(input: &Value) -> Value {
    json!({"behavior": "allow", "updatedInput": input})
}

fn questions(input: &Value) -> Option<Vec<Question>> {
    serde_json::from_value(input.get("questions")?.clone()).ok()
}

/// Keeps what a question's input says beyond the questions.
fn keep_rest(fields: &mut Fields, input: &Value) {
    let mut rest = input.as_object().cloned().unwrap_or_default();
    rest.remove("questions");
    fields.put_back("input", Fields::new(rest));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn ask(tool: &str, input: Value, suggestions: Value) -> Ask {
        let request = json!({"subtype": "can_use_tool", "tool_name": tool, "input": input,
            "tool_use_id": "c", "permission_suggestions": suggestions});
        Ask::read("r", request.as_object().unwrap().clone()).0
    }

    #[test]
    fn a_tool_may_run_once_or_for_the_session_under_the_rules_offered() {
        let offered = json!([
            {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "ls"}], "behavior": "allow", "destination": "localSettings"},
            {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
        ]);
        let ask = ask("Bash", json!({"command": "ls"}), offered);
        let once = Decision::Allow { input: None, scope: Scope::Once };
        assert_eq!(
            ask.answer(&once).unwrap().0,
            json!({"behavior": "allow", "updatedInput": {"command": "ls"}})
        );
        let session = Decision::Allow { input: Some(json!({"command": "pwd"})), scope: Scope::Session };
        let rule = json!({"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "ls"}],
            "behavior": "allow", "destination": "session"});
        let expected =
            json!({"behavior": "allow", "updatedInput": {"command": "pwd"}, "updatedPermissions": [rule]});
        assert_eq!(ask.answer(&session).unwrap().0, expected);
    }

    #[test]
    fn without_an_offer_the_tool_itself_is_allowed_for_the_session() {
        let ask = ask("mcp__calc__add", json!({}), json!([]));
        let answer = ask.answer(&Decision::Allow { input: None, scope: Scope::Session }).unwrap().0;
        assert_eq!(answer["updatedPermissions"][0]["rules"], json!([{"toolName": "mcp__calc__add"}]));
    }

    #[test]
    fn a_question_is_answered_and_nothing_else() {
        let question = json!({"questions": [{"question": "Which?", "options": [{"label": "A"}]}]});
        let ask = ask(ASK, question.clone(), json!([]));
        let answers = BTreeMap::from([("Which?".to_owned(), "A".to_owned())]);
        let (answer, resolution) = ask.answer(&Decision::Answers { answers }).unwrap();
        assert_eq!(answer["updatedInput"]["answers"], json!({"Which?": "A"}));
        assert_eq!(answer["updatedInput"]["questions"], question["questions"]);
        assert_eq!(resolution, Resolution::Answered);
        assert!(ask.answer(&Decision::Allow { input: None, scope: Scope::Once }).is_err());
    }

    #[test]
    fn a_denial_always_has_a_reason() {
        let ask = ask("Bash", json!({}), json!([]));
        let deny = Decision::Deny { message: " ".to_owned(), interrupt: true };
        let (answer, _) = ask.answer(&deny).unwrap();
        assert_eq!(answer["message"], "The user does not allow this.");
        assert_eq!(answer["interrupt"], true);
    }

    #[test]
    fn a_plan_that_is_allowed_for_the_session_lets_edits_run() {
        let ask = ask(OFFER_PLAN, json!({}), json!([]));
        let answer = ask.answer(&Decision::Allow { input: None, scope: Scope::Session }).unwrap().0;
        assert_eq!(answer["updatedPermissions"][0]["mode"], "acceptEdits");
    }
}
