//! The handlers, a file for each group of routes.

pub(crate) mod answers;
pub(crate) mod approvals;
pub(crate) mod chat;
mod config_document;
pub(crate) mod configs;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod git;
pub(crate) mod idempotency;
pub(crate) mod jobs;
pub(crate) mod launch;
pub(crate) mod logs;
pub(crate) mod messages;
pub(crate) mod meta;
pub(crate) mod metrics;
mod provider_names;
pub(crate) mod providers;
pub(crate) mod resources;
pub(crate) mod restart;
pub(crate) mod sessions;
pub(crate) mod terminal;
pub(crate) mod tools;
