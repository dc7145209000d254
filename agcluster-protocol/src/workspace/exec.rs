//! Commands: one program each, run to its end while its output streams.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Data, Place};
use crate::Secret;

/// Runs a command; the answer is [`ExecFrame`]s, a line each. The command ends when the answer is not read on; one that is
/// [kept](Exec::kept) goes on for a while, and each of its frames has a [`Place`] behind which the same request goes on.
pub const EXEC: &str = "/workspace/exec";

/// A command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Exec {
    /// Program and arguments; no shell in between.
    pub command: Vec<String>,
    /// The folder it starts in, relative to the workspace; the workspace when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables of its environment besides those that every command has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Secret>,
    /// Its standard input; empty when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Data>,
    /// The longest it may run, in milliseconds; ten minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Makes it one that can be gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptExec>,
}

/// A command that can be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptExec {
    /// The name by which it is found again.
    pub name: String,
    /// A digest of what is asked: the same name with another one is refused.
    pub fingerprint: String,
    /// The last frame that the reader has. Without it, it is told everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Place>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exit {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
}

/// What comes from a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExecFrame {
    /// Standard output.
    Stdout {
        /// The bytes.
        data: Data,
    },
    /// Standard error.
    Stderr {
        /// The bytes.
        data: Data,
    },
    /// It has ended. Nothing follows.
    Exited {
        /// How.
        #[serde(flatten)]
        exit: Exit,
        /// Whether it was killed because its time was up.
        timed_out: bool,
        /// How long it ran.
        duration_ms: u64,
    },
    /// Nothing happened for a while.
    Alive,
    /// Something that a newer agent server says.
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_tells_all_there_is_to_tell() {
        let exit = Exit { code: None, signal: Some(9) };
        let frame = ExecFrame::Exited { exit, timed_out: true, duration_ms: 12 };
        let json = r#"{"type":"exited","code":null,"signal":9,"timed_out":true,"duration_ms":12}"#;
        assert_eq!(serde_json::to_string(&frame).unwrap(), json);
        assert_eq!(serde_json::from_str::<ExecFrame>(json).unwrap(), frame);
    }

    #[test]
    fn the_environment_and_the_input_are_not_printed() {
        let exec = Exec {
            env: [("TOKEN".to_owned(), Secret::new("hush"))].into(),
            stdin: Some(Data(b"hush".to_vec())),
            ..Exec::default()
        };
        assert!(!format!("{exec:?}").contains("hush"));
    }
}
