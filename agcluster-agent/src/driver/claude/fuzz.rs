//! Whatever the program writes, a turn ends once.
#![allow(clippy::expect_used, reason = "a fuzzer is told by a panic")]

use std::path::Path;
use std::sync::Arc;

use agcluster_protocol::{PermissionMode, TurnId};

use super::conduct::{Conduct, Ending};
use crate::ReplayLimits;
use crate::log::EventLog;
use crate::program::Exit;
use crate::recorder::Recorder;

/// Takes lines in a turn, then the end of the program.
pub(crate) fn fuzz(data: &[u8]) {
    let log = Arc::new(EventLog::new(ReplayLimits::default()));
    let recorder = Recorder::new(log.clone(), 1);
    let home = Path::new("/home/agent");
    let mut conduct = Conduct::new(recorder.clone(), "c".to_owned(), home, PermissionMode::Ask);
    let turn = TurnId::generate();
    assert!(recorder.begin(turn, Vec::new()).is_ok(), "nothing else runs");
    conduct.prompt(turn, &[]);
    for line in data.split(|byte| *byte == b'\n') {
        conduct.line(line);
    }
    conduct.exited(&Exit { code: Some(1), signal: None, stderr: String::new() }, Ending::Died);
    let events = log.events();
    let ends = events.iter().filter(|event| event.turn == Some(turn) && event.is_terminal()).count();
    assert_eq!(ends, 1, "the turn ended {ends} times");
    assert!(events.iter().enumerate().all(|(place, event)| event.seq == place as u64 + 1), "a gap");
}
