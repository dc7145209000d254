//! Credentials that are given at launch and never stored.
//!
//! A configuration says which values an MCP server needs: the names of its environment variables, and `${NAME}` or
//! `${NAME:-default}` anywhere in its environment, headers or URL. Who launches it gives the values for each server by
//! itself, so that one server never sees the credentials of another. Nothing is ever looked up in the environment of
//! the control plane, which would hand its secrets to any caller.

use std::collections::{BTreeMap, BTreeSet};

use agcluster_protocol::{McpServer, Secret};

use super::mcp::{is_header_value, is_http};
use super::model::AgentConfig;
use super::names::is_reserved;
use super::path::FieldPath;
use super::placeholder;
use super::problem::{ConfigError, FieldProblem, MAX_PROBLEMS};

/// Values given at launch: for each MCP server, by name.
pub type McpEnv = BTreeMap<String, BTreeMap<String, Secret>>;

/// The MCP servers of one launch.
#[derive(Debug, Clone, PartialEq)]
pub struct McpServers {
    /// The servers with every value filled in.
    pub servers: BTreeMap<String, McpServer>,
    /// What was left out because no value was given for it.
    pub warnings: Vec<FieldProblem>,
}

impl AgentConfig {
    /// Fills in the values given at launch.
    ///
    /// A value replaces `${NAME}` wherever its server mentions it; a variable of the same name that does not mention
    /// it gets the value itself. A variable or header without a value is left out with a warning, and so is a
    /// server whose URL lacks one: a server that must have it then says so itself, and the others still work.
    ///
    /// `shared` holds the values that the operator lets every configuration use; a value of the launch wins over it.
    ///
    /// # Errors
    /// A server or a name that the configuration does not declare, a name that is reserved, a value that
    /// cannot be sent. All of them are reported; no value is ever in the message.
    pub fn apply_mcp_env(
        &self,
        mcp_env: &McpEnv,
        shared: &BTreeMap<String, Secret>,
    ) -> Result<McpServers, ConfigError> {
        ConfigError::check(self.refusals(mcp_env))?;
        let none = BTreeMap::new();
        let mut filled = McpServers { servers: BTreeMap::new(), warnings: Vec::new() };
        let mut problems = Vec::new();
        for (name, server) in &self.mcp_servers {
            let values = Values { given: mcp_env.get(name).unwrap_or(&none), shared };
            let path = FieldPath::default().key("mcp_servers").key(name);
            let mut fill = Fill { values, path, warnings: &mut filled.warnings, problems: &mut problems };
            if let Some(server) = fill.server(name, server) {
                filled.servers.insert(name.clone(), server);
            }
        }
        ConfigError::check(problems)?;
        Ok(filled)
    }

    /// What was given that the configuration does not ask for. Clients know these messages by heart.
    fn refusals(&self, mcp_env: &McpEnv) -> Vec<FieldProblem> {
        if mcp_env.is_empty() {
            return Vec::new();
        }
        if self.mcp_servers.is_empty() {
            return vec![FieldProblem::sentence("mcp_env", "mcp_env provided but no mcp_servers configured")];
        }
        let mut problems = Vec::new();
        for (name, given) in mcp_env {
            let path = FieldPath::default().key("mcp_env").key(name);
            let Some(server) = self.mcp_servers.get(name) else {
                let message = format!("Unknown MCP server '{}' in mcp_env", shown(name));
                problems.push(FieldProblem::sentence(path.to_string(), message));
                continue;
            };
            let declared = declared(server);
            if declared.is_empty() && !given.is_empty() {
                let message = format!(
                    "MCP server '{name}' does not declare env keys; cannot accept runtime credentials"
                );
                problems.push(FieldProblem::sentence(path.to_string(), message));
                continue;
            }
            for (key, value) in given {
                let message = if is_reserved(key) {
                    format!("MCP env key '{}' is reserved and cannot be overridden", shown(key))
                } else if !declared.contains(key.as_str()) {
                    format!("MCP env key '{}' not declared in config for server '{name}'", shown(key))
                } else if value.expose().contains('\0') {
                    format!("MCP env key '{key}' has a value with a NUL character; remove it")
                } else {
                    continue;
                };
                problems.push(FieldProblem::sentence(path.key(key).to_string(), message));
            }
        }
        problems.truncate(MAX_PROBLEMS);
        problems
    }
}

