//! The secrets of a session: held in memory alone, so that after a restart only their owner can bring them.

use std::collections::BTreeMap;

use agcluster_protocol::workspace::git;
use agcluster_protocol::{AgentOptions, McpServer, ModelAccess, Secret};

use super::AgentSpec;

/// The secrets of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Credentials {
    /// The key of the model API.
    pub(super) api_key: Option<Secret>,
    /// The options with their secrets; those of the record have none.
    pub(super) options: Option<AgentOptions>,
    /// What opens its repository.
    pub(super) git: Option<git::Credentials>,
}

impl Credentials {
    /// What is still needed to start the agent of this specification, in words.
    pub(super) fn missing(&self, agent: &AgentSpec, model_base_url: Option<&str>) -> Option<String> {
        let key = (model_base_url.is_some() && self.api_key.is_none())
            .then(|| "the key of its model API".to_owned());
        let servers = match &self.options {
            None => without_secrets(&agent.options).1,
            Some(_) => Vec::new(),
        };
        let servers = (!servers.is_empty())
            .then(|| format!("the credentials of its configuration ({})", servers.join(", ")));
        let missing: Vec<String> = key.into_iter().chain(servers).collect();
        (!missing.is_empty()).then(|| missing.join(" and "))
    }

    /// How the agent reaches its model.
    pub(super) fn model_access(&self, model_base_url: Option<&str>) -> Option<ModelAccess> {
        let (base_url, api_key) = (model_base_url?.to_owned(), self.api_key.clone()?);
        Some(ModelAccess { base_url, api_key })
    }
}

/// The options as they may be kept, and the names of what lost something by it.
pub(super) fn without_secrets(options: &AgentOptions) -> (AgentOptions, Vec<String>) {
    let mut options = options.clone();
    let mut stripped = Vec::new();
    if !options.env.is_empty() {
        stripped.push("its environment".to_owned());
        blank(&mut options.env);
    }
    for (name, server) in &mut options.mcp_servers {
        let secrets = match server {
            McpServer::Stdio { env, .. } => env,
            McpServer::Sse { headers, .. } | McpServer::Http { headers, .. } => headers,
        };
        if !secrets.is_empty() {
            stripped.push(name.clone());
            blank(secrets);
        }
    }
    (options, stripped)
}

fn blank(secrets: &mut BTreeMap<String, Secret>) {
    for secret in secrets.values_mut() {
        *secret = Secret::new("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> AgentOptions {
        let server = McpServer::Stdio {
            command: "npx".into(),
            args: vec!["-y".into()],
            env: BTreeMap::from([("TOKEN".to_owned(), Secret::new("hush-73"))]),
        };
        AgentOptions {
            mcp_servers: BTreeMap::from([("files".to_owned(), server)]),
            ..AgentOptions::default()
        }
    }

    fn agent() -> AgentSpec {
        AgentSpec {
            driver: agcluster_protocol::DriverKind::Claude,
            options: without_secrets(&options()).0,
            resources: crate::provider::Resources::default(),
            image: None,
        }
    }

    #[test]
    fn what_is_kept_holds_no_secret() {
        let kept = serde_json::to_string(&agent()).unwrap();
        assert!(kept.contains("TOKEN") && !kept.contains("hush-73"), "{kept}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let nothing = Credentials::default();
        let missing = nothing.missing(&agent(), Some("https://api.example.com")).unwrap();
        assert!(missing.contains("model API") && missing.contains("files"), "{missing}");
        let all = Credentials { api_key: Some(Secret::new("k")), options: Some(options()), git: None };
        assert_eq!(all.missing(&agent(), Some("https://api.example.com")), None);
    }
}
