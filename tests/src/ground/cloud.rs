//! The platforms of this machine's own making, as one.

use serde_json::Value;

use super::Provider;
use crate::platforms::cloudflare::CloudflarePlatform;
use crate::platforms::fly_machines::{self, FlyMachinesPlatform};
use crate::platforms::vercel::{self, VercelPlatform};

/// One of them.
#[derive(Debug)]
pub(super) enum Cloud {
    FlyMachines(FlyMachinesPlatform),
    Vercel(VercelPlatform),
    Cloudflare(Box<CloudflarePlatform>),
}

impl Cloud {
    /// Starts the platform of a provider; `None` for one that needs none.
    pub(super) async fn start(provider: Provider) -> anyhow::Result<Option<Self>> {
        Ok(match provider {
            Provider::FlyMachines => Some(Self::FlyMachines(Box::pin(FlyMachinesPlatform::start()).await?)),
            Provider::Vercel => Some(Self::Vercel(Box::pin(VercelPlatform::start()).await?)),
            Provider::Cloudflare => {
                Some(Self::Cloudflare(Box::new(Box::pin(CloudflarePlatform::start()).await?)))
            }
            Provider::Memory | Provider::Process | Provider::Docker => None,
        })
    }

    /// The same with tasks of this process in its machines.
    pub(super) async fn start_with_tasks(provider: Provider) -> anyhow::Result<Option<Self>> {
        Ok(match provider {
            Provider::FlyMachines => {
                // So fast that nobody has to wait for a turn.
                let options = fly_machines::Options { docker: false, clock: 10_000 };
                Some(Self::FlyMachines(Box::pin(FlyMachinesPlatform::start_with(options)).await?))
            }
            Provider::Vercel => {
                let options = vercel::Options { docker: false, ..vercel::Options::default() };
                Some(Self::Vercel(Box::pin(VercelPlatform::start_with(options)).await?))
            }
            Provider::Cloudflare => {
                Some(Self::Cloudflare(Box::new(Box::pin(CloudflarePlatform::start_with_tasks()).await?)))
            }
            Provider::Memory | Provider::Process | Provider::Docker => None,
        })
    }

    pub(super) fn config(&self) -> Value {
        match self {
            Self::FlyMachines(platform) => platform.config(),
            Self::Vercel(platform) => platform.config(),
            Self::Cloudflare(platform) => platform.config(),
        }
    }

    pub(super) fn requests(&self) -> usize {
        match self {
            Self::FlyMachines(platform) => platform.requests().len(),
            Self::Vercel(platform) => platform.requests().len(),
            Self::Cloudflare(platform) => platform.requests().len(),
        }
    }

    pub(super) fn cut_streams(&self) {
        match self {
            Self::FlyMachines(platform) => platform.cut_streams(),
            Self::Vercel(platform) => platform.cut_streams(),
            Self::Cloudflare(platform) => platform.cut_streams(),
        }
    }

    pub(super) async fn left_behind(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::FlyMachines(platform) => platform.left_behind().await,
            Self::Vercel(platform) => platform.left_behind().await,
            Self::Cloudflare(platform) => platform.left_behind().await,
        }
    }

    /// What was wrong with requests. The gateway Worker is no fake: it refuses what is wrong itself.
    pub(super) fn violations(&self) -> Vec<String> {
        match self {
            Self::FlyMachines(platform) => platform.violations(),
            Self::Vercel(platform) => platform.violations(),
            Self::Cloudflare(_) => Vec::new(),
        }
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::FlyMachines(platform) => platform.stop().await,
            Self::Vercel(platform) => platform.stop().await,
            Self::Cloudflare(platform) => platform.stop().await,
        }
    }
}
