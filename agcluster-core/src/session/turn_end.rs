//! What is kept of a turn's end beside the journal, so that it outlives the retention of events: bounded, since it comes
//! from a container.

use agcluster_protocol::{Outcome, TurnEnd, TurnId};
use jiff::Timestamp;
use serde::Serialize;

use crate::store::{TurnRecord, TurnState};

/// The most bytes that are kept of each part of an end.
const KEPT: usize = 64 << 10;

/// What the agent itself said last in a turn: the result of one that ends without any.
#[derive(Debug)]
pub(super) struct LastWords {
    turn: TurnId,
    text: Option<String>,
    whole: bool,
}

impl LastWords {
    /// Nothing has been said in this turn yet.
    pub(super) fn none(turn: TurnId) -> Self {
        Self { turn, text: None, whole: true }
    }

    /// This was said in it.
    pub(super) fn new(turn: TurnId, text: &str) -> Self {
        let (text, whole) = shortened(text);
        Self { turn, text: Some(text), whole }
    }
}

/// A turn that is over. Without last words of it, what was said is not known here.
pub(super) fn ended(record: TurnRecord, mut end: TurnEnd, last_words: Option<LastWords>) -> TurnRecord {
    let said = last_words.filter(|said| said.turn == record.id);
    let (result, mut whole) = match (&end.result, said) {
        (Some(result), _) => {
            let (result, whole) = shortened(result);
            (Some(result), whole)
        }
        (None, Some(said)) => (said.text, said.whole),
        (None, None) => (None, false),
    };
    end.result = result;
    if let Outcome::Failed { message, .. } = &mut end.outcome {
        *message = shortened(message).0;
    }
    if !end.structured_output.as_ref().is_none_or(fits) {
        (end.structured_output, whole) = (None, false);
    }
    if !fits(&end.models) {
        end.models.clear();
        whole = false;
    }
    TurnRecord {
        state: TurnState::Ended,
        prompt: Vec::new(),
        ended_at: Some(Timestamp::now()),
        end: Some(Box::new(end)),
        whole,
        ..record
    }
}

/// As much of a text as is kept, and whether that is all of it.
fn shortened(text: &str) -> (String, bool) {
    let kept = &text[..text.floor_char_boundary(KEPT)];
    (kept.to_owned(), kept.len() == text.len())
}

fn fits(part: &impl Serialize) -> bool {
    serde_json::to_vec(part).is_ok_and(|json| json.len() <= KEPT)
}

#[cfg(test)]
mod tests {
    use agcluster_protocol::{FailureReason, ModelUsage, Secret};
    use serde_json::json;

    use super::*;
    use crate::session::{Owner, SessionId};

    fn running() -> TurnRecord {
        TurnRecord {
            id: TurnId::generate(),
            session: SessionId::generate(),
            owner: Owner::of(&Secret::new("key")),
            state: TurnState::Running,
            prompt: Vec::new(),
            background: true,
            after: 0,
            created_at: Timestamp::now(),
            ended_at: None,
            end: None,
            whole: false,
        }
    }

    fn completed(result: Option<&str>) -> TurnEnd {
        TurnEnd { result: result.map(str::to_owned), ..TurnEnd::bare(Outcome::Completed) }
    }

    fn result(record: &TurnRecord) -> Option<&str> {
        record.end.as_ref()?.result.as_deref()
    }

    #[test]
    fn a_result_is_kept_and_last_words_stand_in_for_one() {
        let record = running();
        let said = || Some(LastWords::new(record.id, "said"));
        let with = |end, said| ended(record.clone(), end, said);
        let own = with(completed(Some("done")), said());
        assert_eq!((result(&own), own.whole), (Some("done"), true));
        let said = with(completed(None), said());
        assert_eq!((result(&said), said.whole), (Some("said"), true));
        let silent = with(completed(None), Some(LastWords::none(record.id)));
        assert_eq!((result(&silent), silent.whole), (None, true));
        for unknown in [None, Some(LastWords::new(TurnId::generate(), "of another turn"))] {
            let unknown = with(completed(None), unknown);
            assert_eq!((result(&unknown), unknown.whole), (None, false));
        }
    }

    #[test]
    fn no_part_is_kept_beyond_its_bound_and_it_is_told() {
        let long = "ä".repeat(KEPT);
        let failed = Outcome::Failed { reason: FailureReason::AgentError, message: long.clone() };
        let models = (0..KEPT).map(|nth| (nth.to_string(), ModelUsage::default())).collect();
        let ends = [
            completed(Some(&long)),
            TurnEnd { structured_output: Some(json!(long)), ..completed(Some("short")) },
            TurnEnd { models, ..completed(Some("short")) },
        ];
        for end in ends {
            let kept = ended(running(), end, None);
            assert!(!kept.whole && serde_json::to_vec(&kept).unwrap().len() < 2 * KEPT);
        }
        let kept = ended(running(), TurnEnd::bare(failed), Some(LastWords::new(TurnId::generate(), &long)));
        assert!(serde_json::to_vec(&kept).unwrap().len() < 2 * KEPT);
    }

    #[test]
    fn a_record_from_before_more_than_the_outcome_was_kept_can_be_read() {
        let mut record = serde_json::to_value(running()).unwrap();
        let fields = record.as_object_mut().unwrap();
        fields.remove("end");
        fields.remove("whole");
        fields.insert("outcome".to_owned(), json!({ "outcome": "interrupted" }));
        let record: TurnRecord = serde_json::from_value(record).unwrap();
        assert_eq!((record.outcome(), record.whole), (Some(&Outcome::Interrupted), false));
    }
}
