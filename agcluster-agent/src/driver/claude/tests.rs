//! Transcripts of the real program, and what becomes of them.
//!
//! `tests/golden/claude/*.ndjson` is what Claude Code 2.1.329 wrote against a scripted model API, with the longest lists
//! (commands, models, skills) cut short.

mod lossless;
mod robust;
mod running;
mod starting;
mod steering;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agcluster_protocol::{Event, PermissionMode, TurnId};
use serde_json::Value;

use super::conduct::{Conduct, ToDo};
use crate::ReplayLimits;
use crate::log::EventLog;
use crate::recorder::Recorder;

/// A session without a program.
struct Session {
    recorder: Recorder,
    log: Arc<EventLog>,
    conduct: Conduct,
}

impl Session {
    fn new(conversation: &str, mode: PermissionMode) -> Self {
        let log = Arc::new(EventLog::new(ReplayLimits::default()));
        let recorder = Recorder::new(log.clone(), 1);
        let home = Path::new("/home/agent");
        let conduct = Conduct::new(recorder.clone(), conversation.to_owned(), home, mode);
        Self { recorder, log, conduct }
    }

    fn prompt(&mut self, turn: TurnId) {
        if self.recorder.begin(turn, Vec::new()).is_ok() {
            self.conduct.prompt(turn, &[]);
        }
    }

    fn line(&mut self, line: &str) -> Vec<ToDo> {
        self.conduct.line(line.as_bytes())
    }

    fn events(&self) -> Vec<Event> {
        self.log.events()
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/claude")
}

/// Name and lines of every transcript.
fn transcripts() -> Vec<(String, Vec<String>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect())
        })
        .collect()
}

fn conversation_of(lines: &[String]) -> String {
    let ids = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["session_id"].clone());
    ids.filter_map(|id| id.as_str().map(str::to_owned)).next().unwrap()
}

/// Plays a transcript. Prompts are handed over where the program takes note of them.
fn play(lines: &[String]) -> Session {
    let mut session = Session::new(&conversation_of(lines), PermissionMode::Ask);
    for line in lines {
        let value: Value = serde_json::from_str(line).unwrap();
        if value["type"] == "command_lifecycle" && value["state"] == "queued" {
            session.prompt(TurnId(value["command_uuid"].as_str().unwrap().parse().unwrap()));
        }
        session.line(line);
    }
    session
}

#[test]
fn transcripts_become_events() {
    for (name, lines) in transcripts() {
        let events = play(&lines).events();
        let mut turns = HashMap::new();
        let text: Vec<String> = events.iter().map(|event| brief(event, &mut turns)).collect();
        insta::with_settings!({snapshot_path => golden(), prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, text.join("\n"));
        });
    }
}

/// An event in a line: the turn's number, the body, and the names of what stands in `extra`.
fn brief(event: &Event, turns: &mut HashMap<TurnId, usize>) -> String {
    let count = turns.len() + 1;
    let turn = event.turn.map_or("-".to_owned(), |turn| turns.entry(turn).or_insert(count).to_string());
    let parent = event.parent.as_ref().map(|parent| format!(" in {parent}")).unwrap_or_default();
    let mut body = serde_json::to_value(&event.body).unwrap();
    if let Some(milliseconds) = body.get_mut("duration_ms") {
        *milliseconds = Value::from(0);
    }
    let kind = body.as_object_mut().unwrap().remove("type").unwrap();
    let extra: Vec<&str> = event.extra.keys().map(String::as_str).collect();
    let extra = if extra.is_empty() { String::new() } else { format!(" +{}", extra.join(",")) };
    format!("{turn}{parent} {} {body}{extra}", kind.as_str().unwrap())
}

#[test]
fn every_turn_of_a_transcript_has_one_end_and_nothing_after_it() {
    for (name, lines) in transcripts() {
        let events = play(&lines).events();
        let mut ended = Vec::new();
        let mut begun = Vec::new();
        for event in &events {
            let Some(turn) = event.turn else { continue };
            assert!(!ended.contains(&turn), "{name}: {event:?} after the end of its turn");
            if !begun.contains(&turn) {
                assert!(matches!(event.body, agcluster_protocol::EventBody::TurnStarted { .. }), "{name}");
                begun.push(turn);
            }
            if event.is_terminal() {
                ended.push(turn);
            }
        }
        assert_eq!(begun.len(), ended.len(), "{name}: a turn was left open");
    }
}
