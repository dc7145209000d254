//! What an operator can set.

mod regions;

use std::time::Duration;

use agcluster_core::protocol::Secret;
use agcluster_core::provider::{Resources, Result, invalid_field as invalid};
use serde::Deserialize;
use url::Url;

use super::guest::Guest;
use super::{PLATFORM, token};
use crate::Size;

pub use regions::Regions;

/// Which environment variable stands for which field of the configuration, where the file says nothing. The first one that is set counts.
pub const ENV: &[(&str, &str)] = &[
    ("FLY_API_TOKEN", "token"),
    ("FLY_ACCESS_TOKEN", "token"),
    ("FLY_APP_NAME", "app"),
    ("FLY_REGION", "regions"),
    ("FLY_ORG", "organization"),
    ("FLY_FLAPS_BASE_URL", "base_url"),
];

/// How to use Fly Machines. Only `token`, `app` (or `organization`) and an image must be given.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlyMachinesConfig {
    /// The token, with or without `FlyV1` or `Bearer` before it: a deploy token of the app, or with [`AppMode::PerSession`] one
    /// of the organisation.
    pub token: Option<Secret>,
    /// Whether sessions share an app.
    pub mode: AppMode,
    /// The app of all machines with [`AppMode::Shared`].
    pub app: Option<String>,
    /// The organisation, by its slug, with [`AppMode::PerSession`].
    pub organization: Option<String>,
    /// What the names of apps begin with, with [`AppMode::PerSession`].
    pub app_prefix: String,
    /// Where machines are made: in the first region that has room. Empty, the platform takes the nearest one.
    pub regions: Regions,
    /// The image of containers that name none: one in `registry.fly.io`, or a public one.
    pub image: Option<String>,
    /// The size of machines that ask for none.
    pub guest: DefaultGuest,
    /// How agent servers are reached.
    pub reach: Reach,
    /// The public URL of an app, `{app}` standing for its name.
    pub public_url: String,
    /// How long a connection through the public host may be silent before the platform cuts it.
    pub stream_idle_seconds: u32,
    /// The Machines API.
    pub base_url: String,
    /// How much the platform takes.
    pub rate: RequestRate,
    /// How long the platform may take.
    pub timeouts: Timeouts,
}

impl Default for FlyMachinesConfig {
    fn default() -> Self {
        Self {
            token: None,
            mode: AppMode::default(),
            app: None,
            organization: None,
            app_prefix: "agc".to_owned(),
            regions: Regions::default(),
            image: None,
            guest: DefaultGuest::default(),
            reach: Reach::default(),
            public_url: "https://{app}.fly.dev".to_owned(),
            stream_idle_seconds: 3600,
            base_url: "https://api.machines.dev".to_owned(),
            rate: RequestRate::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// Whether sessions share an app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppMode {
    /// All machines are in one app, which must be there, and on one private network.
    #[default]
    Shared,
    /// Each machine has an app and a private network of its own, made and removed with it.
    PerSession,
}

/// How agent servers are reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// From anywhere, by the app's public host and a header that names the machine.
    #[default]
    Public,
    /// By the machine's address on the private network, on which this process must be. Nothing is published.
    Private,
}

/// The size of machines that ask for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DefaultGuest {
    /// Which kind of processor all machines have.
    pub cpu_kind: CpuKind,
    /// Thousandths of a processor; rounded up to whole ones.
    pub cpu_millis: u64,
    /// Memory. Beyond 2 GiB a machine cannot be suspended.
    pub memory: Size,
}

impl Default for DefaultGuest {
    /// One shared processor, 2 GiB.
    fn default() -> Self {
        Self { cpu_kind: CpuKind::default(), cpu_millis: 1000, memory: Size::mib(2048) }
    }
}

/// A kind of processor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuKind {
    /// Shared with others: a sixteenth of it is sure, the rest comes in bursts.
    #[default]
    Shared,
    /// One's own.
    Performance,
}

/// How much the platform takes, for each action on each app or machine. Looking at a machine may be done five times as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestRate {
    /// So many a second in the long run.
    pub per_second: u32,
    /// So many at once after a pause.
    pub burst: u32,
    /// The longest that a call may wait for its turn; one that would wait for longer is refused at once.
    pub longest_wait_seconds: u64,
}

