//! The next provider, where the first has no room or does not answer.

mod capabilities;
mod create;
mod member;
mod placements;
pub(crate) mod policy;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use futures::stream::BoxStream;

use self::member::Member;
use self::placements::Placements;
use crate::provider::{
    Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Endpoint, Error,
    ErrorKind, ExecOptions, ExecOutput, ListFilter, LogLine, LogOptions, PathInContainer, Probe,
    ProviderInfo, Result, Stats, StopOptions,
};

/// The name of a [`Failover`] as a platform.
const PLATFORM: &str = "failover";

/// Several providers in the order in which they are wanted.
///
/// * **create** asks the first, and the next one on [`ErrorKind::Capacity`], [`ErrorKind::Quota`], [`ErrorKind::Unavailable`] (an
///   [open circuit](super::CIRCUIT_OPEN) included) and [`ErrorKind::Timeout`]. Anything else is answered as it is: a wrong key or a missing image is to be
///   mended, not passed over. A container that is not on the first says so in its warnings, with the reason.
/// * **Twice?** An answer may have been lost on the way to an error, so a member is cleared of the container before the next one is asked, and once
///   more when the session's container is destroyed, if it could not be then. A repeated `create` begins where the last one ended, as long as this process
///   remembers.
/// * **Ids** are `member:id`. Every other operation goes to the member of the id, and to no other. One that is not configured any more is
///   [`ErrorKind::Precondition`], also for `destroy`, since its container is still there.
/// * **list** is of all members; if one fails the list fails, because callers take what is not listed as gone.
/// * **probe** is well if one member is; the others' errors are warnings.
/// * **Capabilities** are those that all members have. Others are [`ErrorKind::Unsupported`] on each of them, so that a session is the same wherever it runs.
///
/// Errors name the platform that they come from ([`platforms`](ContainerProvider::platforms) has them all); `failover` is the platform of its
/// own only.
///
/// For embedding, where one provider is wanted. Who can hold on to the provider that was taken asks a
/// [`Selection`](crate::provider::Selection) instead, which gives the platform's own container and all of its capabilities.
///
/// A session whose container moves to another member begins there with an empty workspace: workspaces do not move.
#[derive(Debug)]
pub struct Failover {
    members: Vec<Member>,
    capabilities: Capabilities,
    placements: Placements,
}

impl Failover {
    /// Providers by the names that go into container ids; the first is asked first.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] without members, or when a name is empty, there twice, or has a colon.
    pub fn new<N: Into<String>>(
        members: impl IntoIterator<Item = (N, std::sync::Arc<dyn ContainerProvider>)>,
    ) -> Result<Self> {
        let members: Vec<_> =
            members.into_iter().map(|(name, provider)| Member { name: name.into(), provider }).collect();
        for (index, Member { name, .. }) in members.iter().enumerate() {
            let is_twice = members[..index].iter().any(|other| other.name == *name);
            if name.is_empty() || name.contains(member::SEPARATOR) || is_twice {
                let message = format!("a provider of a list cannot be called {name:?}: name each once");
                return Err(error(ErrorKind::Invalid, "new", message));
            }
        }
        let all = members.iter().map(|member| member.provider.info().capabilities);
        let Some(capabilities) = all.reduce(|these, those| capabilities::common(&these, &those)) else {
            return Err(error(
                ErrorKind::Invalid,
                "new",
                "the list of providers is empty: name at least one",
            ));
        };
        Ok(Self { members, capabilities, placements: Placements::default() })
    }

    /// The member that an id names, and the id there; `None` when no member can ever have given that id.
    fn route(&self, id: &str, operation: &'static str) -> Result<Option<(&Member, ContainerId)>> {
        let Some((name, rest)) = id.split_once(member::SEPARATOR) else { return Ok(None) };
        match self.members.iter().find(|member| member.name == name) {
            Some(member) => Ok(Some((member, ContainerId(rest.to_owned())))),
            None => {
                let message =
                    format!("{id} is on {name:?}, which is not configured any more: configure it again");
                Err(error(ErrorKind::Precondition, operation, message))
            }
        }
    }

    fn member_of(&self, id: &ContainerId, operation: &'static str) -> Result<(&Member, ContainerId)> {
        let missing = || error(ErrorKind::NotFound, operation, format!("there is no container {id}"));
        self.route(&id.0, operation)?.ok_or_else(missing)
    }

    /// The same for an operation that not all platforms have.
    fn able(&self, able: bool, id: &ContainerId, operation: &'static str) -> Result<(&Member, ContainerId)> {
        if able { self.member_of(id, operation) } else { Err(self.unsupported(operation)) }
    }
}

fn error(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(kind, PLATFORM, operation, message)
}

#[async_trait]
impl ContainerProvider for Failover {
    fn info(&self) -> ProviderInfo {
        ProviderInfo { platform: PLATFORM, capabilities: self.capabilities.clone() }
    }

