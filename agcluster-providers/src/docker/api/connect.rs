//! Connecting: transport, version, facts.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bollard::errors::Error as BollardError;
use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion, VolumeCreateRequest};
use bollard::query_parameters::RemoveVolumeOptions;
use bollard::{BollardRequest, ClientVersion, Docker};

use super::{Api, EngineLimits, Facts, Failure, Host, Timeouts, bounded};

/// The oldest version that has everything needed (engine 20.10, Podman 4).
const OLDEST: ClientVersion = ClientVersion { major_version: 1, minor_version: 41 };
/// The newest version whose answers are understood.
const NEWEST: ClientVersion = *bollard::API_DEFAULT_VERSION;

/// A volume that exists for a moment, to see whether the engine can bound volumes.
const TRIAL_VOLUME: &str = "agcluster-size-trial";

impl Api {
    /// Connects and finds out what the engine is.
    pub(in super::super) async fn connect(host: Host, timeouts: Timeouts) -> Result<Self, Failure> {
        let prefix = Arc::new(OnceLock::new());
        let docker = transport(&host, timeouts)?.with_request_modifier({
            let prefix = prefix.clone();
            move |request| with_version(request, prefix.get())
        });
        let version = bounded(timeouts.probe(), docker.version()).await?;
        let agreed = agree(&version)?;
        // Set once, before anybody else has the connection.
        let _ = prefix.set(format!("/v{agreed}"));
        let info = bounded(timeouts.call(), docker.info()).await?;
        if info.os_type.as_deref().is_some_and(|os| os != "linux") {
            return Err(Failure::Setup(
                "the engine runs Windows containers: switch it to Linux ones".to_owned(),
            ));
        }
        let mut facts = facts(&version, &info);
        // Podman takes a size wherever its volumes lie, and does not hold it.
        facts.limits.storage = !facts.podman && bounds_volumes(&docker, timeouts).await?;
        tracing::info!(engine = %host, version = %facts.version, api = %agreed, "connected to the container engine");
        Ok(Self { docker, timeouts, host, facts })
    }

    /// Whether the engine answers, within the time for probes.
    pub(in super::super) async fn ping(&self) -> Result<(), Failure> {
        bounded(self.timeouts.probe(), self.docker.ping()).await.map(|_| ())
    }
}

/// How requests get to the engine. Contacts nobody, except that a socket must be there.
fn transport(host: &Host, timeouts: Timeouts) -> Result<Docker, Failure> {
    // The time-outs that count are ours, one for each call; this one is only never shorter.
    let longest = timeouts.archive_seconds.max(timeouts.change_seconds).saturating_add(600);
    let connected = match host {
        Host::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), longest, &NEWEST),
        Host::Http(address) => Docker::connect_with_http(&format!("http://{address}"), longest, &NEWEST),
        Host::Https { address, certificates } => {
            // Without a process-wide provider of cryptography bollard would panic; an earlier one stays.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let found = [&certificates.key, &certificates.cert, &certificates.ca];
            if let Some(missing) = found.into_iter().find(|path| !path.is_file()) {
                let missing = missing.display();
                return Err(Failure::Setup(format!(
                    "{missing} is missing: put it there, or set DOCKER_CERT_PATH"
                )));
            }
            let [key, cert, ca] = found;
            Docker::connect_with_ssl(&format!("https://{address}"), key, cert, ca, longest, &NEWEST)
        }
    };
    connected.map_err(|error| match error {
        BollardError::SocketNotFoundError(_) => error.into(),
        _ => Failure::Setup(
            "the engine's certificates cannot be read: check that they are PEM files".to_owned(),
        ),
    })
}

/// bollard sends no version, so an engine would answer in its newest; this puts the agreed one in front of the path.
fn with_version(request: BollardRequest, prefix: Option<&String>) -> BollardRequest {
    let Some(prefix) = prefix else { return request };
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut uri = head.uri.clone().into_parts();
    // A path with a prefix of ASCII letters and dots is a path.
    if let Ok(path) = format!("{prefix}{path}").parse() {
        uri.path_and_query = Some(path);
        if let Ok(uri) = uri.try_into() {
            head.uri = uri;
        }
    }
    BollardRequest::from_parts(head, body)
}

