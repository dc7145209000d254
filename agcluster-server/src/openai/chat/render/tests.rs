use agcluster_core::protocol::{Limit, Outcome};

use super::*;
use crate::compat::answer::Answer;
use crate::compat::sample;

fn head() -> Head {
    Head { created: 1_767_323_045, ..Head::of(sample::turn(), "code-assistant".to_owned()) }
}

#[test]
fn a_stream_has_a_role_what_is_said_and_thought_and_an_end() {
    let frames = sample::frames(Chunks::new(head(), true), &sample::end(Outcome::Completed));
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("stream", frames);
    });
}

#[test]
fn a_stream_without_usage_never_speaks_of_it() {
    let frames = sample::frames(Chunks::new(head(), false), &sample::end(Outcome::Completed));
    assert!(!frames.contains("usage"), "{frames}");
    assert!(frames.ends_with("data: [DONE]\n\n"));
}

#[test]
fn a_failed_turn_ends_its_stream_with_an_error() {
    let frames = sample::frames(Chunks::new(head(), true), &sample::failure());
    let last: Vec<&str> = frames.trim_end().rsplit("\n\n").take(2).collect();
    assert_eq!(last[0], "data: [DONE]");
    let error: Value = serde_json::from_str(last[1].strip_prefix("data: ").unwrap()).unwrap();
    let expected =
        json!({ "message": "it crashed", "type": "server_error", "param": null, "code": "turn_failed" });
    assert_eq!(error["error"], expected);
    assert!(!frames.contains("finish_reason\":\"stop"), "{frames}");
}

#[tokio::test]
async fn a_whole_completion_has_the_same_in_one() {
    let end = sample::end(Outcome::Limit { which: Limit::MaxTurns });
    let records = sample::events().into_iter().chain([end]).map(|event| Ok(sample::record(event)));
    let (parts, end) = Answer::wait(futures::stream::iter(records)).await.unwrap();
    let Json(completion) = whole(&head(), &parts, &end, failure::finish(&end).unwrap());
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("whole", completion);
    });
}

#[test]
fn the_name_of_a_completion_is_short() {
    assert_eq!(head().id, "chatcmpl-b302099a8057");
}
