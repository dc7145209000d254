use agcluster_core::protocol::Outcome;

use super::*;
use crate::compat::sample;

/// The pieces of the sample, in short.
fn told(mut pieces: Pieces) -> Vec<String> {
    let mut told = Vec::new();
    for event in sample::events().iter().chain([&sample::end(Outcome::Completed)]) {
        pieces.read(event, |piece| {
            told.push(match piece {
                Piece::Gap => "gap".to_owned(),
                Piece::Text(text) => format!("text {text}"),
                Piece::Thought(text) => format!("thought {text}"),
                Piece::Thoughtful(proof) => format!("thoughtful {}", proof.unwrap_or_default()),
                Piece::Act(act) => format!("act {}", act.trim_end()),
                Piece::End(_) => "end".to_owned(),
            });
        });
    }
    told
}

const ACTS: [&str; 5] = [
    "act Bash ls",
    "act → a.txt\nb.txt",
    "act Read {\"offset\":1}",
    "act failed: no such file",
    "act Grep x",
];

#[test]
fn who_watches_gets_every_character_as_it_comes() {
    let mut expected = vec!["thought Let me ", "thought see.", "thoughtful proof", "text I ", "text look."];
    expected.extend(ACTS);
    expected.extend(["gap", "text Two files.", "gap", "text Do", "gap", "text Done.", "end"]);
    assert_eq!(told(Pieces::live()), expected);
}

#[test]
fn who_waits_gets_finished_blocks_only() {
    let mut expected = vec!["thought Let me see.", "thoughtful proof", "text I look."];
    expected.extend(ACTS);
    expected.extend(["gap", "text Two files.", "gap", "text Done.", "end"]);
    assert_eq!(told(Pieces::whole()), expected);
}

#[test]
fn a_text_that_was_cut_off_is_not_lost() {
    let mut pieces = Pieces::whole();
    let mut texts = Vec::new();
    let says = &sample::events()[4];
    for event in [says, &sample::end(Outcome::Interrupted)] {
        pieces.read(event, |piece| {
            if let Piece::Text(text) = piece {
                texts.push(text.into_owned());
            }
        });
    }
    assert_eq!(texts, ["I "]);
}

#[test]
fn long_inputs_and_outputs_are_cut() {
    assert_eq!(short("grüße", 3), "grü…");
    assert_eq!(short("grü", 3), "grü");
}
