use agcluster_protocol::event::TurnOrigin;
use agcluster_protocol::{EventBody, Outcome, PromptBlock, TurnEnd, TurnId};
use serde_json::{Value, json};

use super::*;
use crate::journal::{Entry, Record};

fn project(bodies: Vec<(Option<TurnId>, Option<&str>, EventBody)>) -> Vec<Message> {
    let mut builder = MessageBuilder::default();
    let mut messages = Vec::new();
    for (place, (turn, parent, body)) in bodies.into_iter().enumerate() {
        let mut entry = Entry::own(1, turn, body);
        entry.event.parent = parent.map(str::to_owned);
        messages.extend(builder.push(&Record::new(place as u64 + 1, entry)));
    }
    messages.extend(builder.finish());
    messages
}

fn started(prompt: &str) -> EventBody {
    EventBody::TurnStarted { origin: TurnOrigin::Client, prompt: vec![PromptBlock::text(prompt)] }
}

fn text(id: &str, text: &str) -> EventBody {
    EventBody::Text { message_id: Some(id.to_owned()), text: text.to_owned() }
}

fn call(message: &str, id: &str) -> EventBody {
    EventBody::ToolCall {
        message_id: Some(message.to_owned()),
        call_id: id.to_owned(),
        name: "Bash".to_owned(),
        input: json!({ "command": "ls" }),
    }
}

fn result(id: &str) -> EventBody {
    EventBody::ToolResult {
        call_id: id.to_owned(),
        is_error: false,
        content: json!("file"),
        structured: None,
    }
}

fn ended() -> EventBody {
    EventBody::TurnEnded(TurnEnd::bare(Outcome::Completed))
}

#[test]
fn a_turn_is_a_prompt_and_one_message_for_each_call_of_the_model() {
    let turn = Some(TurnId::generate());
    let delta = EventBody::TextDelta { block: 0, text: "l".to_owned() };
    let messages = project(vec![
        (turn, None, started("list")),
        (turn, None, text("m1", "looking")),
        (turn, None, call("m1", "c1")),
        (turn, None, result("c1")),
        (turn, None, delta),
        (turn, None, text("m2", "one file")),
        (turn, None, ended()),
    ]);
    let shape: Vec<_> = messages.iter().map(|m| (m.role, m.first, m.last, m.complete)).collect();
    assert_eq!(
        shape,
        [(Role::User, 1, 1, true), (Role::Assistant, 2, 4, true), (Role::Assistant, 6, 7, true)]
    );
    let value: Value = serde_json::to_value(&messages[1]).unwrap();
    assert_eq!(value["blocks"][1]["result"], json!({ "is_error": false, "content": "file" }));
    assert_eq!(messages[2].end, Some(Outcome::Completed));
}

#[test]
fn reading_again_behind_any_message_gives_the_rest() {
    let turn = Some(TurnId::generate());
    let bodies = || {
        vec![
            (turn, None, started("a")),
            (turn, None, call("m1", "c1")),
            (turn, Some("c1"), text("s1", "from a sub-agent")),
            (turn, None, result("c1")),
            (turn, None, text("m2", "b")),
            (turn, None, ended()),
            (None, None, EventBody::SessionChanged { status: "failed".into(), reason: Some("x".into()) }),
            (turn, None, started("c")),
            (turn, None, ended()),
        ]
    };
    let all = project(bodies());
    assert_eq!(all.len(), 6);
    assert_eq!(all[1].blocks[1].parent.as_deref(), Some("c1"), "it is part of the message that called it");
    for (place, message) in all.iter().enumerate() {
        let mut builder = MessageBuilder::default();
        let mut rest = Vec::new();
        for (seq, (turn, parent, body)) in bodies().into_iter().enumerate().skip(message.last as usize) {
            let mut entry = Entry::own(1, turn, body);
            entry.event.parent = parent.map(str::to_owned);
            rest.extend(builder.push(&Record::new(seq as u64 + 1, entry)));
        }
        let shape = |messages: &[Message]| -> Vec<_> {
            messages.iter().map(|m| (m.role, m.first, m.last, m.blocks.clone(), m.end.clone())).collect()
        };
        assert_eq!(shape(&rest), shape(&all[place + 1..]), "behind message {place}");
    }
}

#[test]
fn what_comes_late_or_unasked_is_not_lost() {
    let turn = Some(TurnId::generate());
    let messages = project(vec![
        (turn, None, call("m1", "c1")),
        (turn, None, text("m2", "meanwhile")),
        (turn, None, result("c1")),
    ]);
    assert!(matches!(&messages[1].blocks[1].body, BlockBody::ToolResult { call_id, .. } if call_id == "c1"));
    assert!(!messages[1].complete, "something may still come to it");
    let failed = project(vec![(turn, None, started("a")), (turn, None, ended())]);
    assert_eq!((failed[1].role, failed[1].blocks.len()), (Role::Assistant, 0));
}

#[test]
fn an_endless_message_comes_in_several() {
    let turn = Some(TurnId::generate());
    let messages = project((0..300).map(|_| (turn, None, text("m1", "x"))).collect());
    assert_eq!(messages.iter().map(|m| m.blocks.len()).collect::<Vec<_>>(), [256, 44]);
    let large = "x".repeat(600 << 10);
    let messages = project((0..3).map(|_| (turn, None, text("m1", &large))).collect());
    assert_eq!(messages.iter().map(|m| m.blocks.len()).collect::<Vec<_>>(), [2, 1]);
}
