//! Which step is next.

use super::*;
use serde_json::json;

fn body(messages: Value) -> Value {
    json!({"tools": [{"name": "Bash"}], "messages": messages})
}

fn next(messages: Value) -> Then {
    plan(&body(messages), false).expect("the script can be played").then
}

fn says(text: &str) -> Then {
    Then::Reply(Reply::text(text))
}

fn user(content: impl Into<Value>) -> Value {
    json!({"role": "user", "content": content.into()})
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

#[test]
fn the_step_is_the_number_of_answers_after_the_script() {
    let script = user("@@text one\n@@text two");
    assert_eq!(next(json!([script])), says("one"));
    assert_eq!(next(json!([script, assistant("one"), user("go on")])), says("two"));
    assert_eq!(
        next(json!([script, assistant("one"), user("x"), assistant("two"), user("x")])),
        says("Done.")
    );
}

#[test]
fn an_answer_in_several_messages_is_one() {
    let split = json!([user("@@text one\n@@text two"), assistant("o"), assistant("ne"), user("go on")]);
    assert_eq!(next(split), says("two"));
}

#[test]
fn the_newest_script_counts() {
    assert_eq!(next(json!([user("@@text old"), assistant("old"), user("@@text new")])), says("new"));
    let joined = json!([{"type": "text", "text": "@@error 400"}, {"type": "text", "text": "@@text new"}]);
    assert_eq!(next(json!([user(joined)])), says("new"));
}

#[test]
fn only_the_user_writes_scripts() {
    let result = json!([{"type": "tool_result", "tool_use_id": "a", "content": "@@text from a file"}]);
    assert_eq!(
        next(json!([user("@@text one\n@@text two"), assistant("@@text mine"), user(result)])),
        says("two")
    );
    assert_eq!(
        next(json!([{"role": "system", "content": "@@text no"}, user("hello")])),
        says("Hello! I am a scripted model.")
    );
}

#[test]
fn errors_with_and_without_a_count() {
    assert_eq!(next(json!([user("@@error 500")])), Then::Refuse(500));
    let plan = plan(&body(json!([user("@@error 529 2\n@@text ok")])), false).expect("can be played");
    assert_eq!(plan, Plan { refuse_first: Some(Refusal { status: 529, times: 2 }), then: says("ok") });
}

#[test]
fn tools_must_be_offered_and_rogue_ones_must_not() {
    let try_it = |script: &str| plan(&body(json!([user(script)])), false);
    assert!(try_it("@@bash true").is_ok());
    assert!(try_it("@@tool Read {}").expect_err("Read is not offered").contains("does not offer"));
    assert!(try_it("@@tools [{\"name\":\"Read\",\"input\":{}}]").is_err());
    assert!(try_it("@@rogue_tool Read {}").is_ok());
    assert!(try_it("@@rogue_tool Bash {}").expect_err("Bash is offered").contains("does offer"));
    assert!(try_it("@@nonsense").is_err());
}

#[test]
fn a_turn_that_calls_a_tool_stops_for_it() {
    let Then::Reply(reply) = next(json!([user("@@bash true")])) else { panic!("a reply is expected") };
    assert_eq!(reply.stop, Stop::ToolUse);
}

#[test]
fn the_demo_writes_a_program_when_asked() {
    let demo =
        |tools: Value, messages: Value| match plan(&json!({"tools": tools, "messages": messages}), true)
            .expect("can be played")
            .then
        {
            Then::Reply(reply) => reply,
            Then::Refuse(status) => panic!("refused with {status}"),
        };
    let bash = json!([{"name": "Write"}, {"name": "Bash"}]);
    let ask = user("Write a Python program that says hello.");
    assert_eq!(demo(bash.clone(), json!([ask])).stop, Stop::ToolUse);
    let result = json!([{"type": "tool_result", "tool_use_id": "a", "content": "ok"}]);
    let done = demo(bash.clone(), json!([ask, assistant("x"), user(result)]));
    assert_eq!(done.stop, Stop::EndTurn);
    assert!(matches!(&done.blocks[0], Block::Text(text) if text.contains("hello.py")));
    assert_eq!(demo(json!([{"name": "Write"}]), json!([ask])).stop, Stop::ToolUse);
    assert_eq!(demo(json!([]), json!([ask])).stop, Stop::EndTurn);
    assert_eq!(demo(bash.clone(), json!([user("How are you?")])).stop, Stop::EndTurn);
    // A second request of the same kind is played anew.
    assert_eq!(demo(bash, json!([ask, assistant("x"), ask])).stop, Stop::ToolUse);
}
