//! Containers on a platform: the trait every platform implements, and what it speaks of.

mod capabilities;
mod config;
mod container;
mod endpoint;
mod error;
mod factory;
mod labels;
mod log;
mod resources;
mod selection;
mod set;
mod spec;

use async_trait::async_trait;
use futures::stream::BoxStream;

pub use capabilities::{
    Archive, Capabilities, Exec, Fork, Isolation, Lifetime, Limits, Logs, Pause,
    Snapshot as SnapshotCapability, Start,
};
pub use config::{invalid_field, read_config};
pub use container::{Container, ContainerId, ContainerState, Stats};
pub use endpoint::{Address, Dial, Endpoint, Io};
pub use error::{CapacityScope, Error, ErrorKind, Result, found};
pub use factory::{Builder, ProviderFactory};
pub use labels::{LABEL_AGENT, LABEL_CLUSTER, LABEL_EXPIRES_AT, LABEL_GENERATION, LABEL_SESSION, Labels};
pub use log::{LogLine, LogPlace, LogSource, NoLogPlace};
pub use resources::{ParseSizeError, Resources, parse_size};
pub use selection::{Placed, Selection};
pub use set::ProviderSet;
pub use spec::{
    ContainerSpec, DestroyOptions, ExecOptions, ExecOutput, ListFilter, LogOptions, PathInContainer,
    StopOptions,
};

/// What a provider is, before any call.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ProviderInfo {
    /// The platform's name, as users write it: `docker`, `fly_machines`, ….
    pub platform: &'static str,
    /// What it can do and what that means.
    pub capabilities: Capabilities,
}

/// What a provider found when it looked at its platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Probe {
    /// The platform's version, where it has one.
    pub version: Option<String>,
    /// What works less well than it could, one sentence each.
    pub warnings: Vec<String>,
}

