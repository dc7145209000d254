//! From making a container to removing it.

use std::time::Duration;

use agcluster_protocol::{PROTOCOL_VERSION, Phase};
use futures::future::{join_all, try_join_all};

use super::case::{check, refused, same};
use super::{Context, Outcome, Verdict};
use crate::agent::{AgentClient, wait_until_healthy};
use crate::provider::{ContainerId, ContainerState, DestroyOptions, ErrorKind, ListFilter, StopOptions};

/// `info` says the same each time and names the platform.
pub async fn info_does_not_change(context: &Context) -> Verdict {
    let provider = context.provider();
    // What was found out about the platform may have made it more exact.
    provider.probe().await?;
    let info = provider.info();
    check(!info.platform.is_empty(), "the platform has no name")?;
    same("the second info", &provider.info(), &info)?;
    Ok(Outcome::Passed)
}

/// `probe` answers on a platform that works.
pub async fn probe_answers(context: &Context) -> Verdict {
    context.provider().probe().await?;
    Ok(Outcome::Passed)
}

/// `create` makes a container whose agent server answers and has not been configured.
pub async fn create_makes_a_container_that_answers(context: &Context) -> Verdict {
    let spec = context.new_session();
    let container = context.provider().create(spec.clone()).await?;
    let alive = matches!(container.state, ContainerState::Running | ContainerState::Starting);
    check(alive, format!("the new container is {:?}", container.state))?;
    let health = context.healthy(&spec, &container.id).await?;
    same("the protocol", &health.protocol, &PROTOCOL_VERSION)?;
    same("the phase", &health.phase, &Phase::Unconfigured)?;
    let seen = context.provider().inspect(&container.id).await?;
    same("the state of a container that answers", &seen.state, &ContainerState::Running)?;
    Ok(Outcome::Passed)
}

/// A second `create` of the same session and generation gives the container that is there.
pub async fn create_twice_adopts(context: &Context) -> Verdict {
    let spec = context.new_session();
    let first = context.provider().create(spec.clone()).await?;
    let before = context.healthy(&spec, &first.id).await?;
    let second = context.provider().create(spec.clone()).await?;
    same("the second id", &second.id, &first.id)?;
    same("the second state", &second.state, &ContainerState::Running)?;
    let after = context.healthy(&spec, &second.id).await?;
    same("the agent server's instance", &after.instance, &before.instance)?;
    same("the number of containers", &context.listed().await?.len(), &1)?;
    Ok(Outcome::Passed)
}

/// `create` starts the container of that name if it was stopped, where stopped ones can be started.
pub async fn create_starts_what_stands_still(context: &Context) -> Verdict {
    if context.provider().info().capabilities.start.is_none() {
        return Ok(Outcome::NotClaimed);
    }
    let spec = context.new_session();
    let first = context.running(&spec).await?;
    context.provider().stop(&first.id, StopOptions::default()).await?;
    let second = context.running(&spec).await?;
    same("the second id", &second.id, &first.id)?;
    same("the number of containers", &context.listed().await?.len(), &1)?;
    Ok(Outcome::Passed)
}

/// Several `create` of one session and generation at once all give the same container.
pub async fn creates_of_one_container_at_once_agree(context: &Context) -> Verdict {
    let spec = context.new_session();
    let created = try_join_all((0..3).map(|_| context.provider().create(spec.clone()))).await?;
    for container in &created {
        same("the id", &container.id, &created[0].id)?;
    }
    context.healthy(&spec, &created[0].id).await?;
    same("the number of containers", &context.listed().await?.len(), &1)?;
    Ok(Outcome::Passed)
}

/// Several containers are made at once, and removed at once.
pub async fn creates_of_five_containers_at_once_all_answer(context: &Context) -> Verdict {
    let specs: Vec<_> = (0..5).map(|_| context.new_session()).collect();
    let containers = try_join_all(specs.iter().map(|spec| context.running(spec))).await?;
    same("the number of containers", &context.listed().await?.len(), &5)?;
    let provider = context.provider();
    try_join_all(
        containers.iter().map(|container| provider.destroy(&container.id, DestroyOptions::default())),
    )
    .await?;
    same("the number of containers left", &context.listed().await?.len(), &0)?;
    Ok(Outcome::Passed)
}

/// A `create` whose future was dropped can be repeated, whenever that was.
pub async fn a_dropped_create_can_be_repeated(context: &Context) -> Verdict {
    for after in [0, 2, 10, 40, 120, 300] {
        let spec = context.new_session();
        let create = context.provider().create(spec.clone());
        let begun = tokio::time::timeout(Duration::from_millis(after), create).await;
        drop(begun);
        let container = context.running(&spec).await?;
        let listed = context
            .provider()
            .list(ListFilter { session: Some(spec.labels.session.clone()), ..ListFilter::default() });
        same("the number of containers", &listed.await?.len(), &1)?;
        context.provider().destroy(&container.id, DestroyOptions::default()).await?;
    }
    Ok(Outcome::Passed)
}

