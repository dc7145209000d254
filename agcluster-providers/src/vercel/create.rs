//! Making a container, or adopting the one that is there: two calls where nothing is in the way.

use agcluster_core::protocol::AGENT_PORT;
use agcluster_core::provider::{Container, ContainerSpec, Error, ErrorKind, Result};
use tokio::time::Instant;

use super::api::{Failure, KeepLast, NewSandbox, Sandbox, Seen, Source, Status, Tag, VCpus};
use super::error::{About, plain};
use super::shared::Shared;
use super::size::Size;
use super::tags::{self, Tagged};
use super::{view, wait};

/// How often a sandbox may vanish or stand in the way while it is looked at.
const ATTEMPTS: usize = 5;

/// One call of `create`, `restore` or `fork`.
#[derive(Clone, Copy)]
pub(super) struct Creation<'a> {
    pub(super) shared: &'a Shared,
    pub(super) spec: &'a ContainerSpec,
    pub(super) operation: &'static str,
    /// The snapshot that it begins with, where the call says so.
    pub(super) snapshot: Option<&'a str>,
}

impl Creation<'_> {
    pub(super) async fn run(&self) -> Result<Container> {
        let Size { vcpus, mut warnings } = Size::of(self.spec.resources, &self.shared.config)?;
        let name = self.spec.labels.container_name();
        let kept = self.kept().await?;
        let source = self.source(&kept);
        let mut new = self.new_sandbox(&name, vcpus, source, &mut warnings);
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.shared.api.create(&new).await {
                Ok(seen) => {
                    let seen = self.started(seen).await?;
                    self.forget(&kept).await;
                    return self.container(&seen, warnings);
                }
                // Vercel does not say in one way that a name is taken.
                Err(failure) if matches!(failure.status(), 400 | 409 | 422) => {
                    match self.adopt(&name).await? {
                        Adoption::Adopted(seen) => {
                            self.forget(&kept).await;
                            return self.container(&seen, warnings);
                        }
                        Adoption::InTheWay { kept: None } => {}
                        Adoption::InTheWay { kept: Some(snapshot_id) } => {
                            new.source = Some(Source::Snapshot { snapshot_id });
                            new.image = None;
                        }
                        // Then the refusal is about something else.
                        Adoption::Nothing if failure.status() != 409 => return Err(self.explain(failure)),
                        Adoption::Nothing => {}
                    }
                    last = Some(failure);
                }
                Err(failure) => return Err(self.explain(failure)),
            }
        }
        Err(self.explain(last.unwrap_or(Failure::Timeout)))
    }

    /// The container if it is there and runs, or can be made to.
    pub(super) async fn existing(&self) -> Result<Option<Container>> {
        match self.adopt(&self.spec.labels.container_name()).await? {
            Adoption::Adopted(seen) => self.container(&seen, Vec::new()).map(Some),
            Adoption::InTheWay { .. } | Adoption::Nothing => Ok(None),
        }
    }

    fn explain(&self, failure: Failure) -> Error {
        let config = &self.shared.config;
        let about = match (self.snapshot, &self.spec.image, &config.snapshot) {
            (Some(snapshot), _, _) => About::Snapshot(snapshot),
            (None, Some(image), _) => About::Image(Some(image)),
            (None, None, Some(snapshot)) => About::Snapshot(snapshot),
            (None, None, None) => About::Image(config.image.as_deref()),
        };
        self.shared.explain(failure, self.operation, about)
    }

    fn container(&self, seen: &Seen, warnings: Vec<String>) -> Result<Container> {
        view::container(seen, warnings)
            .ok_or_else(|| plain(ErrorKind::Protocol, self.operation, "Vercel lost the container's tags"))
    }

    /// What is kept of the session's earlier containers, newest first. A first container has none, and costs no call.
    async fn kept(&self) -> Result<Vec<(u32, String, Sandbox)>> {
        let labels = &self.spec.labels;
        if labels.generation <= 1 {
            return Ok(Vec::new());
        }
        let tag = Tag { key: tags::SESSION, value: &labels.session };
        let listed = self.shared.api.list(Some(tag), "").await.map_err(|failure| self.explain(failure))?;
        let mut kept: Vec<_> = listed
            .into_iter()
            .filter_map(|sandbox| match tags::read(&sandbox.tags)? {
                Tagged { labels: of, kept: Some(snapshot) }
                    if of.cluster == labels.cluster
                        && of.session == labels.session
                        && of.generation < labels.generation =>
                {
                    Some((of.generation, snapshot, sandbox))
                }
                _ => None,
            })
            .collect();
        kept.sort_by_key(|(generation, ..)| std::cmp::Reverse(*generation));
        Ok(kept)
    }

    fn source(&self, kept: &[(u32, String, Sandbox)]) -> Option<Source> {
        let configured = self.shared.config.snapshot.as_ref().filter(|_| self.spec.image.is_none());
        let snapshot = self
            .snapshot
            .map(str::to_owned)
            .or_else(|| kept.first().map(|(_, snapshot, _)| snapshot.clone()))
            .or_else(|| configured.cloned());
        snapshot.map(|snapshot_id| Source::Snapshot { snapshot_id })
    }

    fn new_sandbox(
        &self,
        name: &str,
        vcpus: u32,
        source: Option<Source>,
        warnings: &mut Vec<String>,
    ) -> NewSandbox {
        let config = &self.shared.config;
        let longest = config.plan.longest();
        let asked = self.spec.lifetime.unwrap_or_else(|| config.lifetime());
        if asked > longest {
            warnings.push(format!(
                "the container ends after {} minutes unless it is extended: the plan allows no more",
                longest.as_secs() / 60
            ));
        }
        // A snapshot has its image in it.
        let image = match source {
            Some(_) => None,
            None => self.spec.image.clone().or_else(|| config.image.clone()),
        };
        let persistent = config.persistent;
        NewSandbox {
            project_id: self.shared.api.credentials.project.clone(),
            ports: vec![AGENT_PORT],
            source,
            timeout: u64::try_from(asked.min(longest).as_millis()).ok(),
            resources: Some(VCpus { vcpus }),
            image,
            name: Some(name.to_owned()),
            persistent: Some(persistent),
            network_policy: self.shared.network_policy(),
            env: self.spec.env.clone(),
            tags: tags::of(&self.spec.labels, None),
            snapshot_expiration: persistent.then(|| self.shared.snapshot_expiration_ms()),
            keep_last_snapshots: persistent.then_some(KeepLast { count: 1 }),
            region: config.region.clone(),
            failover_regions: config.failover_regions.clone(),
        }
    }

    /// Starts the agent server in a new sandbox. If that fails, nothing is left.
    async fn started(&self, mut seen: Seen) -> Result<Seen> {
        let Shared { api, agent, .. } = self.shared;
        let started = async {
            seen.session = wait::until_up(api, seen.session.clone()).await.map_err(|f| self.explain(f))?;
            if seen.session.status != Status::Running {
                return Err(plain(
                    ErrorKind::Unavailable,
                    self.operation,
                    "the new container's machine ended before it ran: try again",
                ));
            }
            agent.start(api, &seen.session).await.map_err(|why| self.shared.not_started(why, self.operation))
        };
        match started.await {
            Ok(()) => Ok(seen),
            Err(error) => {
                if let Err(failure) = api.delete(&seen.sandbox.name, false).await
                    && failure.status() != 404
                {
                    tracing::warn!(name = seen.sandbox.name, %failure, "a failed sandbox is left until it expires");
                }
                Err(error)
            }
        }
    }

    /// Takes over the sandbox of that name.
    async fn adopt(&self, name: &str) -> Result<Adoption> {
        let Shared { api, agent, config, .. } = self.shared;
        let explain = |failure| self.explain(failure);
        let mut seen = match api.get(name).await {
            Ok(seen) => seen,
            Err(failure) if failure.status() == 404 => return Ok(Adoption::Nothing),
            Err(failure) => return Err(explain(failure)),
        };
        let labels = &self.spec.labels;
        let own = tags::read(&seen.sandbox.tags).filter(|tagged| {
            (&tagged.labels.cluster, &tagged.labels.session) == (&labels.cluster, &labels.session)
        });
        let Some(Tagged { kept, .. }) = own else {
            let message = format!("the sandbox {name} belongs to somebody else: remove it");
            return Err(plain(ErrorKind::AlreadyExists, self.operation, message));
        };
        let deadline = Instant::now() + config.timeouts.change();
        loop {
            seen.session = wait::until_up(api, seen.session).await.map_err(explain)?;
            if seen.session.status == Status::Running {
                let why = |why| self.shared.not_started(why, self.operation);
                match agent.ensure(api, &seen.session).await {
                    // It ended between the two calls.
                    Err(super::agent::NotStarted::Failure(failure))
                        if (failure.is_stopped() || failure.is_stopping()) && Instant::now() < deadline =>
                    {
                        seen.session = api.session(&seen.session.id).await.map_err(explain)?;
                        continue;
                    }
                    done => done.map_err(why)?,
                }
                return Ok(Adoption::Adopted(Box::new(seen)));
            }
            if !seen.sandbox.persistent || kept.is_some() {
                // Its files are gone, so a new one is as good; or they are in a snapshot, which stays.
                return match api.delete(name, false).await {
                    Err(failure) if failure.status() != 404 => Err(explain(failure)),
                    _ => Ok(Adoption::InTheWay { kept }),
                };
            }
            seen = self.shared.resumed(name).await.map_err(explain)?;
        }
    }

    /// Removes what was kept for this container, now that it has it.
    async fn forget(&self, kept: &[(u32, String, Sandbox)]) {
        for (_, _, sandbox) in kept {
            if let Err(failure) = self.shared.api.delete(&sandbox.name, true).await
                && failure.status() != 404
            {
                // It is listed as remains, and can be destroyed.
                tracing::warn!(name = sandbox.name, %failure, "a workspace that is in use again is still kept");
            }
        }
    }
}

/// What came of a name that is taken.
enum Adoption {
    Adopted(Box<Seen>),
    /// It stood still for good, and is removed; its workspace may be in a snapshot.
    InTheWay {
        kept: Option<String>,
    },
    /// There is no such sandbox.
    Nothing,
}
