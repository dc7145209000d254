//! What a system may have left behind, as the platform itself shows it and not as our provider does.

use std::collections::HashMap;
use std::path::Path;

use agcluster_core::provider::LABEL_CLUSTER;
use anyhow::ensure;
use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListVolumesOptions};

use super::Provider;

/// Fails when a container, volume, process or folder of this cluster is left.
pub(super) async fn check(provider: Provider, cluster: &str, folder: &Path) -> anyhow::Result<()> {
    match provider {
        Provider::Docker => of_docker(cluster).await,
        Provider::Process => of_processes(folder),
        Provider::Memory => Ok(()),
    }
}

async fn of_docker(cluster: &str) -> anyhow::Result<()> {
    let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
    let filters = Some(HashMap::from([("label".to_owned(), vec![format!("{LABEL_CLUSTER}={cluster}")])]));
    let all =
        ListContainersOptions { all: true, filters: filters.clone(), ..ListContainersOptions::default() };
    let containers = docker.list_containers(Some(all)).await?;
    ensure!(containers.is_empty(), "containers were left: {containers:#?}");
    let volumes =
        docker.list_volumes(Some(ListVolumesOptions { filters })).await?.volumes.unwrap_or_default();
    ensure!(volumes.is_empty(), "volumes were left: {volumes:#?}");
    Ok(())
}

/// Every process of a session works somewhere beneath the state folder or has its path in its arguments.
fn of_processes(folder: &Path) -> anyhow::Result<()> {
    let state = folder.join("state");
    let left: Vec<_> = std::fs::read_dir(&state)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    let sessions: Vec<_> = left.iter().filter(|path| path.join("workspace").exists()).collect();
    ensure!(sessions.is_empty(), "folders were left: {sessions:#?}");
    let needle = state.display().to_string();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let command = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let cwd = std::fs::read_link(path.join("cwd")).unwrap_or_default();
        let ours = String::from_utf8_lossy(&command).contains(&needle) || cwd.starts_with(&state);
        ensure!(
            !ours,
            "process {} was left: {}",
            path.display(),
            String::from_utf8_lossy(&command).replace('\0', " ")
        );
    }
    Ok(())
}