/// An image that is not there is a precondition; where images cannot be chosen, asking for one is refused.
pub async fn an_image_is_used_or_refused(context: &Context) -> Verdict {
    let mut spec = context.new_session();
    spec.image = Some("agcluster.invalid/no-such-image:none".to_owned());
    let custom = context.provider().info().capabilities.custom_image;
    let created = context.provider().create(spec).await;
    let expected = if custom { ErrorKind::Precondition } else { ErrorKind::Invalid };
    refused("a container of an image that is not there", created, expected)?;
    same("what is left", &context.listed().await?, &vec![])?;
    Ok(if custom { Outcome::Passed } else { Outcome::NotClaimed })
}

/// A stopped container is still there, and stopping it again is success.
pub async fn stop_keeps_the_container_and_is_idempotent(context: &Context) -> Verdict {
    let spec = context.new_session();
    let container = context.running(&spec).await?;
    for _ in 0..2 {
        context.provider().stop(&container.id, StopOptions::default()).await?;
        let seen = context.provider().inspect(&container.id).await?;
        let stopped = matches!(seen.state, ContainerState::Stopped { .. });
        check(stopped, format!("after stop it is {:?}", seen.state))?;
    }
    same("the number of containers", &context.listed().await?.len(), &1)?;
    Ok(Outcome::Passed)
}

/// After `destroy` nothing is listed, nobody answers, and destroying it again is success.
pub async fn destroy_leaves_nothing_and_is_idempotent(context: &Context) -> Verdict {
    let spec = context.new_session();
    let container = context.provider().create(spec.clone()).await?;
    let before = context.healthy(&spec, &container.id).await?;
    let endpoint = context.provider().endpoint(&container.id).await?;
    for _ in 0..2 {
        context.provider().destroy(&container.id, DestroyOptions::default()).await?;
        same("what is left", &context.listed().await?, &vec![])?;
        let seen = context.provider().inspect(&container.id).await;
        refused("inspect of a destroyed container", seen, ErrorKind::NotFound)?;
    }
    let client = AgentClient::new(&endpoint, &context.token(&spec))?;
    let answer = wait_until_healthy(&client, Duration::from_millis(200)).await;
    // The address may be another container's by now.
    let is_same = answer.is_ok_and(|after| after.instance == before.instance);
    check(!is_same, "the agent server of a destroyed container still answers")?;
    for never in ["agc-never-was-g1", "never was", ""] {
        let id = ContainerId(never.to_owned());
        context.provider().destroy(&id, DestroyOptions::default()).await?;
    }
    Ok(Outcome::Passed)
}

/// Stopped and paused containers can be destroyed like running ones, also by several callers at once.
pub async fn destroy_takes_a_container_in_any_state(context: &Context) -> Verdict {
    let provider = context.provider();
    let stopped = context.new_session();
    let stopped = context.running(&stopped).await?;
    provider.stop(&stopped.id, StopOptions::default()).await?;
    let mut all = vec![stopped];
    if provider.info().capabilities.pause.is_some() {
        let paused = context.new_session();
        let paused = context.running(&paused).await?;
        provider.pause(&paused.id).await?;
        all.push(paused);
    }
    all.push(context.running(&context.new_session()).await?);
    let twice = all.iter().chain(&all);
    let destroyed =
        join_all(twice.map(|container| provider.destroy(&container.id, DestroyOptions::default()))).await;
    for answer in destroyed {
        answer?;
    }
    same("what is left", &context.listed().await?, &vec![])?;
    Ok(Outcome::Passed)
}

/// Another provider over the same platform finds the container, reaches the same agent server and can remove it.
pub async fn a_container_outlives_its_provider(context: &Context) -> Verdict {
    let Some(successor) = context.successor() else { return Ok(Outcome::NotClaimed) };
    let spec = context.new_session();
    let container = context.provider().create(spec.clone()).await?;
    let before = context.healthy(&spec, &container.id).await?;
    let found = successor.list(ListFilter::cluster(context.cluster())).await?;
    same("what the successor finds", &found.len(), &1)?;
    same("the labels", &found[0].labels, &spec.labels)?;
    let endpoint = successor.endpoint(&found[0].id).await?;
    let client = AgentClient::new(&endpoint, &context.token(&spec))?;
    let after = wait_until_healthy(&client, context.patience()).await?;
    same("the agent server's instance", &after.instance, &before.instance)?;
    let adopted = successor.create(spec).await?;
    same("the adopted container", &adopted.id, &container.id)?;
    successor.destroy(&found[0].id, DestroyOptions::default()).await?;
    same("what is left", &context.listed().await?, &vec![])?;
    Ok(Outcome::Passed)
}
