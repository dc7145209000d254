//! Verbs that a platform may have.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};

use super::case::{check, refused, same, unsupported};
use super::files;
use super::{Context, Failed, Outcome, Verdict};
use crate::agent::wait_until_healthy;
use crate::provider::{
    ContainerId, ContainerState, DestroyOptions, ErrorKind, LogLine, LogOptions, LogPlace, Resources,
    StopOptions,
};

/// `start` runs a stopped container again, with its workspace if that is claimed.
pub async fn start_is_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let spec = context.new_session();
    let container = context.running(&spec).await?;
    let Some(start) = provider.info().capabilities.start else {
        return unsupported("start", provider.start(&container.id).await);
    };
    let before = context.healthy(&spec, &container.id).await?;
    let way = files::way(context);
    if let Some(way) = way {
        files::write(context, way, &container.id, "before", "the stop").await?;
    }
    provider.stop(&container.id, StopOptions::default()).await?;
    for _ in 0..2 {
        let started = provider.start(&container.id).await?;
        same("the id", &started.id, &container.id)?;
    }
    let after = context.healthy(&spec, &container.id).await?;
    check(after.instance != before.instance, "the agent server was not stopped at all")?;
    if let Some(way) = way {
        let seen = files::read(context, way, &container.id, "before").await?;
        let expected = start.keeps_workspace.then(|| b"the stop".to_vec());
        same("the file of before the stop", &seen, &expected)?;
    }
    Ok(Outcome::Passed)
}

/// `pause` freezes the agent server, and `resume` lets it go on: the same one, if memory is claimed to be kept.
pub async fn pause_is_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let spec = context.new_session();
    let container = context.running(&spec).await?;
    let Some(pause) = provider.info().capabilities.pause else {
        unsupported("resume", provider.resume(&container.id).await)?;
        return unsupported("pause", provider.pause(&container.id).await);
    };
    let client = context.client(&spec, &container.id).await?;
    let before = wait_until_healthy(&client, context.patience()).await?;
    for _ in 0..2 {
        provider.pause(&container.id).await?;
    }
    let seen = provider.inspect(&container.id).await?;
    same("the state of a paused container", &seen.state, &ContainerState::Paused)?;
    let answer = wait_until_healthy(&client, Duration::from_millis(500)).await;
    check(answer.is_err(), "the agent server of a paused container answers")?;
    let endpoint = provider.endpoint(&container.id).await;
    refused("the endpoint of a paused container", endpoint, ErrorKind::Precondition)?;
    for _ in 0..2 {
        let resumed = provider.resume(&container.id).await?;
        same("the state of a resumed container", &resumed.state, &ContainerState::Running)?;
    }
    let after = context.healthy(&spec, &container.id).await?;
    let kept = after.instance == before.instance;
    same("whether the agent server is the same", &kept, &pause.keeps_memory)?;
    provider.stop(&container.id, StopOptions::default()).await?;
    refused("pausing a stopped container", provider.pause(&container.id).await, ErrorKind::Gone)?;
    refused("resuming a stopped container", provider.resume(&container.id).await, ErrorKind::Gone)?;
    Ok(Outcome::Passed)
}

/// A snapshot leaves its source as claimed, and containers can be made from it.
pub async fn snapshot_is_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let spec = context.new_session();
    let container = context.running(&spec).await?;
    let Some(snapshot) = provider.info().capabilities.snapshot else {
        unsupported("restore", provider.restore("none", context.new_session()).await)?;
        return unsupported("snapshot", provider.snapshot(&container.id).await);
    };
    let way = files::way(context);
    if let Some(way) = way {
        files::write(context, way, &container.id, "in", "the snapshot").await?;
    }
    let name = provider.snapshot(&container.id).await?;
    let running = provider.inspect(&container.id).await?.state == ContainerState::Running;
    same("whether the source still runs", &running, &!snapshot.stops_source)?;
    let copy = context.new_session();
    let restored = provider.restore(&name, copy.clone()).await?;
    same("the labels of the restored container", &restored.labels, &copy.labels)?;
    if let Some(way) = way {
        let seen = files::read(context, way, &restored.id, "in").await?;
        same("the file of the snapshot", &seen, &Some(b"the snapshot".to_vec()))?;
    }
    Ok(Outcome::Passed)
}

/// A fork leaves its source as claimed and begins with its files; a repeated one is the same container.
pub async fn fork_is_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let spec = context.new_session();
    let source = context.running(&spec).await?;
    let copy = context.new_session();
    let Some(claimed) = provider.info().capabilities.fork else {
        return unsupported("fork", provider.fork(&source.id, copy).await);
    };
    let way = files::way(context);
    if let Some(way) = way {
        files::write(context, way, &source.id, "in", "both").await?;
    }
    let forked = provider.fork(&source.id, copy.clone()).await?;
    same("the labels of the fork", &forked.labels, &copy.labels)?;
    let running = provider.inspect(&source.id).await?.state == ContainerState::Running;
    same("whether the source still runs", &running, &!claimed.stops_source)?;
    // With a token of its own.
    let before = context.healthy(&copy, &forked.id).await?;
    if let Some(way) = way {
        let seen = files::read(context, way, &forked.id, "in").await?;
        same("the file of the source", &seen, &Some(b"both".to_vec()))?;
    }
    let again = provider.fork(&source.id, copy.clone()).await?;
    same("the id of a repeated fork", &again.id, &forked.id)?;
    let after = context.healthy(&copy, &again.id).await?;
    same("the agent server's instance", &after.instance, &before.instance)?;
    same("the number of containers", &context.listed().await?.len(), &2)?;
    let never = ContainerId("agc-never-was-g1".to_owned());
    let of_nothing = provider.fork(&never, context.new_session()).await;
    refused("a fork of what is not there", of_nothing, ErrorKind::NotFound)?;
    Ok(Outcome::Passed)
}

