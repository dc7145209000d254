//! The server's configuration: command line and environment.

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use agcluster_core::config::AgentDefaults as Agent;
use agcluster_core::protocol::{PermissionMode, Secret, SystemPrompt};
use agcluster_core::provider::{Resources, parse_size};
use agcluster_core::session::{ApprovalPolicy, IdleAction, IdlePolicy, StuckAction, WatchdogPolicy};
use agcluster_core::store::Retention;
use clap::{Parser, ValueEnum};
use serde::de::{DeserializeOwned, IntoDeserializer};
use url::Url;

use crate::{AgentDefaults, Environment, FileLimits, MetricsAccess};

/// Runs coding agents in containers, behind one HTTP API.
///
/// Every option can be given in the environment or in a file named .env in the working directory; the command line wins
/// over the environment, and that over the file.
#[derive(Debug, Clone, Parser)]
#[command(name = "agcluster-server", version, max_term_width = 110)]
pub struct Settings {
    /// The address to listen on
    #[arg(long, env = "API_HOST", default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// The port to listen on; 0 takes a free one
    #[arg(long, env = "API_PORT", default_value_t = 8000)]
    pub port: u16,

    /// Write the port that is listened on into this file, once it is
    #[arg(long, env = "API_PORT_FILE", value_name = "FILE")]
    pub port_file: Option<PathBuf>,

    /// The provider of launches that name none. Several, comma-separated, are asked in their order until one has room
    #[arg(long, env = "CONTAINER_PROVIDER", value_delimiter = ',', default_value = "docker")]
    pub container_provider: Vec<String>,

    /// Further providers that launches may name, comma-separated; platforms that are configured otherwise need not be among them
    #[arg(long, env = "AGCLUSTER_PROVIDERS", value_delimiter = ',')]
    pub providers: Vec<String>,

    /// The folder with a PROVIDER.yaml for each provider; ${NAME} in it is a variable of the environment
    #[arg(long, env = "AGCLUSTER_PROVIDER_CONFIGS", default_value = "configs/providers")]
    pub provider_configs: PathBuf,

    /// Folders with agent configurations, the first one winning; the presets are always there
    #[arg(long, env = "AGCLUSTER_AGENT_CONFIGS", value_delimiter = ',', default_value = "configs/agents")]
    pub agent_configs: Vec<PathBuf>,

    /// The image of agent containers
    #[arg(long, env = "AGENT_IMAGE", default_value = "agcluster/agent:latest")]
    pub agent_image: String,

    /// The Docker network that agent containers are put into
    #[arg(long, env = "DOCKER_NETWORK", default_value = "agcluster")]
    pub docker_network: String,

