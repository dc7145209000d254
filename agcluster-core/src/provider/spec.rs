//! What is asked of a provider.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Labels, LogPlace, Resources};

/// The container to make.
///
/// There is no room for secrets on purpose: a container is started with the digest of its token, and learns everything
/// else from the first authenticated request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Whose it is; its name follows from this.
    pub labels: Labels,
    /// The image; the provider's default when absent.
    pub image: Option<String>,
    /// Environment of the agent server. Readable by anyone who may look at the platform.
    pub env: BTreeMap<String, String>,
    /// Its limits.
    pub resources: Resources,
    /// How long it shall live at most, where the platform can end it by itself.
    pub lifetime: Option<Duration>,
}

impl ContainerSpec {
    /// A container with the provider's defaults.
    pub fn new(labels: Labels) -> Self {
        Self { labels, image: None, env: BTreeMap::new(), resources: Resources::default(), lifetime: None }
    }
}

/// Which containers to list. All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only this cluster's.
    pub cluster: Option<String>,
    /// Only this session's.
    pub session: Option<String>,
}

impl ListFilter {
    /// Everything of one cluster.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self { cluster: Some(name.into()), session: None }
    }

    /// Whether a container with these labels is wanted.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.cluster.as_ref().is_none_or(|cluster| *cluster == labels.cluster)
            && self.session.as_ref().is_none_or(|session| *session == labels.session)
    }
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopOptions {
    /// How long the container may take to end by itself.
    pub grace: Duration,
}

impl Default for StopOptions {
    /// Five seconds of grace.
    fn default() -> Self {
        Self { grace: Duration::from_secs(5) }
    }
}

/// How to destroy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DestroyOptions {
    /// Leave the workspace, for the session's next generation.
    pub keep_workspace: bool,
}

/// Which logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Only the last so many lines. Of no effect with `after`.
    pub tail: Option<u32>,
    /// Go on with new ones until the container ends or the stream is dropped.
    pub follow: bool,
    /// Only what is behind this place.
    pub after: Option<LogPlace>,
}

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOptions {
    /// Program and arguments; no shell in between.
    pub command: Vec<String>,
    /// End it after this long.
    pub timeout: Duration,
    /// Keep at most this many bytes of each stream and say that the rest was cut.
    pub max_output_bytes: usize,
}

impl ExecOptions {
    /// A command with half a minute and a mebibyte.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            timeout: Duration::from_secs(30),
            max_output_bytes: 1 << 20,
        }
    }
}

/// What a command left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code.
    pub exit_code: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// Whether a stream was longer than was kept.
    pub truncated: bool,
}

/// A path in a container: absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathInContainer(String);

impl PathInContainer {
    /// Takes an absolute path; `None` when it is relative or has a `..` part or a NUL.
    pub fn new(path: impl Into<String>) -> Option<Self> {
        let path = path.into();
        let fine = path.starts_with('/') && !path.contains('\0') && path.split('/').all(|part| part != "..");
        fine.then_some(Self(path))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
