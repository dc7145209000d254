//! What an operator can set.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use agcluster_core::protocol::Secret;
use agcluster_core::provider::{Result, invalid_field as invalid};
use serde::Deserialize;
use url::Url;

use super::PLATFORM;

/// Environment variables and the configuration fields they fill.
pub const ENV: &[(&str, &str)] = &[
    ("VERCEL_TOKEN", "token"),
    ("VERCEL_TEAM_ID", "team_id"),
    ("VERCEL_PROJECT_ID", "project_id"),
    ("VERCEL_OIDC_TOKEN", "oidc_token"),
    ("VERCEL_SANDBOX_API_URL", "api_url"),
];

/// Whose sandboxes, made how. The credentials have no default, and neither has where the agent server comes from; every
/// other field has one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VercelConfig {
    /// An access token; then `team_id` and `project_id` must be set.
    pub token: Option<Secret>,
    /// The team, as `team_…`.
    pub team_id: Option<String>,
    /// The project, as `prj_…`.
    pub project_id: Option<String>,
    /// An OIDC token in place of the three above: it names its team and project itself, and lives for twelve hours.
    pub oidc_token: Option<Secret>,
    /// Where the API is.
    pub api_url: Url,
    /// The image of containers that name none, as Vercel Container Registry names it. Absent, Vercel's own default.
    pub image: Option<String>,
    /// A snapshot that containers without an image of their own begin with, in place of `image`.
    pub snapshot: Option<String>,
    /// An agent server to upload into each container: a file of this machine, statically linked for x86-64 Linux. Absent, image
    /// or snapshot must have one.
    pub agent_binary: Option<PathBuf>,
    /// Where the agent server is in image or snapshot.
    pub agent_program: String,
    /// Whether a stopped container keeps its files and can be started again. The snapshots behind it cost storage.
    pub persistent: bool,
    /// The team's plan: it bounds how long a container lives.
    pub plan: Plan,
    /// How long a container lives, in seconds, unless it is extended.
    pub timeout_seconds: u64,
    /// Processors of containers that name no limits; each comes with 2 GiB of memory.
    pub vcpus: u32,
    /// The most processors that a container may ask for.
    pub max_vcpus: u32,
    /// The region; Vercel's default (`iad1`) when absent.
    pub region: Option<String>,
    /// Regions to go to when the first has no room, in this order.
    pub failover_regions: Vec<String>,
    /// What containers may reach.
    pub network: NetworkPolicy,
    /// How long a snapshot lives, in days; 0 is for ever.
    pub snapshot_expiration_days: u32,
    /// Headers of requests to agent servers, such as `x-vercel-protection-bypass`.
    pub headers: BTreeMap<String, Secret>,
    /// How long the API may take.
    pub timeouts: Timeouts,
}

impl Default for VercelConfig {
    fn default() -> Self {
        Self {
            token: None,
            team_id: None,
            project_id: None,
            oidc_token: None,
            api_url: default_api_url(),
            image: None,
            snapshot: None,
            agent_binary: None,
            agent_program: "/usr/local/bin/agcluster-agent".to_owned(),
            persistent: false,
            plan: Plan::default(),
            timeout_seconds: 2700,
            vcpus: 2,
            max_vcpus: 8,
            region: None,
            failover_regions: Vec::new(),
            network: NetworkPolicy::default(),
            snapshot_expiration_days: 30,
            headers: BTreeMap::new(),
            timeouts: Timeouts::default(),
        }
    }
}

#[allow(clippy::expect_used, reason = "the text is fixed, and a test reads it")]
fn default_api_url() -> Url {
    Url::parse("https://vercel.com/api").expect("a fixed URL")
}

/// A team's plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Containers live at most 45 minutes.
    #[default]
    Hobby,
    /// Containers live at most 24 hours.
    Pro,
    /// Containers live at most 24 hours.
    Enterprise,
}

impl Plan {
    /// The longest life of a container.
    pub fn longest(self) -> Duration {
        match self {
            Self::Hobby => Duration::from_secs(45 * 60),
            Self::Pro | Self::Enterprise => Duration::from_secs(24 * 3600),
        }
    }
}

/// What containers may reach on the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkPolicy {
    /// Everything, nothing, or what the lists say.
    pub mode: NetworkMode,
    /// Host names that may be reached, `*.` in front for all beneath. With `custom` only.
    pub allow: Vec<String>,
    /// Address ranges that may be reached besides. With `custom` only.
    pub allow_subnets: Vec<String>,
    /// Address ranges that may not be reached whatever else is said. With `custom` only.
    pub deny_subnets: Vec<String>,
}

/// How a network policy is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// Everything may be reached.
    #[default]
    AllowAll,
    /// Nothing may be reached; an agent that calls a model cannot work.
    DenyAll,
    /// What the lists say.
    Custom,
}

/// How long the API may take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To answer that it is there.
    pub probe_seconds: u64,
    /// For one ordinary call.
    pub call_seconds: u64,
    /// To make, start, stop or save one container.
    pub change_seconds: u64,
    /// For an upload, and between two pieces of a download.
    pub archive_seconds: u64,
}