    /// Web origins that may call from a browser, comma-separated
    #[arg(
        long,
        env = "ALLOWED_ORIGINS",
        value_delimiter = ',',
        default_value = "http://localhost:3000,http://localhost:8000"
    )]
    pub allowed_origins: Vec<String>,

    /// The base URL of the model API
    #[arg(long, env = "ANTHROPIC_BASE_URL", default_value = "https://api.anthropic.com", value_parser = model_base_url)]
    pub anthropic_base_url: String,

    /// The models that clients of the OpenAI- and Anthropic-compatible API may choose as CONFIGURATION/MODEL, comma-separated
    #[arg(
        long,
        env = "AGCLUSTER_MODELS",
        value_delimiter = ',',
        default_value = "claude-opus-4-5,claude-sonnet-4-5,claude-haiku-4-5"
    )]
    pub models: Vec<String>,

    /// Let git repositories be reached over http:// as well, which is not encrypted: for tests and closed networks
    #[arg(long, env = "GIT_PLAIN_HTTP")]
    pub git_plain_http: bool,

    /// Where sessions and events are kept: sqlite:///path/of/file, postgres://user:password@host/database, or memory: for a
    /// server that forgets [default: agcluster.db in the data folder]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = any_secret)]
    // Read where it is used: the command line's own error would print the password.
    pub database_url: Option<Secret>,

    /// The folder of the database and of the key that container tokens follow from [default: /var/lib/agcluster for root,
    /// ~/.local/state/agcluster for others]
    #[arg(long, env = "AGCLUSTER_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// What happens to sessions when the server is asked to end: keep, so that the next start finds them again, or remove
    /// [default: keep, and remove with DATABASE_URL=memory:]
    #[arg(long, env = "AGCLUSTER_ON_SHUTDOWN", value_enum)]
    pub on_shutdown: Option<OnShutdown>,

    /// Under which name containers are labelled. Containers under this name that no session owns are removed, so two servers
    /// on one platform need two names [default: a name that the database remembers]
    #[arg(long, env = "AGCLUSTER_CLUSTER")]
    pub cluster: Option<String>,

    /// What the tokens of all containers follow from, instead of the key in the data folder
    #[arg(long, env = "AGCLUSTER_SECRET", hide_env_values = true, value_parser = secret)]
    pub secret: Option<Secret>,

    /// Processor time of containers whose configuration says nothing, in millionths of a processor (100000 is one)
    #[arg(long, env = "CONTAINER_CPU_QUOTA", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    pub container_cpu_quota: u64,

    /// Memory of containers whose configuration says nothing
    #[arg(long, env = "CONTAINER_MEMORY_LIMIT", default_value = "4g", value_parser = size)]
    pub container_memory_limit: u64,

    /// Workspace storage of containers whose configuration says nothing, where the platform can limit it
    #[arg(long, env = "CONTAINER_STORAGE_LIMIT", value_parser = size)]
    pub container_storage_limit: Option<u64>,

    /// The system prompt of configurations that have none
    #[arg(long, env = "DEFAULT_SYSTEM_PROMPT")]
    pub default_system_prompt: Option<String>,

    /// The tools of configurations that name none, comma-separated
    #[arg(
        long,
        env = "DEFAULT_ALLOWED_TOOLS",
        value_delimiter = ',',
        default_value = "Bash,Read,Write,Grep"
    )]
    pub default_allowed_tools: Vec<String>,

    /// The permission mode of configurations that name none: default, acceptEdits, plan or bypassPermissions
    #[arg(long, env = "DEFAULT_PERMISSION_MODE", default_value = "acceptEdits", value_parser = permission_mode)]
    pub default_permission_mode: PermissionMode,

    /// The most model calls in one turn, for configurations that say nothing
    #[arg(long, env = "DEFAULT_MAX_TURNS", value_parser = clap::value_parser!(u32).range(1..))]
    pub default_max_turns: Option<u32>,

    /// So many seconds after the last turn or request that acts, a session is idle; 0 for never
    #[arg(long, env = "SESSION_IDLE_TIMEOUT", default_value_t = 1800)]
    pub session_idle_timeout: u64,

    /// What is done to an idle session: remove it; pause it, which keeps its memory where the platform can; or stop it, which
    /// keeps its workspace and conversation. The next message wakes it
    #[arg(long, env = "SESSION_IDLE_ACTION", default_value = "remove", value_parser = word::<IdleAction>)]
    pub session_idle_action: IdleAction,

    /// Remove a session that is so many seconds old, whatever it is doing; 0 for never
    #[arg(long, env = "SESSION_MAX_LIFETIME", default_value_t = 0)]
    pub session_max_lifetime: u64,

    /// How often to look for sessions to remove, in seconds
    #[arg(long, env = "SESSION_CLEANUP_INTERVAL", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub session_cleanup_interval: u64,

    /// How many seconds a container may be there that no session owns
    #[arg(long, env = "AGCLUSTER_ORPHAN_GRACE", default_value_t = 60)]
    pub orphan_grace: u64,

    /// So many seconds without a sign of life after which a turn is held to be stuck; 0 for never
    #[arg(long, env = "TURN_STUCK_AFTER", default_value_t = 300)]
    pub turn_stuck_after: u64,

    /// What is done to a stuck turn besides saying so: notify (nothing), interrupt, or restart (the agent program, with its
    /// conversation)
    #[arg(long, env = "TURN_STUCK_ACTION", default_value = "notify", value_parser = word::<StuckAction>)]
    pub turn_stuck_action: StuckAction,

    /// Interrupt a turn that takes longer than so many seconds; 0 for any time
    #[arg(long, env = "TURN_MAX_SECONDS", default_value_t = 0)]
    pub turn_max_seconds: u64,

    /// How many seconds people may take to answer what an agent asks, where its configuration says nothing; then it is denied
    #[arg(long, env = "APPROVAL_TIMEOUT", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=ApprovalPolicy::LONGEST))]
    pub approval_timeout: u64,

    /// How many seconds a terminal token can be used; with 0, no terminal can be opened
    #[arg(long, env = "TERMINAL_TOKEN_LIFETIME", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=3600))]
    pub terminal_token_lifetime: u64,

    /// The most bytes of events that are kept of one session; older ones go first
    #[arg(long, env = "EVENTS_MAX_SIZE", default_value = "64m", value_parser = size)]
    pub events_max_size: u64,

    /// How many seconds events are kept; 0 for as long as the session
    #[arg(long, env = "EVENTS_MAX_AGE", default_value_t = 0)]
    pub events_max_age: u64,

    /// The most files in one upload
    #[arg(long, env = "UPLOAD_MAX_FILES", default_value_t = 50)]
    pub upload_max_files: usize,

    /// The most bytes of one file that is sent
    #[arg(long, env = "UPLOAD_MAX_FILE_SIZE", default_value = "50m", value_parser = size)]
    pub upload_max_file_size: u64,

    /// The most bytes of all files in one upload
    #[arg(long, env = "UPLOAD_MAX_SIZE", default_value = "200m", value_parser = size)]
    pub upload_max_size: u64,

    /// The most bytes of all files in one archive, before they are compressed
    #[arg(long, env = "ARCHIVE_MAX_SIZE", default_value = "4g", value_parser = size)]
    pub archive_max_size: u64,

    /// The most files, folders and links in one archive
    #[arg(long, env = "ARCHIVE_MAX_ENTRIES", default_value_t = 100_000)]
    pub archive_max_entries: u64,

    /// What to log: trace, debug, info, warn, error, or a filter such as info,agcluster_core=debug
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,

    /// Log one JSON object a line
    #[arg(long, env = "LOG_JSON")]
    pub log_json: bool,

    /// Whether the server's numbers can be read at /metrics
    #[arg(long, env = "METRICS", default_value_t = true, action = clap::ArgAction::Set)]
    pub metrics: bool,

    /// What must be sent as bearer token to read them [default: nothing]
    #[arg(long, env = "METRICS_TOKEN", hide_env_values = true, value_parser = secret)]
    pub metrics_token: Option<Secret>,

    /// The base URL of an OpenTelemetry collector that traces are sent to (OTLP over HTTP) [default: they are not]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = model_base_url)]
    pub otlp_endpoint: Option<String>,

    /// What providers' files and credentials are taken from; empty, unless it is given.
    #[arg(skip)]
    pub environment: Environment,
}

