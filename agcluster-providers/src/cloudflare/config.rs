//! What an operator can set.

use std::time::Duration;

use agcluster_core::protocol::Secret;
use agcluster_core::provider::{Result, invalid_field as invalid};
use serde::Deserialize;
use url::{Host, Url};

use super::PLATFORM;

/// Environment variables and the configuration fields they fill.
pub const ENV: &[(&str, &str)] = &[
    ("CLOUDFLARE_GATEWAY_URL", "gateway_url"),
    ("CLOUDFLARE_GATEWAY_TOKEN", "gateway_token"),
    ("CF_ACCESS_CLIENT_ID", "access.client_id"),
    ("CF_ACCESS_CLIENT_SECRET", "access.client_secret"),
];

/// Where the gateway is and how its containers are made. URL and token have no default; every other field has one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudflareConfig {
    /// The gateway Worker's URL, as `wrangler deploy` printed it.
    pub gateway_url: Option<String>,
    /// The token that `wrangler secret put GATEWAY_TOKEN` was given.
    pub gateway_token: Option<Secret>,
    /// A service token of Cloudflare Access, where the gateway is behind it.
    pub access: AccessConfig,
    /// The image of containers that name none, by its name in the deployment. Only under the scheduling policy `durable_object`;
    /// otherwise the deployment has one image for all.
    pub image: Option<String>,
    /// The size of containers, such as `standard-1`. Only under the scheduling policy `durable_object`.
    pub instance: Option<String>,
    /// Whether containers reach the internet. Without it, an agent cannot reach its model.
    pub enable_internet: bool,
    /// How long a container lives unless it is extended, in seconds. The gateway ends it then, whether this program lives or not.
    pub lifetime_seconds: u64,
    /// The longest life that can be asked for, in seconds.
    pub max_lifetime_seconds: u64,
    /// How long a container goes on after its Durable Object was last heard of, in seconds. The object renews it as long as the
    /// container shall live.
    pub inactivity_seconds: u64,
    /// How long a container may take until its agent server answers, in seconds.
    pub ready_seconds: u64,
    /// How long the gateway may take.
    pub timeouts: Timeouts,
}

impl Default for CloudflareConfig {
    fn default() -> Self {
        Self {
            gateway_url: None,
            gateway_token: None,
            access: AccessConfig::default(),
            image: None,
            instance: None,
            enable_internet: true,
            lifetime_seconds: 86_400,
            max_lifetime_seconds: 2_592_000,
            inactivity_seconds: 900,
            ready_seconds: 60,
            timeouts: Timeouts::default(),
        }
    }
}

/// A service token of Cloudflare Access: both or none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessConfig {
    /// Its client id, which ends in `.access`.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<Secret>,
}

/// How long the gateway may take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To answer that it is there.
    pub probe_seconds: u64,
    /// For one ordinary call. What waits for a container has its own time on top.
    pub call_seconds: u64,
}

impl Default for Timeouts {
    /// 5 s and 30 s.
    fn default() -> Self {
        Self { probe_seconds: 5, call_seconds: 30 }
    }
}

impl Timeouts {
    pub(super) fn probe(self) -> Duration {
        Duration::from_secs(self.probe_seconds)
    }

    pub(super) fn call(self) -> Duration {
        Duration::from_secs(self.call_seconds)
    }
}

/// What a request to the gateway needs, after everything was checked.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    /// Ends in a slash.
    pub(super) url: Url,
    pub(super) token: Secret,
    pub(super) access: Option<(String, Secret)>,
}

/// The shortest token that the gateway takes.
const SHORTEST_TOKEN: usize = 16;
/// The longest life that the gateway takes: 90 days.
const LONGEST_LIFE: u64 = 7_776_000;

impl CloudflareConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](agcluster_core::provider::ErrorKind::Invalid) with the field's path, and the environment variable of
    /// one that is missing.
    pub fn validate(&self) -> Result<()> {
        self.credentials().map(drop)?;
        let check =
            |fine: bool, field, reason| if fine { Ok(()) } else { Err(invalid(PLATFORM, field, reason)) };
        let named = |value: &Option<String>| {
            value.as_ref().is_none_or(|name| !name.is_empty() && !name.contains(char::is_whitespace))
        };
        check(named(&self.image), "image", "write the name of an image of the deployment, or leave it out")?;
        check(
            named(&self.instance),
            "instance",
            "write an instance type such as standard-1, or leave it out",
        )?;
        let max = self.max_lifetime_seconds;
        check((60..=LONGEST_LIFE).contains(&max), "max_lifetime_seconds", "between 60 and 7776000 seconds")?;
        let life = (60..=max).contains(&self.lifetime_seconds);
        check(life, "lifetime_seconds", "between 60 seconds and max_lifetime_seconds")?;
        let quiet = (10..=86_400).contains(&self.inactivity_seconds);
        check(quiet, "inactivity_seconds", "between 10 and 86400 seconds")?;
        check((1..=300).contains(&self.ready_seconds), "ready_seconds", "between 1 and 300 seconds")?;
        for (seconds, field) in [
            (self.timeouts.probe_seconds, "timeouts.probe_seconds"),
            (self.timeouts.call_seconds, "timeouts.call_seconds"),
        ] {
            check((1..=3600).contains(&seconds), field, "between 1 and 3600 seconds")?;
        }
        Ok(())
    }

    /// Where the gateway is and what it takes.
    pub(super) fn credentials(&self) -> Result<Credentials> {
        let wrong = |field, reason: &str| invalid(PLATFORM, field, reason);
        let url = set(self.gateway_url.as_deref()).ok_or_else(|| {
            wrong(
                "gateway_url",
                "set it, or CLOUDFLARE_GATEWAY_URL, to the URL that `wrangler deploy` printed for the gateway",
            )
        })?;
        let url = gateway_url(url).map_err(|reason| wrong("gateway_url", reason))?;
        let token = self.gateway_token.clone().filter(|token| !token.expose().is_empty()).ok_or_else(|| {
            wrong(
                "gateway_token",
                "set it, or CLOUDFLARE_GATEWAY_TOKEN, to what `wrangler secret put GATEWAY_TOKEN` was given",
            )
        })?;
        let plain = |secret: &Secret| secret.expose().bytes().all(|byte| byte.is_ascii_graphic());
        if token.expose().len() < SHORTEST_TOKEN || !plain(&token) {
            return Err(wrong("gateway_token", "at least 16 letters, digits or signs, without spaces"));
        }
        let id = set(self.access.client_id.as_deref());
        let secret = self.access.client_secret.clone().filter(|secret| !secret.expose().is_empty());
        let access = match (id, secret) {
            (None, None) => None,
            (Some(id), Some(secret)) if plain(&secret) && id.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Some((id.to_owned(), secret))
            }
            _ => {
                return Err(wrong(
                    "access",
                    "set client_id and client_secret (CF_ACCESS_CLIENT_ID, CF_ACCESS_CLIENT_SECRET), or neither",
                ));
            }
        };
        Ok(Credentials { url, token, access })
    }
}

/// A variable that is empty is not set.
fn set(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty())
}

fn gateway_url(text: &str) -> Result<Url, &'static str> {
    let mut url: Url = text.parse().map_err(|_| "write https://NAME.SUBDOMAIN.workers.dev")?;
    let bare = url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return Err("write it without user, password, query and fragment");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_own_machine(&url) => {}
        "http" => return Err("use https://: the token would be sent in clear"),
        _ => return Err("write https://NAME.SUBDOMAIN.workers.dev"),
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Whether a URL never leaves this machine.
pub(super) fn is_own_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests;
