//! Cloudflare on this machine: the real gateway Worker in the real `workerd`, with Docker containers behind it.
//!
//! | file | what it knows |
//! |---|---|
//! | `workerd.rs` | the program: which version, where from |
//! | `gateway.rs` | the gateway Worker running in it |
//! | `../front.rs` | what stands between a client and the gateway: counts requests, cuts streams |
//! | `containers.rs` | the containers that `workerd` makes and leaves behind |
//! | `fake_runtime.js` | in place of containers, for what no engine can show: no room, newer features |
//! | `tasks.rs` | agent servers that are tasks of this process, in place of containers that would cost too much |

mod containers;
mod gateway;
mod tasks;
mod workerd;

use std::sync::Arc;

use agcluster_core::provider::{ContainerProvider, ListFilter};
use agcluster_providers::cloudflare::{CloudflareConfig, CloudflareProvider};
use anyhow::Context;
use serde_json::{Value, json};

pub use super::front::Recorded;
pub use containers::{agent_host, kill};
pub use gateway::{Gateway, Runtime};

use super::front::Front;
use tasks::Tasks;

/// The gateway's token.
pub const TOKEN: &str = "a-gateway-token-of-tests";

/// A gateway Worker in `workerd`, reached as clients reach it. End it with [`stop`](Self::stop): only that removes its containers at
/// once; those of a test that was killed are removed when the next one starts.
#[derive(Debug)]
pub struct CloudflarePlatform {
    gateway: Gateway,
    front: Front,
    tasks: Option<Tasks>,
}

impl CloudflarePlatform {
    /// Starts the gateway with real containers of the agent image.
    ///
    /// # Errors
    /// When `workerd` cannot be had, does not start, or there is no engine.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(Runtime::Docker).await
    }

    /// Starts the gateway with an agent server that is a task of this process in place of each container.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with_tasks() -> anyhow::Result<Self> {
        let tasks = Tasks::serve().await?;
        let platform = Self::start_on(Runtime::Tasks(tasks.address())).await?;
        Ok(Self { tasks: Some(tasks), ..platform })
    }

    /// The same on one runtime or the other.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_on(runtime: Runtime) -> anyhow::Result<Self> {
        containers::remove_abandoned().await?;
        let gateway = Gateway::start(runtime, Some(TOKEN)).await?;
        let front = Front::of_port(gateway.port()).await?;
        Ok(Self { gateway, front, tasks: None })
    }

    /// What a server's YAML holds to reach it.
    pub fn config(&self) -> Value {
        json!({ "gateway_url": self.url(), "gateway_token": TOKEN })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.front.url()
    }

    /// A provider over it; another one each time.
    ///
    /// # Errors
    /// When it refuses its configuration.
    pub fn provider(&self) -> anyhow::Result<Arc<dyn ContainerProvider>> {
        let config: CloudflareConfig = serde_json::from_value(self.config())?;
        Ok(Arc::new(CloudflareProvider::new(config)?))
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.front.requests()
    }

    /// Breaks every stream that runs, as a deployment or a lost connection does.
    pub fn cut_streams(&self) {
        self.front.cut();
    }

    /// Ends `workerd` hard and starts it anew over the same objects and containers: what a deployment is to the gateway.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn restart_gateway(&mut self) -> anyhow::Result<()> {
        self.front.cut();
        self.gateway.restart().await?;
        self.front.turn_to(self.gateway.port());
        Ok(())
    }

    /// Ends a container as a host that fails does: without a word to the gateway.
    ///
    /// # Errors
    /// When there is not exactly one that runs.
    pub async fn kill_the_container(&self) -> anyhow::Result<()> {
        kill(self.gateway.prefix()).await
    }

    /// What still exists: containers in the gateway's index, and those that run on the engine. A container that has ended stays on
    /// the engine until the platform is stopped: that is `workerd`'s own way.
    ///
    /// # Errors
    /// When gateway or engine do not answer.
    pub async fn left_behind(&self) -> anyhow::Result<Vec<String>> {
        let listed = self.provider()?.list(ListFilter::default()).await?;
        let mut left: Vec<String> = listed.into_iter().map(|container| container.id.0).collect();
        left.extend(containers::running(self.gateway.prefix()).await?);
        if let Some(tasks) = &self.tasks {
            left.extend(tasks.left().await);
        }
        Ok(left)
    }

    /// What the gateway wrote to its log.
    pub fn log(&self) -> String {
        self.gateway.log()
    }

    /// Ends it and removes every container it ever made.
    ///
    /// # Errors
    /// When one stays.
    pub async fn stop(self) -> anyhow::Result<()> {
        let prefix = self.gateway.prefix().to_owned();
        self.front.stop().await;
        self.gateway.stop().await?;
        containers::remove(&prefix).await.context("removing the containers that workerd left")
    }
}
