//! What the platform has, against what there should be: as the platform itself shows it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use agcluster_core::provider::{LABEL_CLUSTER, LABEL_GENERATION, LABEL_SESSION};
use agcluster_tests::system::{Installation, Provider};
use anyhow::{Context, Result};
use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListVolumesOptions};

/// How long the server may take to remove what nobody owns.
const REMOVAL: Duration = Duration::from_secs(30);

/// Sessions that there should be, with their generations.
pub(crate) type Expected = BTreeMap<String, u64>;

/// What is there too much or too little, once the server had time to remove what nobody owns.
///
/// # Errors
/// When the platform cannot be looked at.
pub(crate) async fn differences(installation: &Installation, expected: &Expected) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            found = look(installation, expected).await?;
            if found.is_empty() {
                return Ok(());
            }
        }
    };
    match tokio::time::timeout(REMOVAL, looking).await {
        Ok(Err(error)) => Err(error),
        _ => Ok(found),
    }
}

async fn look(installation: &Installation, expected: &Expected) -> Result<Vec<String>> {
    match installation.provider() {
        Provider::Docker => of_docker(installation.cluster(), expected).await,
        _ => of_processes(&installation.state_folder().context("no state folder")?, expected),
    }
}

async fn of_docker(cluster: &str, expected: &Expected) -> Result<Vec<String>> {
    let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
    let filters = Some(HashMap::from([("label".to_owned(), vec![format!("{LABEL_CLUSTER}={cluster}")])]));
    let all =
        ListContainersOptions { all: true, filters: filters.clone(), ..ListContainersOptions::default() };
    let mut containers: Vec<(String, u64)> = Vec::new();
    for container in docker.list_containers(Some(all)).await? {
        let labels = container.labels.unwrap_or_default();
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        containers.push((label(LABEL_SESSION), label(LABEL_GENERATION).parse().unwrap_or_default()));
    }
    let volumes =
        docker.list_volumes(Some(ListVolumesOptions { filters })).await?.volumes.unwrap_or_default();
    let volumes = volumes
        .into_iter()
        .map(|volume| volume.labels.get(LABEL_SESSION).cloned().unwrap_or_else(|| volume.name.clone()));
    let mut wrong = compare("container", containers, expected);
    let own = expected.keys().map(|session| (session.clone(), 0)).collect();
    wrong.extend(compare("volume", volumes.map(|session| (session, 0)).collect(), &own));
    Ok(wrong)
}

/// Containers of child processes are named after session and generation, and so is all that belongs to them.
fn of_processes(state: &Path, expected: &Expected) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for folder in ["records", "containers", "workspaces", "locks"] {
        for name in names(&state.join(folder))? {
            let owner = expected.iter().find(|(session, _)| name.contains(session.as_str()));
            let is_past = |generation: u64| {
                matches!(folder, "records" | "containers")
                    && name.split('.').next().is_some_and(|name| !name.ends_with(&format!("-g{generation}")))
            };
            match owner {
                None => wrong.push(format!("file {folder}/{name}")),
                Some((_, generation)) if is_past(*generation) => {
                    wrong.push(format!("file {folder}/{name} of an earlier generation"));
                }
                Some(_) => {}
            }
        }
    }
    let sockets = names(&state.join("run"))?.len();
    if sockets != expected.len() {
        wrong.push(format!("{sockets} sockets for {} sessions", expected.len()));
    }
    wrong.extend(compare("agent server", agent_servers(state)?, expected));
    Ok(wrong)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// The session and generation of every agent server that runs. Its arguments name its container's folder.
fn agent_servers(state: &Path) -> Result<Vec<(String, u64)>> {
    let containers = state.join("containers").display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let program = command.split(|byte| *byte == 0).next().unwrap_or_default();
        if !program.ends_with(b"agcluster-agent") {
            continue;
        }
        let text = String::from_utf8_lossy(&command).into_owned() + &String::from_utf8_lossy(&environment);
        let Some((_, rest)) = text.split_once(&containers) else { continue };
        let name = rest.trim_start_matches('/').split(['/', '\0']).next().unwrap_or_default();
        let Some((session, generation)) = name.strip_prefix("agc-").and_then(|name| name.rsplit_once("-g"))
        else {
            continue;
        };
        found.push((session.to_owned(), generation.parse().unwrap_or_default()));
    }
    Ok(found)
}

/// Each of the expected once, and nothing else.
fn compare(what: &str, there: Vec<(String, u64)>, expected: &Expected) -> Vec<String> {
    let mut counts: BTreeMap<(String, u64), i32> = BTreeMap::new();
    for (session, generation) in expected {
        *counts.entry((session.clone(), *generation)).or_default() -= 1;
    }
    for seen in there {
        *counts.entry(seen).or_default() += 1;
    }
    let wrong = counts.into_iter().filter(|(_, count)| *count != 0);
    wrong
        .map(|((session, generation), count)| {
            let too = if count > 0 { "too many" } else { "missing" };
            format!("{} {what} {too}: {session}, generation {generation}", count.abs())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_and_too_few_are_told() {
        let expected = Expected::from([("s1".to_owned(), 1), ("s2".to_owned(), 2)]);
        assert!(compare("c", vec![("s1".to_owned(), 1), ("s2".to_owned(), 2)], &expected).is_empty());
        let wrong =
            compare("c", vec![("s1".to_owned(), 1), ("s1".to_owned(), 1), ("s2".to_owned(), 1)], &expected);
        assert_eq!(
            wrong,
            [
                "1 c too many: s1, generation 1",
                "1 c too many: s2, generation 1",
                "1 c missing: s2, generation 2"
            ]
        );
    }
}