/// What happens to sessions when the server is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnShutdown {
    /// They go on; the next start finds them again.
    Keep,
    /// They are removed.
    Remove,
}

impl Settings {
    /// Who may read the server's numbers.
    pub fn metrics_access(&self) -> MetricsAccess {
        match (&self.metrics_token, self.metrics) {
            (_, false) => MetricsAccess::Off,
            (None, true) => MetricsAccess::Everybody,
            (Some(token), true) => MetricsAccess::With(token.clone()),
        }
    }

    /// When sessions are removed.
    pub fn idle_policy(&self) -> IdlePolicy {
        let seconds = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        IdlePolicy {
            idle_timeout: seconds(self.session_idle_timeout),
            max_lifetime: seconds(self.session_max_lifetime),
            interval: Duration::from_secs(self.session_cleanup_interval),
            action: self.session_idle_action,
            orphan_grace: Duration::from_secs(self.orphan_grace),
        }
    }

    /// What is done about turns that get nowhere.
    pub fn watchdog_policy(&self) -> WatchdogPolicy {
        let seconds = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        WatchdogPolicy {
            stuck_after: seconds(self.turn_stuck_after),
            action: self.turn_stuck_action,
            max_turn: seconds(self.turn_max_seconds),
            ..WatchdogPolicy::default()
        }
    }

