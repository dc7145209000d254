use agcluster_core::protocol::Outcome;

use super::*;
use crate::compat::answer::Answer;
use crate::compat::sample;

fn blocks() -> Blocks {
    Blocks::new(sample::turn(), "code-assistant".to_owned())
}

#[test]
fn a_stream_has_anthropic_s_events_in_their_order() {
    let frames = sample::frames(blocks(), &sample::end(Outcome::Completed));
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("stream", frames);
    });
}

#[test]
fn a_failed_turn_ends_its_stream_with_an_error() {
    let frames = sample::frames(blocks(), &sample::failure());
    let last = frames.trim_end().rsplit("\n\n").next().unwrap();
    let data: Value = serde_json::from_str(last.strip_prefix("event: error\ndata: ").unwrap()).unwrap();
    let error = json!({ "type": "api_error", "message": "it crashed", "code": "turn_failed" });
    assert_eq!(data, json!({ "type": "error", "error": error }));
    assert!(!frames.contains("message_stop"), "{frames}");
}

#[tokio::test]
async fn a_whole_message_has_the_same_in_blocks() {
    let end = sample::end(Outcome::Completed);
    let records = sample::events().into_iter().chain([end]).map(|event| Ok(sample::record(event)));
    let (parts, end) = Answer::wait(futures::stream::iter(records)).await.unwrap();
    let finish = failure::finish(&end).unwrap();
    let message = message(sample::turn(), "code-assistant", &parts, finish, &end.usage);
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("whole", message);
    });
}