    fn platforms(&self) -> Vec<&'static str> {
        let of_members = self.members.iter().flat_map(|member| member.provider.platforms());
        std::iter::once(PLATFORM).chain(of_members).collect()
    }

    async fn probe(&self) -> Result<Probe> {
        let probes = join_all(self.members.iter().map(|member| member.provider.probe())).await;
        let is_any_well = probes.iter().any(Result::is_ok);
        let said = self.members.iter().zip(probes).flat_map(|(Member { name, .. }, probe)| {
            let warnings =
                probe.map_or_else(|error| vec![error.message().to_owned()], |probe| probe.warnings);
            warnings.into_iter().map(move |warning| format!("{name}: {warning}"))
        });
        let warnings: Vec<_> = said.collect();
        if is_any_well {
            return Ok(Probe { version: None, warnings });
        }
        let message = format!("no provider of the list is well: {}", warnings.join("; "));
        Err(error(ErrorKind::Unavailable, "probe", message))
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        self.place(spec).await
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        let (member, id) = self.member_of(id, "inspect")?;
        Ok(member.sign(member.provider.inspect(&id).await?))
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let lists = self.members.iter().map(async |member| {
            let list = member.provider.list(filter.clone()).await?;
            Ok::<_, Error>(list.into_iter().map(|container| member.sign(container)).collect::<Vec<_>>())
        });
        Ok(try_join_all(lists).await?.into_iter().flatten().collect())
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let (member, id) = self.member_of(id, "endpoint")?;
        member.provider.endpoint(&id).await
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        let (member, id) = self.member_of(id, "stop")?;
        member.provider.stop(&id, options).await
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        // What no member can have given was never there.
        let Some((member, inner)) = self.route(&id.0, "destroy")? else { return Ok(()) };
        member.provider.destroy(&inner, options).await?;
        self.forget(id).await;
        Ok(())
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        let (member, id) = self.able(self.capabilities.start.is_some(), id, "start")?;
        Ok(member.sign(member.provider.start(&id).await?))
    }

    async fn pause(&self, id: &ContainerId) -> Result<()> {
        let (member, id) = self.able(self.capabilities.pause.is_some(), id, "pause")?;
        member.provider.pause(&id).await
    }

    async fn resume(&self, id: &ContainerId) -> Result<Container> {
        let (member, id) = self.able(self.capabilities.pause.is_some(), id, "resume")?;
        Ok(member.sign(member.provider.resume(&id).await?))
    }

    async fn snapshot(&self, id: &ContainerId) -> Result<String> {
        let (member, id) = self.able(self.capabilities.snapshot.is_some(), id, "snapshot")?;
        Ok(member.qualify(&member.provider.snapshot(&id).await?))
    }

    async fn restore(&self, snapshot: &str, spec: ContainerSpec) -> Result<Container> {
        if self.capabilities.snapshot.is_none() {
            return Err(self.unsupported("restore"));
        }
        let missing = || error(ErrorKind::NotFound, "restore", format!("there is no snapshot {snapshot}"));
        let (member, inner) = self.route(snapshot, "restore")?.ok_or_else(missing)?;
        Ok(member.sign(member.provider.restore(&inner.0, spec).await?))
    }

    /// On the source's own provider.
    async fn fork(&self, source: &ContainerId, spec: ContainerSpec) -> Result<Container> {
        let (member, source) = self.able(self.capabilities.fork.is_some(), source, "fork")?;
        Ok(member.sign(member.provider.fork(&source, spec).await?))
    }

    async fn extend(&self, id: &ContainerId, lifetime: Duration) -> Result<Container> {
        let (member, id) = self.able(self.capabilities.lifetime.extendable, id, "extend")?;
        Ok(member.sign(member.provider.extend(&id, lifetime).await?))
    }

    async fn logs(
        &self,
        id: &ContainerId,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<LogLine>>> {
        let (member, id) = self.able(self.capabilities.logs.is_some(), id, "logs")?;
        member.provider.logs(&id, options).await
    }

    async fn stats(&self, id: &ContainerId) -> Result<Stats> {
        let (member, id) = self.able(self.capabilities.stats, id, "stats")?;
        member.provider.stats(&id).await
    }

    async fn exec(&self, id: &ContainerId, options: ExecOptions) -> Result<ExecOutput> {
        let (member, id) = self.able(self.capabilities.exec.is_some(), id, "exec")?;
        member.provider.exec(&id, options).await
    }

    async fn read_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let (member, id) = self.able(self.capabilities.archive.is_some(), id, "read_archive")?;
        member.provider.read_archive(&id, path).await
    }

    async fn write_archive(
        &self,
        id: &ContainerId,
        path: PathInContainer,
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<()> {
        let (member, id) = self.able(self.capabilities.archive.is_some(), id, "write_archive")?;
        member.provider.write_archive(&id, path, tar).await
    }
}

#[cfg(test)]
mod tests;
