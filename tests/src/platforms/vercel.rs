//! A fake of Vercel Sandbox, strict and with machines that work: each session is a Docker container, or a task of this process.
//!
//! It holds every request to what Vercel's own client sends, and every answer of its own to what that client accepts;
//! what is wrong is a [`violation`](VercelPlatform::violations). The official client runs against it in
//! `tests/tests/vercel_official_client.rs`, which is what proves the fake.
//!
//! | file | what it knows |
//! |---|---|
//! | `schema.rs` | JSON Schema, as far as it is used here |
//! | `check.rs` | what each call takes and answers |
//! | `world.rs` | sandboxes, sessions and snapshots |
//! | `names.rs`, `sessions.rs`, `commands.rs`, `files.rs`, `snapshots.rs` | the calls |
//! | `machine.rs`, `route.rs` | a session's container, and its ports |
//! | `fault.rs` | what goes wrong on purpose |

mod check;
mod commands;
mod fault;
mod files;
mod machine;
mod names;
mod objects;
mod reply;
mod route;
mod schema;
mod server;
mod sessions;
mod snapshots;
mod world;

use std::sync::Arc;

use agcluster_core::provider::ContainerProvider;
use agcluster_providers::vercel::{VercelConfig, VercelProvider};
use anyhow::Context;
use serde_json::{Value, json};

pub use fault::{Fault, What};
pub use server::Recorded;

use server::Server;

/// What a fake is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// The longest life of a session, in milliseconds; 45 minutes is the Hobby plan's.
    pub longest_ms: u64,
    /// How many sessions may run at once.
    pub concurrent: usize,
    /// Whether machines are containers; otherwise each is a task of this process, which runs nothing but the agent server.
    pub docker: bool,
}

impl Default for Options {
    /// A Pro team.
    fn default() -> Self {
        Self { longest_ms: 24 * 3600 * 1000, concurrent: 2000, docker: true }
    }
}

/// The only token that is taken, and what it is for.
pub const TOKEN: &str = "tok_test";
/// The team of the token.
pub const TEAM: &str = "team_x";
/// The team's only project.
pub const PROJECT: &str = "prj_y";
/// The image with the agent server, as the fake's registry names it.
pub const IMAGE: &str = "agcluster-agent:latest";

/// A running fake.
#[derive(Debug)]
pub struct VercelPlatform {
    server: Server,
}

impl VercelPlatform {
    /// Starts a fake of a Pro team. What killed runs left behind is removed.
    ///
    /// # Errors
    /// Without a Docker engine that has the agent image.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// The same with other options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(options: Options) -> anyhow::Result<Self> {
        Ok(Self { server: Server::start(options).await? })
    }

    /// The base URL, which stands for `https://vercel.com/api`.
    pub fn url(&self) -> String {
        format!("http://{}/api", self.server.address())
    }

    /// What a server's configuration file holds to reach it.
    pub fn config(&self) -> Value {
        json!({
            "api_url": self.url(),
            "token": TOKEN,
            "team_id": TEAM,
            "project_id": PROJECT,
            "image": IMAGE,
            "plan": "pro",
        })
    }

    /// A provider with [`config`](Self::config) and these fields over it.
    ///
    /// # Errors
    /// When it refuses its configuration.
    pub fn provider_with(&self, fields: Value) -> anyhow::Result<Arc<dyn ContainerProvider>> {
        let mut config = self.config();
        for (name, value) in fields.as_object().context("fields are an object")? {
            config[name.as_str()] = value.clone();
        }
        let config: VercelConfig = serde_json::from_value(config)?;
        Ok(Arc::new(VercelProvider::new(config)?))
    }

    /// A provider with [`config`](Self::config).
    ///
    /// # Errors
    /// As [`provider_with`](Self::provider_with).
    pub fn provider(&self) -> anyhow::Result<Arc<dyn ContainerProvider>> {
        self.provider_with(json!({}))
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.world().requests()
    }

    /// What was wrong with requests, or with the fake's own answers.
    pub fn violations(&self) -> Vec<String> {
        self.server.world().violations()
    }

    /// Lets something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.server.world().inject(fault);
    }

    /// Cuts every connection to an agent server that is open now.
    pub fn cut_streams(&self) {
        self.server.world().cut_streams();
    }

    /// Ends the current session of a sandbox as its time-out would.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn expire(&self, name: &str) -> anyhow::Result<()> {
        self.server.world().expire(name).await
    }

    /// What still exists: sandboxes by name, and containers.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn left_behind(&self) -> anyhow::Result<Vec<String>> {
        self.server.world().left_behind().await
    }

    /// The snapshots that still exist.
    pub fn snapshots(&self) -> Vec<String> {
        self.server.world().snapshots()
    }

    /// Ends it, with everything that it made.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server.stop().await
    }
}
