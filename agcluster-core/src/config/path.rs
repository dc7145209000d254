//! Where a field stands in a document, written as a user would write it.

use std::fmt;

/// How much of an odd key is shown.
const MAX_KEY: usize = 60;

/// The path of a field, such as `agents.frontend.tools[2]`; the root is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldPath(String);

impl FieldPath {
    /// The path of an entry of this mapping.
    pub(super) fn key(&self, key: &str) -> Self {
        let plain = !key.is_empty()
            && key.len() <= MAX_KEY
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !plain {
            return Self(format!("{}[{}]", self.0, quoted(key)));
        }
        let dot = if self.0.is_empty() { "" } else { "." };
        Self(format!("{}{dot}{key}", self.0))
    }

    /// The path of an entry of this list.
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user's text in quotation marks, escaped and cut, fit for a message.
pub(super) fn quoted(text: &str) -> String {
    let mut start: String = text.chars().take(MAX_KEY).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_user_would_write_it() {
        let path = FieldPath::default().key("agents").key("frontend").key("tools").index(2);
        assert_eq!(path.as_str(), "agents.frontend.tools[2]");
    }

    #[test]
    fn odd_keys_are_quoted_and_cut() {
        let env = FieldPath::default().key("env");
        assert_eq!(env.key("").as_str(), r#"env[""]"#);
        assert_eq!(env.key("a b\n").as_str(), r#"env["a b\n"]"#);
        assert_eq!(env.key(&"ä".repeat(100)).as_str(), format!("env[\"{}…\"]", "ä".repeat(60)));
    }
}