/// The newest version both sides know.
fn agree(version: &SystemVersion) -> Result<ClientVersion, Failure> {
    let read = |text: &Option<String>| -> Option<ClientVersion> {
        let (major, minor) = text.as_deref()?.split_once('.')?;
        Some(ClientVersion { major_version: major.parse().ok()?, minor_version: minor.parse().ok()? })
    };
    let newest = read(&version.api_version)
        .ok_or_else(|| Failure::Nonsense("what answers is no container engine".to_owned()))?;
    if newest < OLDEST {
        return Err(Failure::Setup(format!(
            "the engine speaks API {newest} and {OLDEST} is needed: upgrade it to Docker 20.10, Podman 4 or newer"
        )));
    }
    let oldest = read(&version.min_api_version).unwrap_or(OLDEST);
    if oldest > NEWEST {
        return Err(Failure::Setup(format!(
            "the engine no longer speaks API {NEWEST}: use a newer AgCluster or an older engine"
        )));
    }
    Ok(if newest < NEWEST { newest } else { NEWEST })
}

fn facts(version: &SystemVersion, info: &SystemInfo) -> Facts {
    let components = version.components.as_deref().unwrap_or_default();
    let podman = components.iter().any(|component| component.name.starts_with("Podman"));
    let product = if podman { "Podman" } else { "Docker" };
    let options = info.security_options.as_deref().unwrap_or_default();
    // Podman leaves these out where it can limit, Docker where it cannot.
    let can = |said: Option<bool>| said.unwrap_or(podman);
    Facts {
        version: format!("{product} {}", version.version.as_deref().unwrap_or("of unknown version")),
        podman,
        rootless: options.iter().any(|option| option.contains("rootless")),
        desktop: info.operating_system.as_deref().is_some_and(|os| os.contains("Docker Desktop")),
        limits: EngineLimits {
            cpu: can(info.cpu_cfs_quota),
            memory: can(info.memory_limit),
            swap: can(info.swap_limit)
                || info.cgroup_version == Some(SystemInfoCgroupVersionEnum::_2) && can(info.memory_limit),
            pids: can(info.pids_limit),
            storage: false,
        },
    }
}

/// Whether the engine can bound the size of a volume. It does not tell beforehand: it depends on the file system
/// under its folder and on how that is mounted.
async fn bounds_volumes(docker: &Docker, timeouts: Timeouts) -> Result<bool, Failure> {
    let request = VolumeCreateRequest {
        name: Some(TRIAL_VOLUME.to_owned()),
        driver: Some("local".to_owned()),
        driver_opts: Some(HashMap::from([("size".to_owned(), (16 << 20).to_string())])),
        ..VolumeCreateRequest::default()
    };
    match bounded(timeouts.call(), docker.create_volume(request)).await {
        Ok(_) => {
            let removed =
                bounded(timeouts.call(), docker.remove_volume(TRIAL_VOLUME, None::<RemoveVolumeOptions>));
            match removed.await {
                // Another process may be trying at the same time.
                Err(failure) if !failure.is_not_found() && failure.status() != 409 => Err(failure),
                _ => Ok(true),
            }
        }
        Err(Failure::Refused { .. }) => Ok(false),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(newest: &str, oldest: &str) -> SystemVersion {
        SystemVersion {
            api_version: Some(newest.to_owned()),
            min_api_version: Some(oldest.to_owned()),
            ..SystemVersion::default()
        }
    }

    #[test]
    fn the_older_side_decides_the_version() {
        assert_eq!(agree(&version("1.41", "1.12")).unwrap().to_string(), "1.41");
        assert_eq!(agree(&version("1.99", "1.44")).unwrap(), NEWEST);
    }

    #[test]
    fn too_old_and_too_new_say_what_to_upgrade() {
        let old = agree(&version("1.40", "1.12")).unwrap_err().to_string();
        assert!(old.contains("upgrade it to Docker 20.10"), "{old}");
        let new = agree(&version("9.0", "8.0")).unwrap_err().to_string();
        assert!(new.contains("use a newer AgCluster"), "{new}");
        assert!(matches!(agree(&SystemVersion::default()), Err(Failure::Nonsense(_))));
    }
}
