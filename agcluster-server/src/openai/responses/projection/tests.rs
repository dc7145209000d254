use agcluster_core::protocol::{Outcome, TurnId};

use super::*;
use crate::compat::answer::Answer;
use crate::compat::sample;

fn events(turn: TurnId) -> Events {
    let record = agcluster_core::store::TurnRecord {
        id: turn,
        session: agcluster_core::session::SessionId::from_text("conv-1"),
        owner: agcluster_core::session::Owner::of(&agcluster_core::protocol::Secret::new("k")),
        state: agcluster_core::store::TurnState::Running,
        prompt: Vec::new(),
        background: false,
        after: 0,
        created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        ended_at: None,
        end: None,
        whole: true,
    };
    Events::new(Settings::again(&record, "code-assistant"))
}

#[test]
fn a_stream_has_openai_s_events_in_their_order() {
    let frames = sample::frames(events(sample::turn()), &sample::end(Outcome::Completed));
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("stream", frames);
    });
}

fn last(frames: &str) -> Value {
    let data = frames.trim_end().rsplit("data: ").next().unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn every_end_has_its_event() {
    let end = |event: &Event| {
        let last = last(&sample::frames(events(sample::turn()), event));
        (last["type"].as_str().unwrap().to_owned(), last["response"]["status"].as_str().unwrap().to_owned())
    };
    let pair = |name: &str, status: &str| (name.to_owned(), status.to_owned());
    assert_eq!(end(&sample::end(Outcome::Completed)), pair("response.completed", "completed"));
    assert_eq!(end(&sample::end(Outcome::Interrupted)), pair("response.incomplete", "cancelled"));
    let limit = Outcome::Limit { which: agcluster_core::protocol::Limit::MaxTurns };
    assert_eq!(end(&sample::end(limit)), pair("response.incomplete", "incomplete"));
    assert_eq!(end(&sample::failure()), pair("response.failed", "failed"));
}

#[test]
fn a_stream_that_is_read_again_goes_on_behind_a_number() {
    let end = sample::end(Outcome::Completed);
    let all = sample::frames(events(sample::turn()), &end);
    let rest = sample::frames(events(sample::turn()).after(Some(4)), &end);
    let skipped = all.split_inclusive("\n\n").skip(5).collect::<String>();
    assert_eq!(rest, skipped);
}

#[tokio::test]
async fn what_is_read_whole_has_the_items_that_were_streamed() {
    let end = sample::end(Outcome::Completed);
    let records = sample::events().into_iter().chain([end.clone()]).map(|event| Ok(sample::record(event)));
    let answer = Answer::read(futures::stream::iter(records)).await.unwrap();
    let whole: Vec<Value> = Output::of(answer.parts, sample::turn())
        .items
        .iter()
        .map(super::super::render::Item::render)
        .collect();
    let streamed = last(&sample::frames(events(sample::turn()), &end))["response"]["output"].clone();
    let streamed = streamed.as_array().unwrap();
    assert_eq!(whole.len(), streamed.len());
    // But for the text that was begun again, which only who watched has.
    assert_eq!(whole[..3], streamed[..3]);
    assert_eq!(whole[3]["content"][0]["text"], "Two files.\n\nDone.");
    assert_eq!(streamed[3]["content"][0]["text"], "Two files.\n\nDo\n\nDone.");
}