impl Default for Timeouts {
    /// 10 s, 30 s, 120 s and 300 s.
    fn default() -> Self {
        Self { probe_seconds: 10, call_seconds: 30, change_seconds: 120, archive_seconds: 300 }
    }
}

impl Timeouts {
    pub(super) fn probe(&self) -> Duration {
        Duration::from_secs(self.probe_seconds)
    }

    pub(super) fn call(&self) -> Duration {
        Duration::from_secs(self.call_seconds)
    }

    pub(super) fn change(&self) -> Duration {
        Duration::from_secs(self.change_seconds)
    }

    pub(super) fn archive(&self) -> Duration {
        Duration::from_secs(self.archive_seconds)
    }
}

/// The most that Vercel takes, whatever the plan.
const MOST_VCPUS: u32 = 32;

impl VercelConfig {
    /// Refuses what cannot work, whatever the team.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](agcluster_core::provider::ErrorKind::Invalid) with the field's path.
    pub fn validate(&self) -> Result<()> {
        fn check(fine: bool, field: &str, reason: &str) -> Result<()> {
            if fine { Ok(()) } else { Err(invalid(PLATFORM, field, reason)) }
        }
        let web = matches!(self.api_url.scheme(), "http" | "https") && self.api_url.host().is_some();
        check(web, "api_url", "write an http or https URL")?;
        let has_agent = self.image.is_some() || self.snapshot.is_some() || self.agent_binary.is_some();
        check(
            has_agent,
            "image",
            "name an image or a snapshot that has the agent server, or set agent_binary to upload one",
        )?;
        let both = self.image.is_some() && self.snapshot.is_some();
        check(!both, "snapshot", "leave out image or snapshot: a container begins with one of them")?;
        check(self.agent_program.starts_with('/'), "agent_program", "write an absolute path")?;
        let longest = self.plan.longest().as_secs();
        check(self.timeout_seconds >= 60, "timeout_seconds", "at least 60")?;
        check(
            self.timeout_seconds <= longest,
            "timeout_seconds",
            &format!("at most {longest} on this plan: lower it, or set plan to the team's own"),
        )?;
        check((1..=MOST_VCPUS).contains(&self.max_vcpus), "max_vcpus", "from 1 to 32")?;
        check((1..=self.max_vcpus).contains(&self.vcpus), "vcpus", "from 1 to max_vcpus")?;
        let twice = self.region.as_ref().is_some_and(|region| self.failover_regions.contains(region));
        check(!twice, "failover_regions", "leave out the region itself")?;
        let lists = [&self.network.allow, &self.network.allow_subnets, &self.network.deny_subnets];
        let none = lists.iter().all(|list| list.is_empty());
        check(
            none || self.network.mode == NetworkMode::Custom,
            "network.mode",
            "set it to custom, or leave the lists out",
        )?;
        for (name, value) in &self.headers {
            let fine = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && reqwest::header::HeaderValue::from_str(value.expose()).is_ok();
            check(fine, &format!("headers.{name}"), "is no header that can be sent")?;
        }
        Ok(())
    }

    /// The life of a container that names none.
    pub(super) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

#[cfg(test)]
mod tests {
    use agcluster_core::provider::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn refused(config: Value) -> String {
        let error = agcluster_core::provider::read_config::<VercelConfig>(PLATFORM, config)
            .and_then(|config| config.validate())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.message().to_owned()
    }

    #[test]
    fn an_image_is_all_that_is_needed() {
        let config: VercelConfig =
            agcluster_core::provider::read_config(PLATFORM, json!({"image": "agent:v1"})).unwrap();
        config.validate().unwrap();
        assert_eq!(config.api_url.as_str(), "https://vercel.com/api");
    }

    #[test]
    fn what_cannot_work_is_refused_by_field() {
        for (field, value) in [
            ("api_url", json!("ftp://x")),
            ("agent_program", json!("agent")),
            ("timeout_seconds", json!(2701)),
            ("timeout_seconds", json!(1)),
            ("vcpus", json!(9)),
            ("max_vcpus", json!(33)),
            ("snapshot", json!("snap_1")),
            ("headers", json!({"bad name": "x"})),
            ("network", json!({"allow": ["a.example"]})),
            ("plan", json!("free")),
            ("tokn", json!("x")),
        ] {
            let message = refused(json!({"image": "agent:v1", field: value}));
            assert!(message.starts_with(field), "{field}: {message}");
        }
        assert!(refused(json!({})).starts_with("image: name an image"));
        let both = json!({"image": "a", "region": "iad1", "failover_regions": ["iad1"]});
        assert!(refused(both).starts_with("failover_regions"));
    }

    #[test]
    fn longer_lives_take_a_larger_plan() {
        let config: VercelConfig = agcluster_core::provider::read_config(
            PLATFORM,
            json!({"image": "a", "plan": "pro", "timeout_seconds": 86400}),
        )
        .unwrap();
        config.validate().unwrap();
    }

    #[test]
    fn secrets_are_not_printed() {
        let config =
            json!({"token": "tok_hidden", "oidc_token": "oidc_hidden", "headers": {"x-a": "by_hidden"}});
        let config: VercelConfig = agcluster_core::provider::read_config(PLATFORM, config).unwrap();
        assert!(!format!("{config:?}").contains("hidden"), "{config:?}");
    }
}