/// The names a server takes values for.
fn declared(server: &McpServer) -> BTreeSet<&str> {
    let (keys, values, url) = match server {
        McpServer::Stdio { env, .. } => (Some(env.keys()), env.values(), None),
        McpServer::Sse { url, headers } | McpServer::Http { url, headers } => {
            (None, headers.values(), Some(url.as_str()))
        }
    };
    let texts = values.map(Secret::expose).chain(url);
    keys.into_iter().flatten().map(String::as_str).chain(texts.flat_map(placeholder::names)).collect()
}

/// A name of the caller's, cut to a length that fits a message.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Where values come from.
#[derive(Clone, Copy)]
pub(super) struct Values<'v> {
    pub(super) given: &'v BTreeMap<String, Secret>,
    pub(super) shared: &'v BTreeMap<String, Secret>,
}

impl<'v> Values<'v> {
    fn get(&self, name: &str) -> Option<&'v str> {
        let value = self.given.get(name).or_else(|| self.shared.get(name));
        value.filter(|_| !is_reserved(name)).map(Secret::expose)
    }
}

/// Fills in one mapping after the other and gathers what is missing.
pub(super) struct Fill<'v, 'w> {
    pub(super) values: Values<'v>,
    pub(super) path: FieldPath,
    pub(super) warnings: &'w mut Vec<FieldProblem>,
    pub(super) problems: &'w mut Vec<FieldProblem>,
}

impl Fill<'_, '_> {
    fn server(&mut self, name: &str, server: &McpServer) -> Option<McpServer> {
        let cure = format!("give it in `{}` at launch", FieldPath::default().key("mcp_env").key(name));
        match server {
            McpServer::Stdio { command, args, env } => {
                let env = self.variables(env, &self.path.key("env"), &cure);
                Some(McpServer::Stdio { command: command.clone(), args: args.clone(), env })
            }
            McpServer::Sse { url, headers } => {
                let (url, headers) = self.remote(url, headers, &cure)?;
                Some(McpServer::Sse { url, headers })
            }
            McpServer::Http { url, headers } => {
                let (url, headers) = self.remote(url, headers, &cure)?;
                Some(McpServer::Http { url, headers })
            }
        }
    }

    /// Environment variables with their values; `cure` says what to do about a missing one.
    pub(super) fn variables(
        &mut self,
        variables: &BTreeMap<String, Secret>,
        path: &FieldPath,
        cure: &str,
    ) -> BTreeMap<String, Secret> {
        let mut filled = BTreeMap::new();
        for (key, text) in variables {
            let given = self.values.given.get(key);
            let mentioned = || placeholder::names(text.expose()).any(|name| name == key);
            let value = match given.filter(|_| !mentioned()) {
                Some(value) => Some(value.clone()),
                None => self.text(text.expose(), &path.key(key), cure).map(Secret::new),
            };
            filled.extend(value.map(|value| (key.clone(), value)));
        }
        filled
    }

    fn remote(
        &mut self,
        url: &str,
        headers: &BTreeMap<String, Secret>,
        cure: &str,
    ) -> Option<(String, BTreeMap<String, Secret>)> {
        let mut filled = BTreeMap::new();
        for (key, text) in headers {
            let path = self.path.key("headers").key(key);
            let Some(value) = self.text(text.expose(), &path, cure) else { continue };
            if is_header_value(&value) {
                filled.insert(key.clone(), Secret::new(value));
            } else {
                let fault = "cannot be sent with the value that was given: remove its line breaks";
                self.problems.push(FieldProblem::new(&path, fault));
            }
        }
        let path = self.path.key("url");
        let url = self.text(url, &path, cure)?;
        if !is_http(&url) {
            let fault = "is no http or https address with the value that was given; check the value";
            self.problems.push(FieldProblem::new(&path, fault));
        }
        Some((url, filled))
    }

    fn text(&mut self, text: &str, path: &FieldPath, cure: &str) -> Option<String> {
        match placeholder::expand(text, |name| self.values.get(name)) {
            Ok(text) => Some(text),
            Err(name) => {
                let message = format_args!("is left out because there is no value for `{name}`: {cure}");
                if self.warnings.len() < MAX_PROBLEMS {
                    self.warnings.push(FieldProblem::new(path, message));
                }
                None
            }
        }
    }
}
