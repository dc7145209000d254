//! What may be called how.

use super::path::quoted;

/// The folder the agent works in.
pub(super) const WORKSPACE: &str = "/workspace";

/// The longest id, server name and sub-agent name.
pub(super) const MAX_NAME: usize = 128;

/// Environment variables that belong to the system: a configuration or a caller that could set them would reroute
/// the model or impersonate a session.
pub(super) const RESERVED: [&str; 9] = [
    "AGENT_CONFIG_JSON",
    "AGENT_ID",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CONFIG_DIR",
    "CONVERSATION_ID",
    "SESSION_ID",
];

/// The prefix of the agent server's own variables.
pub(super) const RESERVED_PREFIX: &str = "AGCLUSTER_";

/// Words in the name of a variable or header that say that its value is a secret.
const SECRET_WORDS: [&str; 8] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "API-KEY", "APIKEY", "AUTHORIZATION"];

/// Whether this is the id of a configuration: `a-z`, `0-9`, `-` and `_`, up to 128 of them. Such an id is also a safe
/// file name.
pub(super) fn is_id(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// Whether an environment variable is not for configurations and callers to set.
pub(super) fn is_reserved(variable: &str) -> bool {
    RESERVED.contains(&variable) || variable.starts_with(RESERVED_PREFIX)
}

/// Whether the name says that the value is a secret.
pub(super) fn sounds_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| upper.contains(word))
}

/// Whether this can name an environment variable: letters, digits and `_`, no digit first.
pub(super) fn is_variable(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text
            .bytes()
            .enumerate()
            .all(|(index, b)| b == b'_' || b.is_ascii_alphabetic() || (index > 0 && b.is_ascii_digit()))
        && !text.is_empty()
}

/// What is wrong with the name of an MCP server, as the rest of a sentence.
pub(super) fn server_name_fault(name: &str) -> Option<String> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    // Two underscores separate the server from the tool in `mcp__server__tool`.
    let fits = plain && (1..=MAX_NAME).contains(&name.len()) && !name.contains("__");
    (!fits).then(|| {
        format!(
            "is named {}, but an MCP server is named with letters, digits, - and single _ only; rename it",
            quoted(name)
        )
    })
}

/// What is wrong with the name of a sub-agent, as the rest of a sentence.
pub(super) fn agent_name_fault(name: &str) -> Option<String> {
    let fits = !name.trim().is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    (!fits).then(|| format!("needs a name of 1 to {MAX_NAME} printable characters; rename it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_variables_of_the_system_are_reserved() {
        for name in ["ANTHROPIC_API_KEY", "SESSION_ID", "AGCLUSTER_TOKEN_SHA256", "AGENT_CONFIG_JSON"] {
            assert!(is_reserved(name), "{name}");
        }
        assert!(!is_reserved("GITHUB_PERSONAL_ACCESS_TOKEN"));
    }

    #[test]
    fn what_could_leave_a_folder_is_no_id() {
        for bad in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a.b", "a\0", "A", "é", "a\n", " a"]
        {
            assert!(!is_id(bad), "{bad:?}");
        }
        assert!(!is_id(&"a".repeat(MAX_NAME + 1)));
        assert!(is_id("code-assistant_2"));
    }

    #[test]
    fn a_variable_starts_with_no_digit() {
        assert!(is_variable("_A1"));
        for bad in ["", "1A", "A-B", "A=B", "A\0", "Ä"] {
            assert!(!is_variable(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_always_one_plain_file_name(text in ".{0,20}") {
            if is_id(&text) {
                let path = std::path::Path::new(&text);
                prop_assert_eq!(path.components().count(), 1);
                prop_assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(text.as_str()));
            }
        }
    }
}
