//! Finding containers again.

use std::time::Duration;

use super::case::{check, refused, same};
use super::{Context, Outcome, Verdict};
use crate::provider::{ContainerId, DestroyOptions, ErrorKind, ListFilter, StopOptions};

/// Labels come back as they were given, from `create`, `inspect` and `list`.
pub async fn labels_survive_the_platform(context: &Context) -> Verdict {
    let mut spec = context.new_session();
    spec.labels.generation = 4_000_000_000;
    spec.labels.agent = "agent-0123456789ab".to_owned();
    spec.labels.expires_at = jiff::Timestamp::from_second(4_000_000_000).ok();
    let container = context.provider().create(spec.clone()).await?;
    same("the labels of create", &container.labels, &spec.labels)?;
    let seen = context.provider().inspect(&container.id).await?;
    same("the labels of inspect", &seen.labels, &spec.labels)?;
    let listed = context.listed().await?;
    same("the number listed", &listed.len(), &1)?;
    same("the labels of list", &listed[0].labels, &spec.labels)?;
    same("the id of list", &listed[0].id, &container.id)?;
    Ok(Outcome::Passed)
}

/// `list` gives what matches its filter and nothing else.
pub async fn lists_are_filtered_by_cluster_and_session(context: &Context) -> Verdict {
    let provider = context.provider();
    let (one, other) = (context.new_session(), context.new_session());
    let one_id = provider.create(one.clone()).await?.id;
    let other_id = provider.create(other.clone()).await?.id;
    provider.stop(&other_id, StopOptions::default()).await?;
    let ids = async |filter: ListFilter| -> Result<Vec<ContainerId>, super::Failed> {
        let mut ids: Vec<_> = provider.list(filter).await?.into_iter().map(|found| found.id).collect();
        ids.sort();
        Ok(ids)
    };
    let cluster = Some(context.cluster().to_owned());
    let mut both = vec![one_id.clone(), other_id.clone()];
    both.sort();
    let of_cluster = ids(ListFilter { cluster: cluster.clone(), session: None }).await?;
    same("the cluster's containers, the stopped one included,", &of_cluster, &both)?;
    let session = Some(one.labels.session.clone());
    let of_session = ids(ListFilter { cluster: None, session: session.clone() }).await?;
    same("the session's containers", &of_session, &vec![one_id.clone()])?;
    let of_both = ids(ListFilter { cluster: cluster.clone(), session: session.clone() }).await?;
    same("the session's containers in its cluster", &of_both, &vec![one_id.clone()])?;
    let elsewhere = Some(format!("{}-other", context.cluster()));
    let of_other = ids(ListFilter { cluster: elsewhere, session }).await?;
    same("the session's containers in another cluster", &of_other, &vec![])?;
    let everything = ids(ListFilter::default()).await?;
    check(both.iter().all(|id| everything.contains(id)), "a list without a filter does not have them all")?;
    Ok(Outcome::Passed)
}

/// Whatever is asked of a container that is not there is answered with `NotFound`, and with the name of a platform of the provider's.
pub async fn what_is_unknown_is_not_found(context: &Context) -> Verdict {
    let provider = context.provider();
    let capabilities = provider.info().capabilities;
    let gone = provider.create(context.new_session()).await?.id;
    provider.destroy(&gone, DestroyOptions::default()).await?;
    for id in [gone, ContainerId("agc-never-was-g1".to_owned()), ContainerId("../never".to_owned())] {
        let seen = provider.inspect(&id).await;
        if let Err(error) = &seen {
            let (named, own) = (error.platform(), provider.platforms());
            check(
                own.contains(&named),
                format!("an error names the platform {named}, which is none of {own:?}"),
            )?;
            same("the operation of an error", &error.operation(), &"inspect")?;
        }
        refused("inspect", seen, ErrorKind::NotFound)?;
        refused("endpoint", provider.endpoint(&id).await, ErrorKind::NotFound)?;
        refused("stop", provider.stop(&id, StopOptions::default()).await, ErrorKind::NotFound)?;
        if capabilities.start.is_some() {
            refused("start", provider.start(&id).await, ErrorKind::NotFound)?;
        }
        if capabilities.pause.is_some() {
            refused("pause", provider.pause(&id).await, ErrorKind::NotFound)?;
            refused("resume", provider.resume(&id).await, ErrorKind::NotFound)?;
        }
        if capabilities.stats {
            refused("stats", provider.stats(&id).await, ErrorKind::NotFound)?;
        }
        if capabilities.logs.is_some() {
            refused("logs", provider.logs(&id, Default::default()).await, ErrorKind::NotFound)?;
        }
    }
    Ok(Outcome::Passed)
}

/// A platform that ends containers by itself says when; one that does not, does not.
pub async fn a_lifetime_is_told(context: &Context) -> Verdict {
    let claimed = context.provider().info().capabilities.lifetime;
    let mut spec = context.new_session();
    spec.lifetime = Some(claimed.max.unwrap_or(Duration::from_secs(600)).min(Duration::from_secs(600)));
    let container = context.provider().create(spec).await?;
    if claimed.default.is_none() && claimed.max.is_none() {
        same("the end of a container that nothing ends", &container.expires_at, &None)?;
        return Ok(Outcome::NotClaimed);
    }
    let Some(at) = container.expires_at else {
        return Err(super::Failed("the platform ends containers and does not say when".to_owned()));
    };
    let left = at.duration_since(jiff::Timestamp::now());
    let fits = left.is_positive() && left <= jiff::SignedDuration::from_secs(660);
    check(fits, format!("asked for 600 s, the container ends in {left:?}"))?;
    Ok(Outcome::Passed)
}
