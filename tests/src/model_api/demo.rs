//! The demo script: what the model answers to someone who tries AgCluster without a key.

use super::check::tool_names;
use super::plan::{answers, texts_of};
use super::reply::Reply;
use super::script::{Block, ToolCall};
use serde_json::{Value, json};

const PROGRAM: &str = "print(\"Hello from AgCluster!\")\n";
const ASKS_FOR_PROGRAM: &[&str] = &["program", "script", "file", "code", "python", "hello"];

/// The answer to a prompt without directives: a little program when one is asked for and a tool can write it.
pub(super) fn reply(body: &Value) -> Reply {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let prompt = messages.iter().rposition(is_prompt).unwrap_or(0);
    let text = messages
        .get(prompt)
        .map(|message| texts_of(&message["content"]).join("\n").to_lowercase())
        .unwrap_or_default();
    let asks = ASKS_FOR_PROGRAM.iter().any(|word| text.contains(word));
    let given = answers(messages.get(prompt..).unwrap_or_default());
    match (asks, given, writing_call(body)) {
        (true, 0, Some(call)) => Reply::of(vec![
            Block::Text("I will write the program to hello.py.".to_owned()),
            Block::Tool(call),
        ]),
        (true, 1.., Some(_)) => {
            Reply::text("I have written hello.py. Run it with `python3 hello.py`; it prints a greeting.")
        }
        _ => Reply::text(
            "Hello! I am a scripted model, here to try AgCluster without a key. Ask me to write a program and I \
             will put hello.py in the workspace.",
        ),
    }
}

/// A message in which the user speaks, and not only the client that brings results of tools.
fn is_prompt(message: &Value) -> bool {
    let results = message["content"]
        .as_array()
        .is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "tool_result"));
    message["role"] == "user" && !results
}

fn writing_call(body: &Value) -> Option<ToolCall> {
    let offered = |wanted: &str| tool_names(body).any(|name| name == wanted);
    let (name, input) = if offered("Bash") {
        let command = format!("cat > hello.py <<'END'\n{PROGRAM}END\ncat hello.py");
        ("Bash", json!({"command": command, "description": "Write hello.py and show it"}))
    } else if offered("Write") {
        ("Write", json!({"file_path": "hello.py", "content": PROGRAM}))
    } else {
        return None;
    };
    Some(ToolCall { name: name.to_owned(), input })
}
