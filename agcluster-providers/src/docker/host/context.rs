//! Contexts of the `docker` command: named engines in its folder.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Certificates, Host};
use crate::docker::names::hex;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Settings {
    #[serde(rename = "currentContext")]
    current_context: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: DockerEndpoint,
}

#[derive(Deserialize)]
struct DockerEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// The name of the context in use; `None` is the default one, which is no file.
pub(super) fn chosen(from_environment: Option<String>, folder: &Path) -> Result<Option<String>, String> {
    let name = match from_environment {
        Some(name) => name,
        None => {
            let path = folder.join("config.json");
            match fs::read(&path) {
                Ok(text) => {
                    let settings: Settings = serde_json::from_slice(&text)
                        .map_err(|_| format!("{} is not valid JSON: mend or remove it", path.display()))?;
                    settings.current_context
                }
                Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
                Err(_) => return Err(format!("{} cannot be read: mend its permissions", path.display())),
            }
        }
    };
    Ok(Some(name).filter(|name| !name.is_empty() && name != "default"))
}

/// The engine of a context.
pub(super) fn read(name: &str, folder: &Path) -> Result<Host, String> {
    let id = hex(&Sha256::digest(name.as_bytes()));
    let meta = folder.join("contexts/meta").join(&id).join("meta.json");
    let text = fs::read(&meta).map_err(|_| {
        format!("the Docker context {name:?} is not there: choose another with DOCKER_CONTEXT or `docker context use`")
    })?;
    let meta: Meta = serde_json::from_slice(&text)
        .map_err(|_| format!("the Docker context {name:?} has no Docker endpoint: choose another"))?;
    let endpoint = meta.endpoints.docker;
    if endpoint.skip_tls_verify {
        return Err(format!(
            "the Docker context {name:?} skips the check of certificates, which is not supported: give it a CA"
        ));
    }
    let certificates = Certificates::within(&folder.join("contexts/tls").join(&id).join("docker"));
    let tls = certificates.ca.exists().then_some(certificates);
    Host::parse(&endpoint.host, tls).map_err(|reason| format!("the Docker context {name:?}: {reason}"))
}
