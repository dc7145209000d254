//! What may have been left behind, as the platform itself shows it and not as our provider does.

use std::collections::HashMap;
use std::path::Path;

use agcluster_core::provider::LABEL_CLUSTER;
use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, ListVolumesOptions};

/// Containers and volumes of clusters whose names begin like this.
pub(super) async fn of_docker(clusters: &str) -> anyhow::Result<Vec<String>> {
    let docker = Docker::connect_with_defaults()?.negotiate_version().await?;
    let filters = Some(HashMap::from([("label".to_owned(), vec![LABEL_CLUSTER.to_owned()])]));
    let ours = |labels: &HashMap<String, String>| {
        labels.get(LABEL_CLUSTER).is_some_and(|cluster| cluster.starts_with(clusters))
    };
    let all =
        ListContainersOptions { all: true, filters: filters.clone(), ..ListContainersOptions::default() };
    let containers = docker.list_containers(Some(all)).await?.into_iter();
    let containers = containers
        .filter(|container| container.labels.as_ref().is_some_and(ours))
        .map(|container| format!("container {:?}", container.names));
    let volumes =
        docker.list_volumes(Some(ListVolumesOptions { filters })).await?.volumes.unwrap_or_default();
    let volumes = volumes
        .into_iter()
        .filter(|volume| ours(&volume.labels))
        .map(|volume| format!("volume {}", volume.name));
    Ok(containers.chain(volumes).collect())
}

/// Where the files of sessions are, below the state folder.
const FOLDERS: [&str; 4] = ["records", "run", "containers", "workspaces"];

/// Files of sessions, and processes. Every process of a session works somewhere beneath the state folder or has its path in
/// its arguments.
pub(super) fn of_processes(state: &Path) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    for folder in FOLDERS.map(|folder| state.join(folder)) {
        // Nothing was ever launched there.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        left.extend(entries.flatten().map(|entry| format!("file {}", entry.path().display())));
    }
    let needle = state.display().to_string();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let command = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command);
        let cwd = std::fs::read_link(path.join("cwd")).unwrap_or_default();
        if command.contains(&needle) || cwd.starts_with(state) {
            left.push(format!("process {}: {}", path.display(), command.replace('\0', " ")));
        }
    }
    Ok(left)
}
