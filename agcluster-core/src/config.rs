//! Agent configurations: what an agent is, what it may do, how much it may use.
//!
//! A configuration is a YAML or JSON document that becomes an [`AgentConfig`]. Every problem of a document is found
//! at once and names its field; what is only suspicious, such as a field that no configuration has, is a warning.
//! [`ConfigStore`] keeps the configurations of a few folders, and the presets that every build brings along, up to date
//! in memory. [`AgentConfig::to_options`] and [`AgentConfig::resources`] say what a launch needs.
//!
//! ```
//! use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
//!
//! let read = AgentConfig::from_yaml("
//! id: reader
//! name: Reader
//! allowed_tools: [Read, Grep]
//! resource_limits: { memory_limit: 1g }
//! ")?;
//! let launch = read.config.to_options(&McpEnv::new(), &AgentDefaults::default())?;
//! assert_eq!(launch.options.allowed_tools, ["Read", "Grep"]);
//! assert_eq!(read.config.resources().memory_bytes, Some(1 << 30));
//!
//! let error = AgentConfig::from_yaml("id: reader\nname: Reader\nmax_turns: 0").unwrap_err();
//! assert_eq!(error.problems()[0].field, "max_turns");
//! # Ok::<(), agcluster_core::config::ConfigError>(())
//! ```

mod agents;
mod catalog;
mod credentials;
mod document;
mod files;
mod launch;
mod mcp;
mod model;
mod names;
mod node;
mod path;
mod placeholder;
mod policy;
mod presets;
mod problem;
mod read;
pub(crate) mod schema;
mod secrets;
mod store;
mod suggest;
mod tools;
mod wire;
mod yaml;

pub use catalog::{CatalogError, ConfigCatalog, Saving};
pub use credentials::{McpEnv, McpServers};
pub use launch::{AgentDefaults, LaunchOptions};
pub use model::{AgentConfig, ConfigSummary, ReadConfig, ResourceLimits};
pub use problem::{ConfigError, FieldProblem, Position};
pub use store::{
    ConfigChanges, ConfigEntry, ConfigFolder, ConfigLookupError, ConfigSource, ConfigStore, FileProblem,
};
pub use tools::BUILT_IN_TOOLS;

#[cfg(test)]
mod tests;
