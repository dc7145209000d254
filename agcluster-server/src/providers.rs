//! The providers of this server, from its settings: which there are, and what those lack that there are not.

mod config;
mod expand;

use std::sync::Arc;

use agcluster_core::provider::{ContainerProvider, Error, ErrorKind, ProviderFactory, ProviderSet, Result};
use serde_json::{Map, Value};

use self::config::Found;
use crate::stack::{self, LayerSettings};
use crate::{Environment, Settings};

/// Platforms that run agents on the server's own machine, with its files and its network. Whoever may launch could choose one, so each must be
/// named by whoever runs the server.
const UNCONFINED: [&str; 2] = ["memory", "process"];

/// Makes a provider of every platform that is configured, with the server's layers around each.
///
/// A platform is configured when it is named in `CONTAINER_PROVIDER` or `AGCLUSTER_PROVIDERS`, when its file is in the folder, or when the environment
/// has one of its settings. One that is named must be fit to use. Any other that is not is in the set with what it lacks, and keeps
/// nobody from launching elsewhere.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a name that no platform has, listing the known ones; the error of a named platform that cannot be made.
pub async fn providers(settings: &Settings) -> Result<ProviderSet> {
    providers_of(&known_platforms(), settings).await
}

/// Every platform that was compiled in.
pub(crate) fn known_platforms() -> ProviderFactory {
    let mut factory = ProviderFactory::new();
    agcluster_providers::register_all(&mut factory);
    factory
}

pub(crate) async fn providers_of(factory: &ProviderFactory, settings: &Settings) -> Result<ProviderSet> {
    let names = |names: &[String]| -> Vec<String> {
        names.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    let (defaults, others) = (names(&settings.container_provider), names(&settings.providers));
    let Some((first, more)) = defaults.split_first() else {
        return Err(invalid(format!(
            "CONTAINER_PROVIDER names no provider: write one of {}",
            known(factory)
        )));
    };
    let mut set = ProviderSet::named(first, make(factory, settings, first).await?);
    for name in more.iter().chain(&others) {
        if set.get(name).is_err() {
            set = set.with_named(name, make(factory, settings, name).await?);
        }
    }
    for name in factory.platforms() {
        if set.get(name).is_ok() {
            continue;
        }
        set = match unnamed(factory, settings, name).await {
            Ok(provider) => set.with_named(name, provider),
            Err(missing) => {
                tracing::debug!(provider = name, missing, "a platform is not configured");
                set.without(name, missing)
            }
        };
    }
    set.with_default(&defaults).map_err(|error| invalid(error.to_string()))
}

fn known(factory: &ProviderFactory) -> String {
    factory.platforms().join(", ")
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, "factory", "configure", message)
}

/// A platform that the server's owner wants.
async fn make(
    factory: &ProviderFactory,
    settings: &Settings,
    name: &str,
) -> Result<Arc<dyn ContainerProvider>> {
    let found = if factory.knows(name) { find(factory, settings, name)? } else { Found::default() };
    build(factory, settings, name, found).await
}

/// A platform that nobody named, or what it lacks.
async fn unnamed(
    factory: &ProviderFactory,
    settings: &Settings,
    name: &str,
) -> Result<Arc<dyn ContainerProvider>, String> {
    let to_name = format!("add {name} to AGCLUSTER_PROVIDERS");
    if UNCONFINED.contains(&name) {
        return Err(format!(
            "it runs agents on the server's own machine, so it must be asked for: {to_name}"
        ));
    }
    let lacks = |error: Error| error.message().to_owned();
    let found = find(factory, settings, name).map_err(lacks)?;
    let is_configured = found.is_configured;
    let provider = build(factory, settings, name, found).await.map_err(lacks)?;
    if is_configured {
        return Ok(provider);
    }
    Err(format!("nothing configures it: {to_name}, or write its {name}.yaml"))
}

fn find(factory: &ProviderFactory, settings: &Settings, name: &str) -> Result<Found> {
    config::find(&settings.provider_configs, name, factory.environment(name), &settings.environment)
}

async fn build(
    factory: &ProviderFactory,
    settings: &Settings,
    name: &str,
    found: Found,
) -> Result<Arc<dyn ContainerProvider>> {
    let mut fields = found.fields;
    let layers = layers(name, &mut fields)?;
    if name == "docker" {
        // The file says how; what the environment names wins.
        fields.insert("image".to_owned(), settings.agent_image.clone().into());
        fields.insert("network".to_owned(), settings.docker_network.clone().into());
    }
    let config = if fields.is_empty() { Value::Null } else { Value::Object(fields) };
    Ok(stack::around(factory.create(name, config).await?, &layers))
}

/// What is for the layers around a platform and not for the platform.
fn layers(name: &str, fields: &mut Map<String, Value>) -> Result<LayerSettings> {
    let Some(layers) = fields.remove("layers") else { return Ok(LayerSettings::default()) };
    let read: LayerSettings = serde_json::from_value(layers)
        .map_err(|error| invalid(format!("layers of {name}: {error}")).with_source(error))?;
    read.check().map_err(|why| invalid(format!("layers of {name}: {why}")))?;
    Ok(read)
}

#[cfg(test)]
mod tests;
