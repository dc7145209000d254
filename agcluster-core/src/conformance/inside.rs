//! What is seen from inside a container, where the platform offers a way to look.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::case::{check, refused, same, unsupported};
use super::files::{self, WORKSPACE, Way};
use super::{Context, Failed, Outcome, Verdict, tar};
use crate::provider::{ContainerId, ErrorKind, ExecOptions, ExecOutput, Isolation, Resources, StopOptions};

fn shell(script: &str) -> ExecOptions {
    ExecOptions::new(["/bin/sh", "-c", script])
}

/// `exec` gives output and exit code of a command, and tells what cannot be run from what failed.
pub async fn exec_is_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let container = context.running(&context.new_session()).await?;
    let id = &container.id;
    if provider.info().capabilities.exec.is_none() {
        return unsupported("exec", provider.exec(id, shell("true")).await);
    }
    let done = provider.exec(id, shell("echo out; echo wrong >&2; exit 3")).await?;
    let expected =
        ExecOutput { exit_code: 3, stdout: b"out\n".to_vec(), stderr: b"wrong\n".to_vec(), truncated: false };
    same("what a command left", &done, &expected)?;
    let tricky = ["printf", "%s", "$HOME; 'x' \"y\"\n"];
    let done = provider.exec(id, ExecOptions::new(tricky)).await?;
    same("an argument with signs of a shell", &done.stdout, &tricky[2].as_bytes().to_vec())?;
    let missing = provider.exec(id, ExecOptions::new(["no-such-command-anywhere"])).await?;
    check(matches!(missing.exit_code, 126 | 127), format!("a missing command ended with {missing:?}"))?;
    provider.stop(id, StopOptions::default()).await?;
    refused("exec in a stopped container", provider.exec(id, shell("true")).await, ErrorKind::Gone)?;
    Ok(Outcome::Passed)
}

/// `exec` keeps no more output than asked for, and ends a command that takes too long.
pub async fn exec_is_bounded(context: &Context) -> Verdict {
    let provider = context.provider();
    if provider.info().capabilities.exec.is_none() {
        return Ok(Outcome::NotClaimed);
    }
    let id = &context.running(&context.new_session()).await?.id;
    let many = ExecOptions { max_output_bytes: 100, ..shell("yes | head -c 1000000") };
    let done = provider.exec(id, many).await?;
    same("the length of what was kept", &done.stdout.len(), &100)?;
    same("whether it says that the rest was cut", &done.truncated, &true)?;
    let begun = Instant::now();
    let slow = shell("echo $$ > /tmp/slow.pid; exec sleep 1000");
    // Long enough for the command to begin also on a busy machine.
    let slow = ExecOptions { timeout: Duration::from_secs(3), ..slow };
    refused("a command that takes too long", provider.exec(id, slow).await, ErrorKind::Timeout)?;
    check(begun.elapsed() < Duration::from_secs(30), "the time-out came much too late")?;
    let alive = provider.exec(id, shell("kill -0 $(cat /tmp/slow.pid)")).await?;
    check(alive.exit_code != 0, "the command that took too long still runs")?;
    Ok(Outcome::Passed)
}

/// What is written as an archive can be read as one, also from a stopped container if that is claimed.
pub async fn archives_are_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    let container = context.running(&context.new_session()).await?;
    let id = &container.id;
    let content = || stream::iter([Ok(Bytes::from(tar::of_file("note", b"read me")))]).boxed();
    let Some(claimed) = provider.info().capabilities.archive else {
        let written = provider.write_archive(id, files::path(WORKSPACE)?, content()).await;
        unsupported("write_archive", written)?;
        let read = provider.read_archive(id, files::path(WORKSPACE)?).await;
        return unsupported("read_archive", read.map(|_| ()));
    };
    provider.write_archive(id, files::path(WORKSPACE)?, content()).await?;
    let note = || files::read(context, Way::Archive, id, "note");
    same("what was written", &note().await?, &Some(b"read me".to_vec()))?;
    check(files::is_absent(context, id, "/workspace/none").await?, "a folder that is not there can be read")?;
    let nowhere = provider.write_archive(id, files::path("/workspace/none")?, content()).await;
    refused("writing into a folder that is not there", nowhere, ErrorKind::NotFound)?;
    provider.stop(id, StopOptions::default()).await?;
    if claimed.while_stopped {
        same("what a stopped container has", &note().await?, &Some(b"read me".to_vec()))?;
    } else {
        let read = provider.read_archive(id, files::path(WORKSPACE)?).await.map(|_| ());
        refused("reading from a stopped container", read, ErrorKind::Gone)?;
    }
    Ok(Outcome::Passed)
}