/// `extend` moves the end of a container's life.
pub async fn extend_is_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let container = context.running(&context.new_session()).await?;
    let more = Duration::from_secs(120);
    let extended = provider.extend(&container.id, more).await;
    if !provider.info().capabilities.lifetime.extendable {
        return unsupported("extend", extended);
    }
    let left = extended?.expires_at.map(|at| at.duration_since(jiff::Timestamp::now()));
    let enough = left.is_some_and(|left| left >= jiff::SignedDuration::from_secs(110));
    check(enough, format!("extended by {more:?}, the container ends in {left:?}"))?;
    Ok(Outcome::Passed)
}

/// Logs have what the agent server wrote. Followed ones end with the container. From any place in them one can read on.
pub async fn logs_are_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let mut spec = context.new_session();
    // So that it has something to say.
    spec.env.insert("AGCLUSTER_LOG".to_owned(), "info".to_owned());
    let container = context.running(&spec).await?;
    let claimed = provider.info().capabilities.logs;
    let Some(claimed) = claimed else {
        let answer = provider.logs(&container.id, LogOptions::default()).await;
        return unsupported("logs", answer.map(|_| ()));
    };
    let read = async |options: LogOptions| -> Result<usize, Failed> {
        let mut lines = provider.logs(&container.id, options).await?;
        let mut bytes = 0;
        while let Some(line) = lines.next().await {
            bytes += line?.bytes.len();
        }
        Ok(bytes)
    };
    let patience = context.patience();
    let bounded = async |options: LogOptions| match tokio::time::timeout(patience, read(options)).await {
        Ok(bytes) => bytes,
        Err(_) => Err(Failed(format!("logs did not end within {patience:?}"))),
    };
    // A line may come to the platform's log a moment after it was written.
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let some = tokio::time::timeout(patience, async {
        loop {
            looks.tick().await;
            match bounded(LogOptions::default()).await {
                Ok(0) => {}
                other => return other,
            }
        }
    });
    let none = |_| Failed("the logs of a running agent server are empty".to_owned());
    let before = some.await.map_err(none)??;
    if claimed.follow {
        let ended = async {
            let following = bounded(LogOptions { follow: true, ..LogOptions::default() });
            let stopped = async { Ok(provider.stop(&container.id, StopOptions::default()).await?) };
            let (followed, ()) = futures::try_join!(following, stopped)?;
            Ok::<_, Failed>(followed)
        };
        check(ended.await? >= before, "followed logs have less than those that were there")?;
        check(bounded(LogOptions::default()).await? >= before, "the logs of a stopped container are gone")?;
        let all = provider.logs(&container.id, LogOptions::default()).await?;
        let all: Vec<LogLine> = all.try_collect().await?;
        for (index, line) in all.iter().enumerate() {
            let place = line.place.ok_or_else(|| Failed("a piece of a log has no place".to_owned()))?;
            let options = LogOptions { after: Some(place), ..LogOptions::default() };
            let rest = provider.logs(&container.id, options).await?;
            let rest: Vec<LogLine> = rest.try_collect().await?;
            let bytes = |lines: &[LogLine]| -> Vec<u8> {
                lines.iter().filter(|line| !line.seen).flat_map(|line| line.bytes.to_vec()).collect()
            };
            check(
                bytes(&rest) == bytes(&all[index + 1..]),
                "behind a place in a log comes not what follows it there",
            )?;
        }
        let elsewhere = LogPlace::in_log("another container's", 0);
        let options = LogOptions { after: Some(elsewhere), ..LogOptions::default() };
        refused(
            "logs behind another container's",
            provider.logs(&container.id, options).await,
            ErrorKind::Gone,
        )?;
    }
    Ok(Outcome::Passed)
}

/// Measurements make sense, and are had of what runs only.
pub async fn stats_are_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let mut spec = context.new_session();
    let limit = 256 << 20;
    spec.resources = Resources { memory_bytes: Some(limit), ..Resources::default() };
    let container = context.running(&spec).await?;
    let claimed = provider.info().capabilities;
    if !claimed.stats {
        return unsupported("stats", provider.stats(&container.id).await);
    }
    let stats = provider.stats(&container.id).await?;
    check(stats.cpu_nanos > 0, "no processor time was used")?;
    let some = stats.memory_bytes > 0 && stats.memory_bytes <= limit;
    check(some || !claimed.limits.memory, format!("the memory in use is {}", stats.memory_bytes))?;
    if claimed.limits.memory {
        same("the memory limit", &stats.memory_limit_bytes, &Some(limit))?;
    }
    provider.stop(&container.id, StopOptions::default()).await?;
    refused("stats of a stopped container", provider.stats(&container.id).await, ErrorKind::Gone)?;
    provider.destroy(&container.id, DestroyOptions::default()).await?;
    Ok(Outcome::Passed)
}
