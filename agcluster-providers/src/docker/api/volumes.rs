//! Volumes.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{Volume, VolumeCreateRequest};
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::{Api, Failure, bounded, label_filters};

/// A volume as the engine shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct SeenVolume {
    pub(in super::super) name: String,
    pub(in super::super) labels: HashMap<String, String>,
    pub(in super::super) created_at: Option<String>,
}

impl From<Volume> for SeenVolume {
    fn from(volume: Volume) -> Self {
        Self { name: volume.name, labels: volume.labels, created_at: volume.created_at }
    }
}

impl Api {
    /// The volume of this name, if there is one.
    pub(in super::super) async fn volume(&self, name: &str) -> Result<Option<SeenVolume>, Failure> {
        match bounded(self.timeouts.call(), self.docker.inspect_volume(name)).await {
            Ok(volume) => Ok(Some(volume.into())),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Makes a volume.
    pub(in super::super) async fn create_volume(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        bounded(self.timeouts.change(), self.docker.create_volume(request)).await.map(|_| ())
    }

    /// All volumes with these labels, `key` or `key=value`.
    pub(in super::super) async fn volumes(&self, labels: &[String]) -> Result<Vec<SeenVolume>, Failure> {
        let options = ListVolumesOptionsBuilder::new().filters(&label_filters(labels)).build();
        let listed = bounded(self.timeouts.call(), self.docker.list_volumes(Some(options))).await?;
        Ok(listed.volumes.unwrap_or_default().into_iter().map(SeenVolume::from).collect())
    }

    /// Removes a volume; 404 when there is none, 409 when a container still uses it.
    pub(in super::super) async fn remove_volume(&self, name: &str) -> Result<(), Failure> {
        bounded(self.timeouts.change(), self.docker.remove_volume(name, None::<RemoveVolumeOptions>)).await
    }
}
