//! Documents that are small on disk and large in memory.

use std::fmt::Write;

use super::super::AgentConfig;

fn refused(text: &str) -> String {
    AgentConfig::from_yaml(text).unwrap_err().to_string()
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "id: x\nname: X\na0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
    }
    let message = refused(&text);
    assert!(message.starts_with("the document is not valid YAML"), "{message}");
}

#[test]
fn a_long_text_is_not_multiplied() {
    let long = "x".repeat(200_000);
    let text = format!("id: x\nname: X\nbig: &big {long}\nlist: [{}]", "*big, ".repeat(150));
    let message = refused(&text);
    assert!(message.starts_with("the document is not valid YAML"), "{message}");
}

#[test]
fn a_deep_document_is_refused() {
    for text in ["[".repeat(10_000), "- ".repeat(10_000), "{a: ".repeat(10_000)] {
        refused(&text);
    }
}

#[test]
fn a_long_document_is_refused() {
    let text = format!("id: x\nname: X\nsystem_prompt: {}", "x".repeat(256 * 1024));
    assert_eq!(refused(&text), "the document is larger than 256 KiB; make it smaller");
    let text = format!("id: x\nname: X\nsystem_prompt: {}", "x".repeat(250 * 1024));
    assert!(AgentConfig::from_yaml(&text).is_ok());
}

#[test]
fn many_values_are_refused() {
    let message = refused(&format!("id: x\nname: X\nlist: [{}]", "a,".repeat(20_000)));
    assert!(message.starts_with("the document is not valid YAML"), "{message}");
}
