//! Secrets that stand in a document in clear. Whoever stores a document refuses them.

use std::collections::BTreeMap;

use agcluster_protocol::{McpServer, Secret, SystemPrompt};
use url::Url;

use super::model::AgentConfig;
use super::names::sounds_secret;
use super::path::FieldPath;
use super::placeholder;
use super::problem::{FieldProblem, MAX_PROBLEMS};

/// How credentials of well-known services begin.
const PREFIXES: [&str; 19] = [
    "sk-ant-",
    "sk-proj-",
    "sk-or-",
    "sk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "AIzaSy",
    "npm_",
    "hf_",
];
/// A credential is at least so long, beginning included.
const SHORTEST: usize = 20;
const CURE: &str = "looks like a secret, and secrets are never stored: write a placeholder such as `${NAME}` and give the \
                    value as `mcp_env` at launch";

/// What in a configuration looks like a secret in clear. A guess by names and by well-known beginnings, so that a mistake
/// does not go unseen; it cannot know every secret.
pub(super) fn in_clear(config: &AgentConfig) -> Vec<FieldProblem> {
    let mut found = Found(Vec::new());
    let root = FieldPath::default();
    found.values(&config.env, &root.key("env"));
    for (name, server) in &config.mcp_servers {
        let path = root.key("mcp_servers").key(name);
        match server {
            McpServer::Stdio { command, args, env } => {
                found.values(env, &path.key("env"));
                found.text(command, &path.key("command"));
                found.arguments(args, &path.key("args"));
            }
            McpServer::Sse { url, headers } | McpServer::Http { url, headers } => {
                found.values(headers, &path.key("headers"));
                found.url(url, &path.key("url"));
            }
        }
    }
    match &config.system_prompt {
        Some(SystemPrompt::Text(text)) => found.text(text, &root.key("system_prompt")),
        Some(SystemPrompt::Preset { append: Some(text), .. }) => {
            found.text(text, &root.key("system_prompt").key("append"));
        }
        _ => {}
    }
    for (name, agent) in config.agents.iter().flatten() {
        found.text(&agent.prompt, &root.key("agents").key(name).key("prompt"));
    }
    for (path, content) in &config.files {
        found.text(content, &root.key("files").key(path));
    }
    found.0
}

struct Found(Vec<FieldProblem>);

impl Found {
    fn note(&mut self, path: &FieldPath) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(FieldProblem::new(path, CURE));
        }
    }

    fn values(&mut self, values: &BTreeMap<String, Secret>, path: &FieldPath) {
        for (name, value) in values {
            if is_named_secret(name, value.expose()) || is_credential(value.expose()) {
                self.note(&path.key(name));
            }
        }
    }

    fn arguments(&mut self, args: &[String], path: &FieldPath) {
        for (index, arg) in args.iter().enumerate() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, value),
                // `--token VALUE`
                None => (
                    index.checked_sub(1).and_then(|before| args.get(before)).map_or("", String::as_str),
                    arg.as_str(),
                ),
            };
            let named = name.starts_with('-') && !value.starts_with('-') && is_named_secret(name, value);
            if named || is_credential(arg) {
                self.note(&path.index(index));
            }
        }
    }

    fn url(&mut self, text: &str, path: &FieldPath) {
        // A placeholder is part of no URL's syntax, so it is taken out first.
        let filled = placeholder::expand(text, |_| Some("")).unwrap_or_default();
        let named = Url::parse(&filled).is_ok_and(|url| {
            url.password().is_some_and(|password| !password.is_empty())
                || url.query_pairs().any(|(name, value)| is_named_secret(&name, &value))
        });
        if named || is_credential(text) {
            self.note(path);
        }
    }

    fn text(&mut self, text: &str, path: &FieldPath) {
        if is_credential(text) {
            self.note(path);
        }
    }
}

/// Whether something of this name has its value in clear.
fn is_named_secret(name: &str, value: &str) -> bool {
    sounds_secret(&name.replace('-', "_")) && !value.is_empty() && placeholder::names(value).next().is_none()
}

/// Whether there is a credential in the text, as well-known services make them.
fn is_credential(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----"))
        || text
            .split(|c| !word(c))
            .any(|token| token.len() >= SHORTEST && PREFIXES.iter().any(|prefix| token.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn fields(rest: Value) -> Vec<String> {
        let mut document = json!({ "id": "x", "name": "X" });
        document.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let config = AgentConfig::from_json(document).unwrap().config;
        in_clear(&config).into_iter().map(|problem| problem.field).collect()
    }

    const KEY: &str = "ghp_0123456789abcdefghij";

    #[test]
    fn a_secret_is_seen_wherever_it_stands() {
        let found = fields(json!({
            "env": { "DB_PASSWORD": "x", "OTHER": format!("a={KEY};"), "RUST_LOG": "debug" },
            "mcp_servers": {
                "local": { "command": "c", "env": { "TOKEN": "x" }, "args": ["--api-key=x", "--token", "x", "-v", KEY] },
                "remote": { "type": "http", "url": "https://u:p@h/?api_key=1", "headers": { "Authorization": "Bearer x" } },
            },
            "files": { "id_rsa": "-----BEGIN RSA PRIVATE KEY-----\nx" },
            "agents": { "a": { "description": "d", "prompt": format!("use {KEY}") } },
        }));
        let expected = [
            "env.DB_PASSWORD",
            "env.OTHER",
            "mcp_servers.local.env.TOKEN",
            "mcp_servers.local.args[0]",
            "mcp_servers.local.args[2]",
            "mcp_servers.local.args[4]",
            "mcp_servers.remote.headers.Authorization",
            "mcp_servers.remote.url",
            "agents.a.prompt",
            "files.id_rsa",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn placeholders_and_plain_words_are_no_secrets() {
        let found = fields(json!({
            "env": { "DB_PASSWORD": "${PASSWORD}", "A": "sk-ant-", "TOKEN": "" },
            "mcp_servers": {
                "local": { "command": "c", "args": ["--token=${T}", "--secret", "--verbose"] },
                "remote": { "type": "http", "url": "https://h/?api_key=${K}", "headers": { "Authorization": "Bearer ${T}" } },
            },
            "system_prompt": "Never print a key that begins with ghp_ or AKIA.",
        }));
        assert_eq!(found, [] as [&str; 0]);
    }
}