    /// How long people may take to answer what agents ask.
    pub fn approval_policy(&self) -> ApprovalPolicy {
        ApprovalPolicy { timeout: Some(self.approval_timeout), ..ApprovalPolicy::default() }
    }

    /// How much of each session's events is kept.
    pub fn retention(&self) -> Retention {
        Retention {
            max_bytes: self.events_max_size,
            max_age: (self.events_max_age > 0).then(|| Duration::from_secs(self.events_max_age)),
            ..Retention::default()
        }
    }

    /// How much may be sent to workspaces and fetched from them at once.
    pub fn file_limits(&self) -> FileLimits {
        FileLimits {
            upload_files: self.upload_max_files,
            file_bytes: self.upload_max_file_size,
            upload_bytes: self.upload_max_size,
            archive_bytes: self.archive_max_size,
            archive_entries: self.archive_max_entries,
        }
    }

    /// What a launch gets where its configuration says nothing.
    pub fn agent_defaults(&self) -> AgentDefaults {
        AgentDefaults {
            agent: Agent {
                allowed_tools: self.default_allowed_tools.clone(),
                system_prompt: self.default_system_prompt.clone().map(SystemPrompt::Text),
                permission_mode: self.default_permission_mode,
                max_turns: self.default_max_turns,
                ..Agent::default()
            },
            resources: Resources {
                cpu_millis: Some(self.container_cpu_quota / 100),
                memory_bytes: Some(self.container_memory_limit),
                storage_bytes: self.container_storage_limit,
                pids: None,
            },
            image: self.agent_image.clone(),
            model_base_url: self.anthropic_base_url.clone(),
            models: self.models.clone(),
            git_plain_http: self.git_plain_http,
        }
    }
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|error| error.to_string())
}

fn any_secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

fn secret(text: &str) -> Result<Secret, String> {
    if text.len() < 16 {
        return Err("is too short: use at least 16 characters".to_owned());
    }
    Ok(Secret::new(text))
}

/// One of the words of a type.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // The deserialiser's own sentence names the words.
    T::deserialize(text.into_deserializer()).map_err(|error: serde::de::value::Error| error.to_string())
}

fn permission_mode(text: &str) -> Result<PermissionMode, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        "is no permission mode: write default, acceptEdits, plan or bypassPermissions".to_owned()
    })
}

/// Checks a base URL of the model API and takes the slash from its end.
pub(crate) fn model_base_url(text: &str) -> Result<String, String> {
    let url: Url = text.parse().map_err(|_| "is no URL: write http(s)://host[:port]".to_owned())?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
        return Err(
            "must be http(s)://host[:port][/path], without user, password, query or fragment".to_owned()
        );
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Settings::command().debug_assert();
    }

    #[test]
    fn a_base_url_is_checked() {
        assert_eq!(model_base_url("https://api.anthropic.com/").unwrap(), "https://api.anthropic.com");
        assert_eq!(model_base_url("http://10.0.0.1:4000/proxy").unwrap(), "http://10.0.0.1:4000/proxy");
        for bad in ["", "api.anthropic.com", "ftp://x", "http://u:p@x", "http://x?y=1", "file:///etc/passwd"]
        {
            assert!(model_base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_is_not_printed() {
        let settings = Settings::parse_from(["agcluster-server", "--secret", "sixteen-characters-and-more"]);
        assert!(!format!("{settings:?}").contains("sixteen"));
    }
}
