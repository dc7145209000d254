//! Terminals: shells on a pseudo-terminal, each under a name. They live on when nobody looks, and anybody may look again.
//!
//! | route | body | answer |
//! |---|---|---|
//! | `GET /workspace/terminals` | – | [`TerminalList`] |
//! | `POST /workspace/terminals/{name}` | [`OpenTerminal`] | [`Terminal`]: the one that is there, or a new one |
//! | `GET /workspace/terminals/{name}/output?after=OFFSET` | – | [`TerminalFrame`]s, a line each, until it ends |
//! | `POST /workspace/terminals/{name}/input` | bytes | 204 once the terminal has them |
//! | `POST /workspace/terminals/{name}/resize` | [`TerminalSize`] | 204 |
//! | `DELETE /workspace/terminals/{name}` | – | 204 once its processes are gone |

use serde::{Deserialize, Serialize};

use super::{Data, Exit};

/// The terminals' routes begin with this.
pub const TERMINALS: &str = "/workspace/terminals";

/// The longest name of a terminal.
const LONGEST_NAME: usize = 128;

/// Whether a text can be a terminal's name: 1 to 128 letters, digits, dots, underscores and hyphens, of which the first is no
/// dot.
pub fn is_terminal_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(fine)
}

/// How large a terminal's window is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TerminalSize {
    /// Characters in a line.
    pub cols: u16,
    /// Lines.
    pub rows: u16,
}

impl TerminalSize {
    /// The most of either.
    pub const MOST: u16 = 1000;

    /// Whether a window can be so large.
    pub fn is_valid(self) -> bool {
        let fine = |number| (1..=Self::MOST).contains(&number);
        fine(self.cols) && fine(self.rows)
    }
}

impl Default for TerminalSize {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

/// Opens a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTerminal {
    /// The size of its window; the one it has, or 80 by 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<TerminalSize>,
}

/// A terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Terminal {
    /// Its name.
    pub name: String,
    /// The shell that runs in it.
    pub shell: String,
    /// The folder it was started in.
    pub directory: String,
    /// The size of its window.
    pub size: TerminalSize,
    /// The offset of the oldest byte of output that is kept.
    pub oldest: u64,
    /// The offset behind the newest one.
    pub newest: u64,
    /// Whether it was made by this request.
    #[serde(default)]
    pub created: bool,
    /// How many look at it.
    pub viewers: usize,
    /// How its shell ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// All terminals, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TerminalList {
    /// The terminals.
    pub terminals: Vec<Terminal>,
}

/// What is to be seen of a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TerminalFrame {
    /// Output.
    Output {
        /// Of its first byte. Offsets count all output under this name.
        offset: u64,
        /// The output.
        data: Data,
    },
    /// Output that is not kept any more: the viewer was away, or was too slow.
    Lost {
        /// The offset of the first byte of it.
        from: u64,
        /// The offset behind it.
        to: u64,
    },
    /// Somebody gave the window another size.
    Resized(TerminalSize),
    /// The shell has ended, by itself or because the terminal was ended. Nothing follows.
    Exited(Exit),
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
    fn a_name_is_short_and_harmless_in_a_path() {
        for name in ["main", "a", "build-1", "A.b_c", &"x".repeat(128)] {
            assert!(is_terminal_name(name), "{name}");
        }
        for name in ["", ".", "..", ".x", "a/b", "a b", "ä", "a%2f", "a\n", &"x".repeat(129)] {
            assert!(!is_terminal_name(name), "{name}");
        }
    }

    #[test]
    fn frames_are_lines_of_json() {
        let frame = TerminalFrame::Output { offset: 7, data: Data(b"hi".to_vec()) };
        assert_eq!(serde_json::to_string(&frame).unwrap(), r#"{"type":"output","offset":7,"data":"aGk="}"#);
        let frame = TerminalFrame::Exited(Exit { code: Some(3), signal: None });
        assert_eq!(serde_json::to_string(&frame).unwrap(), r#"{"type":"exited","code":3,"signal":null}"#);
        assert_eq!(serde_json::from_str::<TerminalFrame>(r#"{"type":"new"}"#).unwrap(), TerminalFrame::Other);
    }

    #[test]
    fn a_window_has_a_size() {
        assert!(TerminalSize::default().is_valid());
        for (cols, rows) in [(0, 24), (80, 0), (1001, 24)] {
            assert!(!TerminalSize { cols, rows }.is_valid());
        }
    }
}
