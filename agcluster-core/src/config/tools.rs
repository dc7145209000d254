//! The names of tools.

use super::path::quoted;
use super::suggest::did_you_mean;

/// The built-in tools that a configuration can allow.
pub const BUILT_IN_TOOLS: [&str; 16] = [
    "Bash",
    "BashOutput",
    "Edit",
    "ExitPlanMode",
    "Glob",
    "Grep",
    "KillBash",
    LIST_MCP_RESOURCES,
    "NotebookEdit",
    "Read",
    READ_MCP_RESOURCE,
    DELEGATE,
    "TodoWrite",
    "WebFetch",
    "WebSearch",
    "Write",
];

/// Lists what MCP servers offer to read.
pub(super) const LIST_MCP_RESOURCES: &str = "ListMcpResources";

/// Reads what MCP servers offer.
pub(super) const READ_MCP_RESOURCE: &str = "ReadMcpResource";

/// Hands work to a sub-agent.
pub(super) const DELEGATE: &str = "Task";

/// What every tool of an MCP server is called first.
const MCP_PREFIX: &str = "mcp__";

/// The pattern for all tools of an MCP server.
pub(super) fn all_of_server(server: &str) -> String {
    format!("{MCP_PREFIX}{server}__*")
}

/// What is wrong with the name of a tool, as the rest of a sentence.
pub(super) fn fault(tool: &str) -> Option<String> {
    if let Some(rest) = tool.strip_prefix(MCP_PREFIX) {
        // Agent programs take lists of tools as one argument, so a comma or a space would smuggle in another tool.
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'*');
        let fits = !rest.is_empty() && rest.bytes().all(plain);
        return (!fits).then(|| {
            format!(
                "is {}, but the tool of an MCP server is written `mcp__<server>__<tool>` with letters, digits, _, - and *",
                quoted(tool)
            )
        });
    }
    (!BUILT_IN_TOOLS.contains(&tool)).then(|| {
        let hint = did_you_mean(tool, BUILT_IN_TOOLS);
        if hint.is_empty() {
            let known = BUILT_IN_TOOLS.join(", ");
            return format!("is {}, but must be one of {known} or mcp__<server>__<tool>", quoted(tool));
        }
        format!("is {}, which is no tool{hint}", quoted(tool))
    })
}

/// Whether this names a tool of an MCP server that is not among the given ones.
pub(super) fn is_of_unknown_server<'s>(tool: &str, mut servers: impl Iterator<Item = &'s str>) -> bool {
    let Some(rest) = tool.strip_prefix(MCP_PREFIX) else { return false };
    !servers
        .any(|server| rest.strip_prefix(server).is_some_and(|tail| tail.is_empty() || tail.starts_with("__")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_cannot_smuggle_in_another() {
        assert_eq!(fault("mcp__github__*"), None);
        assert_eq!(fault("mcp__github"), None);
        for bad in ["mcp__", "mcp__x,Bash", "mcp__x Bash", "Bash(rm *)", "", "bash"] {
            assert!(fault(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn a_server_is_known_by_its_whole_name() {
        let servers = ["git"];
        assert!(!is_of_unknown_server("mcp__git__clone", servers.into_iter()));
        assert!(!is_of_unknown_server("mcp__git", servers.into_iter()));
        assert!(is_of_unknown_server("mcp__github__clone", servers.into_iter()));
        assert!(!is_of_unknown_server("Bash", servers.into_iter()));
    }
}
