//! What a layer is: something done around every call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::Operation;
use super::layered::Layered;
use crate::provider::{Capabilities, ContainerId, ContainerProvider, Endpoint, Error, ErrorKind, Result};

/// Something done around every call of a provider.
///
/// One method sees all operations, so that a layer is written once and not nineteen times.
pub trait Layer: Send + Sync + fmt::Debug + Sized + 'static {
    /// Makes the call, or does not, or makes it again.
    ///
    /// # Errors
    /// Those of the call, and the layer's own.
    fn around<'a, T: Send + 'a>(
        &'a self,
        call: Call<'a>,
        next: Next<'a, T>,
    ) -> impl Future<Output = Result<T>> + Send + 'a;

    /// The way to an agent server as callers shall have it; as the provider said, unless a layer is about that.
    fn endpoint(&self, endpoint: Endpoint) -> Endpoint {
        endpoint
    }

    /// What the provider can do, as callers shall see it: as it says itself, unless a layer takes something away. Then the calls that it took away
    /// are answered as [`ErrorKind::Unsupported`] by [`around`](Self::around).
    fn capabilities(&self, capabilities: Capabilities) -> Capabilities {
        capabilities
    }

    /// The provider with this layer around it.
    fn on(self, provider: Arc<dyn ContainerProvider>) -> Arc<dyn ContainerProvider> {
        Arc::new(Layered::new(provider, self))
    }
}

/// What a layer knows of a call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The platform asked.
    pub platform: &'static str,
    /// The method called.
    pub operation: Operation,
    /// The session, where the call names it (`create`, `restore`, `fork`, and `list` of one session).
    pub session: Option<&'a str>,
    /// The container, where the call names it. Its name holds the session's on most platforms.
    pub container: Option<&'a ContainerId>,
    /// How long the call itself allows for: the grace of a stop, the time-out of a command.
    pub allowance: Duration,
}

impl Call<'_> {
    /// An error of a layer about this call.
    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.platform, self.operation.name(), message)
    }
}

/// The rest of the way to the platform.
pub struct Next<'a, T> {
    call: Box<dyn FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a>,
}

impl<'a, T> Next<'a, T> {
    pub(super) fn new(call: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a) -> Self {
        Self { call: Box::new(call) }
    }

    /// Makes the call. Only where [`Operation::is_repeatable`] may it be made again.
    pub fn run(&mut self) -> BoxFuture<'a, Result<T>> {
        (self.call)()
    }
}

impl<T> fmt::Debug for Next<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Next")
    }
}
