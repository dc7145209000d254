//! Finding machines again, and removing them until they are gone.

use std::collections::HashSet;

use agcluster_core::provider::{Container, ContainerId, Error, ErrorKind, ListFilter, Result};

use super::super::api::Machine;
use super::super::apps::Apps;
use super::super::error::{About, explain};
use super::super::wait::{self, Reached};
use super::super::{PLATFORM, view};
use super::{FlyMachinesProvider, not_found};

const SESSION: &str = "metadata.agcluster_session";
const CLUSTER: &str = "metadata.agcluster_cluster";

impl FlyMachinesProvider {
    /// The machines of a shared app. The platform is asked for one label, the more telling one.
    pub(super) async fn list_app(&self, app: &str, filter: &ListFilter) -> Result<Vec<Container>> {
        let session = filter.session.as_deref().map(|session| (SESSION, session));
        let wanted = session.or_else(|| filter.cluster.as_deref().map(|cluster| (CLUSTER, cluster)));
        let machines = self.inner.api.list(app, wanted).await;
        let machines = machines.map_err(|failure| explain(failure, "list", About::App(app)))?;
        Ok(machines.iter().filter_map(|machine| view::container(app, machine, Vec::new())).collect())
    }

    /// The machines of an organisation's apps, and of a cluster also its apps without machines.
    pub(super) async fn list_organization(
        &self,
        organization: &str,
        prefix: &str,
        filter: &ListFilter,
    ) -> Result<Vec<Container>> {
        let api = &self.inner.api;
        let explain = |failure| explain(failure, "list", About::Organization(organization));
        // Apps first: what is made between the two calls has a machine in the second one.
        let apps = match &filter.cluster {
            Some(_) if filter.session.is_none() => api.apps(organization).await.map_err(explain)?,
            _ => Vec::new(),
        };
        let machines = api.machines_of(organization).await.map_err(explain)?;
        let app_of = |machine: &Machine| machine.app_name.clone().unwrap_or_default();
        let used: HashSet<_> = machines.iter().map(app_of).collect();
        let mut found: Vec<_> = machines
            .iter()
            .filter_map(|machine| view::container(machine.app_name.as_deref()?, machine, Vec::new()))
            .filter(|container| self.inner.apps.target(&container.id).is_some())
            .collect();
        if let Some(cluster) = &filter.cluster {
            let begin = Apps::begin_of(prefix, cluster);
            let names = apps.into_iter().filter_map(|app| app.name);
            let remains = names.filter(|name| name.starts_with(&begin) && !used.contains(name));
            found.extend(remains.map(|name| view::remains(&name, cluster)));
        }
        Ok(found)
    }

    /// What remains of a container: an app without a machine.
    pub(super) async fn inspect_app(&self, app: &str, operation: &'static str) -> Result<Container> {
        match self.inner.api.app(app).await {
            Ok(seen) if seen.machine_count.unwrap_or(0) == 0 => Ok(view::remains(app, "")),
            Ok(_) => Err(not_found(&ContainerId(app.to_owned()), operation)),
            Err(failure) if failure.is_not_found() => Err(not_found(&ContainerId(app.to_owned()), operation)),
            Err(failure) => Err(explain(failure, operation, About::App(app))),
        }
    }

    /// Removes a machine and waits until it is gone.
    pub(super) async fn destroy_machine(&self, id: &ContainerId, target: (&str, &str)) -> Result<()> {
        let (api, deadline) = (&self.inner.api, self.deadline());
        match api.delete(target.0, target.1).await {
            Ok(()) => {}
            Err(failure) if failure.is_not_found() => return self.unless_app_is_missing(id, failure),
            Err(failure) => {
                // Somebody else removes it at this moment.
                let seen = api.get(target.0, target.1).await;
                let is_going = match &seen {
                    Ok(machine) => view::is_gone(machine),
                    Err(failure) => failure.is_not_found(),
                };
                if !is_going {
                    return Err(self.about(id, failure, "destroy"));
                }
            }
        }
        match wait::until(api, target, "destroyed", None, deadline).await {
            Ok(Reached::State(_) | Reached::Gone) => Ok(()),
            Ok(Reached::NotYet) => Err(Error::new(
                ErrorKind::Timeout,
                PLATFORM,
                "destroy",
                "the machine is not gone yet: see with `fly machine list`, and try again",
            )),
            Err(failure) => Err(self.about(id, failure, "destroy")),
        }
    }

    /// A shared app that is not there is a wrong setting and no success.
    fn unless_app_is_missing(&self, id: &ContainerId, failure: super::Failure) -> Result<()> {
        let error = self.about(id, failure, "destroy");
        if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
    }
}

#[cfg(test)]
mod tests {
    use agcluster_core::provider::{LABEL_CLUSTER, LABEL_SESSION};

    use super::*;

    #[test]
    fn machines_are_looked_for_by_the_keys_that_they_are_labelled_with() {
        assert_eq!(SESSION, format!("metadata.{}", view::key(LABEL_SESSION)));
        assert_eq!(CLUSTER, format!("metadata.{}", view::key(LABEL_CLUSTER)));
    }
}
