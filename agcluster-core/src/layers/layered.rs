//! The one place where calls are handed from a layer to the provider beneath it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::BoxStream;

use super::{Call, Layer, Next, Operation};
use crate::provider::{
    Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Endpoint, ErrorKind,
    ExecOptions, ExecOutput, ListFilter, LogLine, LogOptions, PathInContainer, Probe, ProviderInfo, Result,
    Stats, StopOptions,
};

/// A provider with a layer around it.
#[derive(Debug)]
pub(super) struct Layered<L> {
    inner: Arc<dyn ContainerProvider>,
    layer: L,
    platform: &'static str,
}

impl<L: Layer> Layered<L> {
    pub(super) fn new(inner: Arc<dyn ContainerProvider>, layer: L) -> Self {
        let platform = inner.info().platform;
        Self { inner, layer, platform }
    }

    fn call(&self, operation: Operation) -> Call<'static> {
        Call { platform: self.platform, operation, session: None, container: None, allowance: Duration::ZERO }
    }
}

fn of<'a>(call: Call<'a>, id: &'a ContainerId) -> Call<'a> {
    Call { container: Some(id), ..call }
}

/// Hands a call to the layer: `forward!(self, call, inner.method(arguments))`. The expression is evaluated each time that the call is made.
macro_rules! forward {
    ($self:ident, $call:expr, $inner:ident . $method:ident ( $($argument:expr),* )) => {{
        let $inner = &*$self.inner;
        $self.layer.around($call, Next::new(move || $inner.$method($($argument),*))).await
    }};
}

#[async_trait]
impl<L: Layer> ContainerProvider for Layered<L> {
    fn info(&self) -> ProviderInfo {
        let info = self.inner.info();
        ProviderInfo { capabilities: self.layer.capabilities(info.capabilities), ..info }
    }

    fn platforms(&self) -> Vec<&'static str> {
        self.inner.platforms()
    }

    async fn probe(&self) -> Result<Probe> {
        forward!(self, self.call(Operation::Probe), inner.probe())
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let spec = &spec;
        let call = Call { session: Some(&spec.labels.session), ..self.call(Operation::Create) };
        forward!(self, call, inner.create(spec.clone()))
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        forward!(self, of(self.call(Operation::Inspect), id), inner.inspect(id))
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let filter = &filter;
        let call = Call { session: filter.session.as_deref(), ..self.call(Operation::List) };
        forward!(self, call, inner.list(filter.clone()))
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let found = forward!(self, of(self.call(Operation::Endpoint), id), inner.endpoint(id))?;
        Ok(self.layer.endpoint(found))
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        let call = Call { allowance: options.grace, ..of(self.call(Operation::Stop), id) };
        forward!(self, call, inner.stop(id, options))
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        forward!(self, of(self.call(Operation::Destroy), id), inner.destroy(id, options))
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        forward!(self, of(self.call(Operation::Start), id), inner.start(id))
    }

    async fn pause(&self, id: &ContainerId) -> Result<()> {
        forward!(self, of(self.call(Operation::Pause), id), inner.pause(id))
    }

    async fn resume(&self, id: &ContainerId) -> Result<Container> {
        forward!(self, of(self.call(Operation::Resume), id), inner.resume(id))
    }

    async fn snapshot(&self, id: &ContainerId) -> Result<String> {
        forward!(self, of(self.call(Operation::Snapshot), id), inner.snapshot(id))
    }

    async fn restore(&self, snapshot: &str, spec: ContainerSpec) -> Result<Container> {
        let spec = &spec;
        let call = Call { session: Some(&spec.labels.session), ..self.call(Operation::Restore) };
        forward!(self, call, inner.restore(snapshot, spec.clone()))
    }

    async fn fork(&self, source: &ContainerId, spec: ContainerSpec) -> Result<Container> {
        let spec = &spec;
        let call = Call { session: Some(&spec.labels.session), ..self.call(Operation::Fork) };
        forward!(self, of(call, source), inner.fork(source, spec.clone()))
    }

    async fn extend(&self, id: &ContainerId, lifetime: Duration) -> Result<Container> {
        forward!(self, of(self.call(Operation::Extend), id), inner.extend(id, lifetime))
    }

    async fn logs(
        &self,
        id: &ContainerId,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine>>> {
        forward!(self, of(self.call(Operation::Logs), id), inner.logs(id, options))
    }

    async fn stats(&self, id: &ContainerId) -> Result<Stats> {
        forward!(self, of(self.call(Operation::Stats), id), inner.stats(id))
    }

    async fn exec(&self, id: &ContainerId, options: ExecOptions) -> Result<ExecOutput> {
        let options = &options;
        let call = Call { allowance: options.timeout, ..of(self.call(Operation::Exec), id) };
        forward!(self, call, inner.exec(id, options.clone()))
    }

    async fn read_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let path = &path;
        forward!(self, of(self.call(Operation::ReadArchive), id), inner.read_archive(id, path.clone()))
    }

    async fn write_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<()> {
        let call = of(self.call(Operation::WriteArchive), id);
        let (inner, path, mut tar) = (&*self.inner, &path, Some(tar));
        let next = Next::new(move || match tar.take() {
            Some(tar) => inner.write_archive(id, path.clone(), tar),
            None => {
                let used = call.error(ErrorKind::Invalid, "the archive was sent already: send it anew");
                async { Err(used) }.boxed()
            }
        });
        self.layer.around(call, next).await
    }
}
