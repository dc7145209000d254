//! What a session's files outlive, and who cannot see them.

use super::case::{check, same};
use super::files::{self, Way};
use super::{Context, Failed, Outcome, Verdict};
use crate::provider::{Container, ContainerState, DestroyOptions};

const KEEP: DestroyOptions = DestroyOptions { keep_workspace: true };

/// With `keep_workspace`, the session's next container has the files of the last one; what is left in between is a
/// remainder that `destroy` removes. Where a stop already loses them, as `start` says, they are not there either.
pub async fn a_workspace_is_kept_for_the_next_generation(context: &Context) -> Verdict {
    let provider = context.provider();
    let way = files::way(context);
    let first = context.new_session();
    let container = context.running(&first).await?;
    if let Some(way) = way {
        files::write(context, way, &container.id, "kept", "by generation 1").await?;
    }
    provider.destroy(&container.id, KEEP).await?;
    let left = context.listed().await?;
    let only_remains = left.iter().all(|left| left.state == ContainerState::Remains);
    check(only_remains, format!("after destroy there is {left:?}"))?;

    let second = context.next_generation(&first);
    let container = context.running(&second).await?;
    if let Some(way) = way {
        let seen = files::read(context, way, &container.id, "kept").await?;
        let kept = provider.info().capabilities.start.is_none_or(|start| start.keeps_workspace);
        same("the file of generation 1", &seen, &kept.then(|| b"by generation 1".to_vec()))?;
    }
    provider.destroy(&container.id, KEEP).await?;
    for Container { id, .. } in context.listed().await? {
        provider.stop(&id, Default::default()).await?;
        provider.destroy(&id, DestroyOptions::default()).await?;
    }
    same("what is left", &context.listed().await?, &vec![])?;
    Ok(Outcome::Passed)
}

/// Without `keep_workspace`, the session's next container begins with an empty workspace.
pub async fn a_workspace_is_removed_with_its_container(context: &Context) -> Verdict {
    let provider = context.provider();
    let first = context.new_session();
    let container = context.running(&first).await?;
    if let Some(way) = files::way(context) {
        files::write(context, way, &container.id, "gone", "by generation 1").await?;
    }
    provider.destroy(&container.id, DestroyOptions::default()).await?;
    same("what is left", &context.listed().await?, &vec![])?;
    let second = context.next_generation(&first);
    let container = context.running(&second).await?;
    if let Some(way) = files::way(context) {
        same("the file of generation 1", &files::read(context, way, &container.id, "gone").await?, &None)?;
    }
    Ok(Outcome::Passed)
}

/// Two sessions have agent servers and workspaces of their own.
pub async fn two_containers_do_not_share(context: &Context) -> Verdict {
    let (one, other) = (context.new_session(), context.new_session());
    let (one_id, other_id) = (context.running(&one).await?.id, context.running(&other).await?.id);
    check(one_id != other_id, "two sessions have one container")?;
    let instances = (context.healthy(&one, &one_id).await?, context.healthy(&other, &other_id).await?);
    check(instances.0.instance != instances.1.instance, "two sessions have one agent server")?;
    if let Some(way) = files::way(context) {
        files::write(context, way, &one_id, "mine", "secret").await?;
        same("the other's file", &files::read(context, way, &other_id, "mine").await?, &None)?;
        own(context, way, &one_id).await?;
    }
    Ok(Outcome::Passed)
}

/// The file is there for whoever wrote it: otherwise its absence elsewhere says nothing.
async fn own(context: &Context, way: Way, id: &crate::provider::ContainerId) -> Result<(), Failed> {
    same("one's own file", &files::read(context, way, id, "mine").await?, &Some(b"secret".to_vec()))
}