/// The environment of the spec is in the container. Seen through `exec`.
pub async fn environment_reaches_the_container(context: &Context) -> Verdict {
    if context.provider().info().capabilities.exec.is_none() {
        return Ok(Outcome::NotClaimed);
    }
    let mut spec = context.new_session();
    spec.env.insert("AGCLUSTER_CONFORMANCE".to_owned(), "a b=\"c\"".to_owned());
    let container = context.running(&spec).await?;
    let done = context.provider().exec(&container.id, shell("printf %s \"$AGCLUSTER_CONFORMANCE\"")).await?;
    same("the variable", &done.stdout, &b"a b=\"c\"".to_vec())?;
    Ok(Outcome::Passed)
}

/// Limits that are claimed are really set, as seen from inside; for one that is asked for and not enforced there is a warning.
pub async fn limits_are_as_claimed(context: &Context) -> Verdict {
    let provider = context.provider();
    // Capabilities may be known better after the platform was asked.
    provider.probe().await?;
    let capabilities = provider.info().capabilities;
    let limits = capabilities.limits;
    let asked = Resources {
        cpu_millis: Some(500),
        memory_bytes: Some(256 << 20),
        storage_bytes: Some(32 << 20),
        pids: Some(123),
    };
    let mut spec = context.new_session();
    spec.resources = asked;
    let container = context.running(&spec).await?;
    let unenforced = [limits.cpu, limits.memory, limits.storage, limits.pids]
        .iter()
        .filter(|enforced| !**enforced)
        .count();
    let told = container.warnings.len() >= unenforced;
    check(
        told,
        format!("{unenforced} limits are not enforced, and the warnings are {:?}", container.warnings),
    )?;
    if unenforced == 4 {
        return Ok(Outcome::NotClaimed);
    }
    if capabilities.exec.is_none() {
        return Ok(Outcome::Passed);
    }
    let id = &container.id;
    if limits.memory {
        let files = ["memory.max", "memory/memory.limit_in_bytes"];
        match first_number(context, id, &files).await? {
            // The limit of a virtual machine is its size.
            None if capabilities.isolation == Isolation::VirtualMachine => {
                let (size, limit) =
                    (machine_memory(context, id).await?, asked.memory_bytes.unwrap_or_default());
                let fits = size <= limit && size >= limit / 4 * 3;
                check(fits, format!("the machine has {size} bytes of memory and should have {limit}"))?;
            }
            seen => same("the memory limit inside", &seen, &asked.memory_bytes)?,
        }
    }
    if limits.pids {
        let seen = first_number(context, id, &["pids.max", "pids/pids.max"]).await?;
        same("the process limit inside", &seen, &asked.pids)?;
    }
    if limits.cpu {
        let script = "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us";
        let done = provider.exec(id, shell(script)).await?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let millis = match numbers[..] {
            [quota, period] if period > 0 => Some(quota * 1000 / period),
            _ => None,
        };
        same("the processor limit inside", &millis, &asked.cpu_millis)?;
    }
    if limits.storage {
        let script = "head -c 67108864 /dev/zero > /workspace/too-much";
        let done = provider.exec(id, shell(script)).await?;
        check(done.exit_code != 0, "twice as much as the storage limit could be written")?;
    }
    Ok(Outcome::Passed)
}

/// The number in the first of these files of the control group that is there.
async fn first_number(context: &Context, id: &ContainerId, files: &[&str]) -> Result<Option<u64>, Failed> {
    for file in files {
        let command = ["cat".to_owned(), format!("/sys/fs/cgroup/{file}")];
        let done = context.provider().exec(id, ExecOptions::new(command)).await?;
        if done.exit_code == 0 {
            return Ok(String::from_utf8_lossy(&done.stdout).trim().parse().ok());
        }
    }
    Ok(None)
}

/// How many bytes of memory the machine has that a container is, without what its kernel keeps for itself.
async fn machine_memory(context: &Context, id: &ContainerId) -> Result<u64, Failed> {
    let script = "awk '/^MemTotal:/ { print $2 * 1024 }' /proc/meminfo";
    let done = context.provider().exec(id, shell(script)).await?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    text.trim().parse().map_err(|_| Failed(format!("the machine's memory cannot be read: {done:?}")))
}
