//! The providers of this server, from its settings.

use std::path::Path;

use agcluster_core::provider::{ContainerProvider, Error, ErrorKind, ProviderFactory, ProviderSet};
use serde_json::{Map, Value};
use std::sync::Arc;

use crate::Settings;

/// Makes the default provider and those that are named besides it.
///
/// # Errors
/// An unknown name, listing the known ones, or a configuration file that cannot be read.
pub async fn providers(settings: &Settings) -> Result<ProviderSet, Error> {
    let mut factory = ProviderFactory::new();
    agcluster_providers::register_all(&mut factory);
    let mut set = ProviderSet::of(provider(&factory, settings, &settings.container_provider).await?);
    for name in settings.providers.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if name != settings.container_provider {
            set = set.with(provider(&factory, settings, name).await?);
        }
    }
    Ok(set)
}

async fn provider(
    factory: &ProviderFactory,
    settings: &Settings,
    name: &str,
) -> Result<Arc<dyn ContainerProvider>, Error> {
    let mut config = if factory.knows(name) { read(&settings.provider_configs, name)? } else { Map::new() };
    if name == "docker" {
        // The file says how; what the environment names wins.
        config.insert("image".to_owned(), settings.agent_image.clone().into());
        config.insert("network".to_owned(), settings.docker_network.clone().into());
    }
    factory.create(name, Value::Object(config)).await
}

/// The configuration file of a provider; empty when there is none.
fn read(folder: &Path, name: &str) -> Result<Map<String, Value>, Error> {
    let path = folder.join(format!("{name}.yaml"));
    let invalid = |message: String| Error::new(ErrorKind::Invalid, "factory", "configure", message);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(invalid(format!("{} cannot be read: {error}", path.display()))),
    };
    match serde_saphyr::from_str::<Option<Map<String, Value>>>(&text) {
        Ok(config) => Ok(config.unwrap_or_default()),
        Err(error) => Err(invalid(format!("{} is not valid: {error}", path.display()))),
    }
}
