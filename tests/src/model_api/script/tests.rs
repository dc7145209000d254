//! The grammar.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn one(directive: &str) -> Action {
    let mut steps = parse(directive).expect("the directive can be read");
    assert_eq!(steps.len(), 1, "{directive}");
    steps.remove(0).action
}

fn text(text: &str) -> Action {
    Action::Blocks(vec![Block::Text(text.to_owned())])
}

fn tool(name: &str, input: Value) -> Block {
    Block::Tool(ToolCall { name: name.to_owned(), input })
}

#[test]
fn a_prompt_without_directives_has_no_steps() {
    assert_eq!(parse("Write a program.\n a@@text b\n  @@text indented"), Ok(Vec::new()));
}

#[test]
fn a_hunk_of_a_diff_is_no_directive() {
    assert_eq!(parse("@@ -1,2 +1,3 @@\n@@@ -1 @@@\n"), Ok(Vec::new()));
}

#[test]
fn each_directive_is_a_step_in_order() {
    let steps = parse("Please:\n@@bash touch x\nand then\n@@text done").expect("both can be read");
    let actions: Vec<_> = steps.into_iter().map(|step| step.action).collect();
    let bash = json!({"command": "touch x", "description": "Run the command of the script"});
    assert_eq!(actions, [Action::Blocks(vec![tool("Bash", bash)]), text("done")]);
}

#[test]
fn a_quoted_text_may_hold_line_ends() {
    assert_eq!(one(r#"@@text "one\ntwo""#), text("one\ntwo"));
    assert_eq!(one("@@text say \"hello\""), text("say \"hello\""));
}

#[test]
fn tools_take_a_json_object_or_nothing() {
    assert_eq!(
        one(r#"@@tool Read {"file_path":"/a b"}"#),
        Action::Blocks(vec![tool("Read", json!({"file_path": "/a b"}))])
    );
    assert_eq!(one("@@tool Stop"), Action::Blocks(vec![tool("Stop", json!({}))]));
    let rogue = ToolCall { name: "Bash".to_owned(), input: json!({"command": "id"}) };
    assert_eq!(one(r#"@@rogue_tool Bash {"command":"id"}"#), Action::Rogue(rogue));
}

#[test]
fn several_blocks_stand_in_one_answer() {
    let blocks = one(
        r#"@@tools [{"thinking":"hm"},{"text":"Two."},{"name":"A","input":{}},{"name":"B","input":{"x":1}}]"#,
    );
    let expected = vec![
        Block::Thinking("hm".to_owned()),
        Block::Text("Two.".to_owned()),
        tool("A", json!({})),
        tool("B", json!({"x": 1})),
    ];
    assert_eq!(blocks, Action::Blocks(expected));
}

#[test]
fn a_thought_is_followed_by_text() {
    let blocks = |thought: &str, answer: &str| {
        Action::Blocks(vec![Block::Thinking(thought.to_owned()), Block::Text(answer.to_owned())])
    };
    assert_eq!(one("@@think about it => yes"), blocks("about it", "yes"));
    assert_eq!(one("@@think about it"), blocks("about it", "I have thought about it."));
}

#[test]
fn paced_texts() {
    let over = Duration::from_millis(1500);
    assert_eq!(one("@@slow 1.5 10 a text"), Action::Slow { over, pieces: 10, text: "a text".to_owned() });
    assert_eq!(one("@@repeat 3 word "), Action::Repeat { times: 3, text: "word ".to_owned() });
    assert_eq!(
        one("@@gate half a text"),
        Action::Gate { name: "half".to_owned(), text: "a text".to_owned() }
    );
    assert_eq!(one("@@cut a text"), Action::Cut { gate: None, text: "a text".to_owned() });
    let gate = Some("half".to_owned());
    assert_eq!(one("@@cut_at half a text"), Action::Cut { gate, text: "a text".to_owned() });
    assert_eq!(one("@@hang"), Action::Hang);
    assert_eq!(one("@@max_tokens a text"), Action::MaxTokens("a text".to_owned()));
}

#[test]
fn an_error_with_a_count_belongs_to_the_next_step() {
    assert_eq!(one("@@error 401"), Action::Refuse(401));
    let refused = |status, times, action| Step { refuse_first: Some(Refusal { status, times }), action };
    assert_eq!(parse("@@error 529 2\n@@text ok"), Ok(vec![refused(529, 2, text("ok"))]));
    assert_eq!(parse("@@error 429 1"), Ok(vec![refused(429, 1, text("Done."))]));
}

#[test]
fn slips_are_errors_that_name_the_line() {
    for line in [
        "@@",
        "@@txt hello",
        "@@text",
        "@@text \"open",
        "@@text \"  \"",
        "@@tool",
        "@@tool Read file",
        "@@tool Read [1]",
        "@@tools []",
        "@@tools [{\"name\":\"A\"}]",
        "@@slow x 2 t",
        "@@slow -1 2 t",
        "@@slow 1 0 t",
        "@@slow 1 2",
        "@@repeat 0 t",
        "@@repeat 2",
        "@@gate",
        "@@gate name",
        "@@cut_at name",
        "@@error",
        "@@error 200",
        "@@error 529 0",
        "@@error 529 x",
    ] {
        let error = parse(line).expect_err(line).to_string();
        assert!(error.starts_with(&format!("directive `{line}`: ")), "{error}");
    }
}

#[test]
fn a_script_is_bounded() {
    assert_eq!(parse(&"@@text x\n".repeat(1000)).expect("a thousand steps").len(), 1000);
    assert!(parse(&"@@text x\n".repeat(1001)).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(prompt in "(@@[a-z_]{0,6}[ -~]{0,20}\n|[ -~]{0,10}\n){0,6}") {
        let directives = prompt.lines().filter(|line| line.starts_with("@@")).count();
        if let Ok(steps) = parse(&prompt) {
            prop_assert!(steps.len() <= directives);
        }
    }

    #[test]
    fn any_quoted_text_comes_back(said in "\\PC*[a-z]\\PC*") {
        let directive = format!("@@text {}", serde_json::Value::from(said.clone()));
        prop_assert_eq!(one(&directive), text(&said));
    }
}