impl Default for RequestRate {
    /// What is documented: one a second, three at once. A call waits for at most two and a half minutes.
    fn default() -> Self {
        Self { per_second: 1, burst: 3, longest_wait_seconds: 150 }
    }
}

/// How long the platform may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// A call that changes nothing big.
    pub call_seconds: u64,
    /// Until a machine runs, stands still or is gone, its image's way to the host included.
    pub change_seconds: u64,
}

impl Default for Timeouts {
    /// Half a minute, and two.
    fn default() -> Self {
        Self { call_seconds: 30, change_seconds: 120 }
    }
}

impl Timeouts {
    pub(super) fn call(self) -> Duration {
        Duration::from_secs(self.call_seconds)
    }

    pub(super) fn change(self) -> Duration {
        Duration::from_secs(self.change_seconds)
    }
}

/// A text that was given and is not empty, as a variable that is not set would be.
pub(super) fn given(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

impl FlyMachinesConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](agcluster_core::provider::ErrorKind::Invalid) with the field's path and, for what is missing, the environment
    /// variable that may stand for it.
    pub fn validate(&self) -> Result<()> {
        let check =
            |fine: bool, field, reason| if fine { Ok(()) } else { Err(invalid(PLATFORM, field, reason)) };
        let token = self.token.as_ref().and_then(token::authorization);
        check(
            token.is_some(),
            "token",
            "give a token here or in FLY_API_TOKEN: `fly tokens create deploy` makes one",
        )?;
        match self.mode {
            AppMode::Shared => {
                let app = given(self.app.as_ref());
                check(
                    app.is_some(),
                    "app",
                    "name the app of the machines here or in FLY_APP_NAME: `fly apps create` makes one",
                )?;
                check(
                    app.is_some_and(is_app_name),
                    "app",
                    "write an app's name: small letters, digits and -",
                )?;
            }
            AppMode::PerSession => {
                let organization = given(self.organization.as_ref());
                check(
                    organization.is_some(),
                    "organization",
                    "name the organisation by its slug here or in FLY_ORG: `fly orgs list` shows it",
                )?;
                check(
                    organization.is_some_and(is_app_name),
                    "organization",
                    "write its slug, as `fly orgs list` shows it",
                )?;
                let fine = is_app_name(&self.app_prefix) && self.app_prefix.len() <= 12;
                check(fine, "app_prefix", "write at most 12 small letters, digits and -")?;
                check(
                    self.reach == Reach::Public,
                    "reach",
                    "apps on networks of their own are reached as public only",
                )?;
            }
        }
        check(is_http(&self.base_url), "base_url", "write http(s)://host[:port]")?;
        check(self.public_url.contains("{app}"), "public_url", "write {app} where the app's name belongs")?;
        check(
            is_http(&self.public_url.replace("{app}", "app")),
            "public_url",
            "write http(s)://host[:port]",
        )?;
        check(self.stream_idle_seconds > 0, "stream_idle_seconds", "at least 1")?;
        check(self.rate.per_second > 0, "rate.per_second", "at least 1")?;
        check(self.rate.burst > 0, "rate.burst", "at least 1")?;
        check(self.timeouts.call_seconds > 0, "timeouts.call_seconds", "at least 1")?;
        check(self.timeouts.change_seconds > 0, "timeouts.change_seconds", "at least 1")?;
        Guest::new(Resources::default(), &self.guest)
            .map_err(|error| invalid(PLATFORM, "guest", error.message()))?;
        Ok(())
    }

    /// The API's URL without what every client appends.
    pub(super) fn api_url(&self) -> &str {
        let url = self.base_url.trim_end_matches('/');
        url.strip_suffix("/v1").unwrap_or(url)
    }

    /// The public URL of an app.
    pub(super) fn public_url_of(&self, app: &str) -> Option<Url> {
        Url::parse(&self.public_url.replace("{app}", app)).ok()
    }
}

fn is_app_name(text: &str) -> bool {
    let fine = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    fine && (1..=63).contains(&text.len()) && !text.starts_with('-')
}

fn is_http(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests;
