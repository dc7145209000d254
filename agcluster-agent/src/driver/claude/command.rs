//! Command line and environment of the program. Neither holds a secret of the configuration's but its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use agcluster_protocol::{AgentOptions, PermissionMode};

use super::initialize::MAIN_AGENT;
use super::tools::Tools;

/// The tries of a failed model call, unless the configuration says otherwise: the program's own ten take minutes.
const MAX_RETRIES: &str = "3";

/// What of a configuration can change while the agent runs, and is to hold when it is started again.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) model: Option<String>,
    pub(super) mode: PermissionMode,
}

/// The conversation that a start begins or takes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Conversation {
    New(String),
    Resumed(String),
}

pub(super) fn arguments(
    options: &AgentOptions,
    tools: &Tools,
    current: &Current,
    conversation: &Conversation,
) -> Vec<OsString> {
    let sources: Vec<&str> = options.setting_sources.iter().map(|source| source.as_str()).collect();
    let mut arguments: Vec<String> = [
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
        "--forward-subagent-text",
        "--session-mirror",
        "--permission-prompt-tool",
        "stdio",
        // Prompts, sub-agents and MCP servers come with the first line of the input.
        "--await-initialize",
        "--strict-mcp-config",
        // A resumed conversation goes by what is configured now.
        "--system-prompt-snapshot",
        "off",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    add("--setting-sources", sources.join(","));
    add("--tools", tools.built_in.join(","));
    add("--permission-mode", current.mode.as_str().to_owned());
    if tools.narrowed {
        add("--agent", MAIN_AGENT.to_owned());
    }
    if let Some(model) = &current.model {
        add("--model", model.clone());
    }
    if let Some(most) = options.max_turns {
        add("--max-turns", most.to_string());
    }
    match conversation {
        Conversation::New(id) => add("--session-id", id.clone()),
        Conversation::Resumed(id) => add("--resume", id.clone()),
    }
    arguments.into_iter().map(OsString::from).collect()
}

/// The directories that belong to the program alone.
pub(super) struct Places<'a> {
    pub(super) home: &'a Path,
    /// For temporary files, where the usual directory is shared with others.
    pub(super) temporary: Option<&'a Path>,
}

/// The whole environment. The configuration may set anything but what leads to the model.
pub(super) fn environment(
    options: &AgentOptions,
    tools: &Tools,
    places: &Places<'_>,
    base_url: String,
    token: String,
) -> BTreeMap<String, String> {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut environment: BTreeMap<String, String> = [
        ("PATH", path),
        ("HOME", text(places.home)),
        ("LANG", "C.UTF-8".to_owned()),
        ("TERM", "dumb".to_owned()),
        ("CLAUDE_CODE_MAX_RETRIES", MAX_RETRIES.to_owned()),
        ("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS", "1".to_owned()),
        ("CLAUDE_CODE_STARTUP_FAILURE_RESULTS", "1".to_owned()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("DISABLE_AUTOUPDATER", "1".to_owned()),
        ("DISABLE_TELEMETRY", "1".to_owned()),
        ("DISABLE_ERROR_REPORTING", "1".to_owned()),
        ("ENABLE_TOOL_SEARCH", "false".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
    if let Some(temporary) = places.temporary {
        set("TMPDIR", text(temporary));
        set("CLAUDE_CODE_TMPDIR", text(temporary));
    }
    if tools.has_todo_write() {
        set("CLAUDE_CODE_ENABLE_TASKS", "0".to_owned());
    }
    if !tools.has_background() {
        // A sub-agent's work is then part of the turn that asked for it.
        set("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1".to_owned());
    }
    for (name, value) in &options.env {
        set(name, value.expose().to_owned());
    }
    set("ANTHROPIC_BASE_URL", base_url);
    set("ANTHROPIC_API_KEY", token);
    // Another way to the model would go past the agent server.
    for name in
        ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_UNIX_SOCKET", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"]
    {
        environment.remove(name);
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;
    use agcluster_protocol::{Secret, SettingSource};

    fn options() -> AgentOptions {
        AgentOptions {
            allowed_tools: vec!["Bash".to_owned(), "TodoWrite".to_owned()],
            max_turns: Some(7),
            setting_sources: vec![SettingSource::User, SettingSource::Project],
            ..AgentOptions::default()
        }
    }

    fn arguments_of(options: &AgentOptions, conversation: &Conversation) -> String {
        let current = Current { model: Some("m".to_owned()), mode: PermissionMode::AcceptEdits };
        let arguments = arguments(options, &Tools::of(options), &current, conversation);
        arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_command_line_says_what_cannot_be_said_later() {
        let line = arguments_of(&options(), &Conversation::New("c".to_owned()));
        let end = "--setting-sources user,project --tools Bash,TodoWrite,AskUserQuestion --permission-mode acceptEdits \
                   --model m --max-turns 7 --session-id c";
        assert!(line.ends_with(end), "{line}");
        assert!(arguments_of(&options(), &Conversation::Resumed("c".to_owned())).ends_with("--resume c"));
    }

    #[test]
    fn the_environment_has_the_configurations_values_but_no_other_way_to_the_model() {
        let mut options = options();
        for (name, value) in [
            ("A", "b"),
            ("ANTHROPIC_BASE_URL", "http://elsewhere"),
            ("ANTHROPIC_AUTH_TOKEN", "x"),
            ("CLAUDE_CODE_MAX_RETRIES", "0"),
        ] {
            options.env.insert(name.to_owned(), Secret::new(value));
        }
        let places = Places { home: Path::new("/h"), temporary: None };
        let environment =
            environment(&options, &Tools::of(&options), &places, "http://proxy".to_owned(), "t".to_owned());
        let value = |name: &str| environment.get(name).map(String::as_str);
        assert_eq!(value("A"), Some("b"));
        assert_eq!(value("HOME"), Some("/h"));
        assert_eq!(value("ANTHROPIC_BASE_URL"), Some("http://proxy"));
        assert_eq!(value("ANTHROPIC_API_KEY"), Some("t"));
        assert_eq!(value("ANTHROPIC_AUTH_TOKEN"), None);
        assert_eq!(value("CLAUDE_CODE_MAX_RETRIES"), Some("0"));
        assert_eq!(value("CLAUDE_CODE_ENABLE_TASKS"), Some("0"));
        assert_eq!(value("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"), Some("1"));
        assert_eq!(value("TMPDIR"), None);
    }
}