/// Makes containers on one platform.
///
/// Small on purpose: only what differs between platforms. What goes on *inside* a container (queries, files, terminal)
/// goes to its agent server through the [`Endpoint`], the same everywhere.
///
/// # Rules for all methods
///
/// * **Cancellation**: dropping a future leaves the platform in a state from which the same call can be repeated.
///   A dropped [`create`](Self::create) may leave a container behind, which [`list`](Self::list) finds and a repeated
///   `create` adopts.
/// * **Time-outs**: every method ends by itself; none waits without bound for a platform that does not answer.
/// * **Errors** carry platform, operation, and the platform's own code and request id.
#[async_trait]
pub trait ContainerProvider: Send + Sync + std::fmt::Debug + 'static {
    /// Which platform this is and what it can do. Never fails, never asks the platform.
    fn info(&self) -> ProviderInfo;

    /// The platforms that its errors name: its own and, for a provider around several, theirs.
    fn platforms(&self) -> Vec<&'static str> {
        vec![self.info().platform]
    }

    /// Asks the platform whether containers could be made now. Cheap enough to be called every few seconds.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when it does not answer, [`ErrorKind::Auth`] when it refuses the credentials.
    async fn probe(&self) -> Result<Probe>;

    /// Makes a container and starts it; answers when the platform says it runs. The agent server inside may not listen yet.
    ///
    /// At-least-once: the container's name follows from session and generation, and a container of that name that is
    /// already there is adopted (and started, if it stands still), so a call whose answer was lost may be repeated.
    ///
    /// # Errors
    /// [`ErrorKind::Precondition`] when the image is absent, [`ErrorKind::Invalid`] when the spec asks for what the platform does not
    /// take (an image, without [`Capabilities::custom_image`]), [`ErrorKind::AlreadyExists`] when the name belongs to another
    /// session, [`ErrorKind::Capacity`] or [`ErrorKind::Quota`] when there is no room. After an error nothing is left running.
    async fn create(&self, spec: ContainerSpec) -> Result<Container>;

    /// What the platform knows of a container.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none.
    async fn inspect(&self, id: &ContainerId) -> Result<Container>;

    /// All containers whose labels match, in no particular order, stopped ones and remains (a volume without its container) included.
    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>>;

    /// How to reach the agent server of a running container.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no container, [`ErrorKind::Gone`] when it does not run,
    /// [`ErrorKind::Precondition`] when it is paused.
    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint>;

    /// Asks the container to end, waits for [`StopOptions::grace`], then ends it. Its workspace stays. Stopping what stands
    /// still is success.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none.
    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()>;

    /// Removes the container and, unless [`DestroyOptions::keep_workspace`], its workspace. Destroying what is gone is success.
    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()>;

    /// Starts a stopped container again, with its workspace. Starting what runs is success.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::start`].
    async fn start(&self, id: &ContainerId) -> Result<Container> {
        let _ = id;
        Err(self.unsupported("start"))
    }

    /// Freezes a running container. Pausing what is paused is success.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::pause`]; [`ErrorKind::Gone`] when it does not run.
    async fn pause(&self, id: &ContainerId) -> Result<()> {
        let _ = id;
        Err(self.unsupported("pause"))
    }

    /// Thaws a paused container. Resuming what runs is success.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::pause`]; [`ErrorKind::Gone`] when it does not run.
    async fn resume(&self, id: &ContainerId) -> Result<Container> {
        let _ = id;
        Err(self.unsupported("resume"))
    }

    /// Keeps the container's state under a name from which [`restore`](Self::restore) makes new containers.
    /// [`Capabilities::snapshot`] says whether the source is stopped by it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::snapshot`].
    async fn snapshot(&self, id: &ContainerId) -> Result<String> {
        let _ = id;
        Err(self.unsupported("snapshot"))
    }

    /// Makes a container as [`create`](Self::create) does, beginning with a snapshot's state.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::snapshot`].
    async fn restore(&self, snapshot: &str, spec: ContainerSpec) -> Result<Container> {
        let _ = (snapshot, spec);
        Err(self.unsupported("restore"))
    }

    /// Makes a container as [`create`](Self::create) does, beginning with the files that another one has now.
    /// [`Capabilities::fork`] says whether that stops the other one. When the container is there already it is adopted, and the
    /// other one is left alone, so a call whose answer was lost may be repeated.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::fork`]; [`ErrorKind::NotFound`] when there is no such source,
    /// [`ErrorKind::Gone`] when it ended and its files are lost; otherwise those of `create`.
    async fn fork(&self, source: &ContainerId, spec: ContainerSpec) -> Result<Container> {
        let _ = (source, spec);
        Err(self.unsupported("fork"))
    }

    /// Moves the end of a container's life to at least `lifetime` from now.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless [`Lifetime::extendable`].
    async fn extend(&self, id: &ContainerId, lifetime: std::time::Duration) -> Result<Container> {
        let _ = (id, lifetime);
        Err(self.unsupported("extend"))
    }

    /// What the container wrote to its standard streams, oldest first.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::logs`].
    async fn logs(
        &self,
        id: &ContainerId,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine>>> {
        let _ = (id, options);
        Err(self.unsupported("logs"))
    }

    /// What the container uses now.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless [`Capabilities::stats`]; [`ErrorKind::Gone`] when it does not run.
    async fn stats(&self, id: &ContainerId) -> Result<Stats> {
        let _ = id;
        Err(self.unsupported("stats"))
    }

    /// Runs a command in the container and answers when it ended.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::exec`]; [`ErrorKind::Timeout`] after [`ExecOptions::timeout`].
    async fn exec(&self, id: &ContainerId, options: ExecOptions) -> Result<ExecOutput> {
        let _ = (id, options);
        Err(self.unsupported("exec"))
    }

    /// A folder of the container as a tar stream, its entries relative to the folder: what
    /// [`write_archive`](Self::write_archive) takes for the same path.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::archive`]; [`ErrorKind::NotFound`] when the folder is not there.
    async fn read_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
    ) -> Result<BoxStream<'static, Result<bytes::Bytes>>> {
        let _ = (id, path);
        Err(self.unsupported("read_archive"))
    }

    /// Unpacks a tar stream into a folder of the container.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] without [`Capabilities::archive`]; [`ErrorKind::NotFound`] when the folder is not there.
    async fn write_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
        tar: BoxStream<'static, std::io::Result<bytes::Bytes>>,
    ) -> Result<()> {
        let _ = (id, path, tar);
        Err(self.unsupported("write_archive"))
    }

    /// The error of an optional method that this platform does not have.
    fn unsupported(&self, operation: &'static str) -> Error {
        let platform = self.info().platform;
        Error::new(ErrorKind::Unsupported, platform, operation, format!("{platform} has no {operation}"))
    }
}
