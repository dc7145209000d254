//! What only a real engine can show of the `docker` provider: that a container is closed, and that any image will do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agcluster_core::provider::{
    Address, ContainerId, ContainerProvider, DestroyOptions, ErrorKind, ExecOptions, ListFilter,
    PathInContainer, Resources,
};
use agcluster_providers::docker::{DockerConfig, DockerProvider, Reach, Timeouts};
use bollard::Docker;
use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig, Mount, MountType};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveVolumeOptions};
use futures::future::join_all;
use futures::{StreamExt, stream};
use support::Session;

fn config() -> DockerConfig {
    DockerConfig { image: support::image(), ..DockerConfig::default() }
}

fn provider(config: DockerConfig) -> Arc<DockerProvider> {
    Arc::new(DockerProvider::new(config).unwrap())
}

/// The engine itself, to look at what the provider made of it.
fn engine() -> Docker {
    Docker::connect_with_defaults().unwrap()
}

/// Runs a test with a cluster of its own, and removes what is in it afterwards, whatever happened.
async fn in_cluster<Fut: Future<Output = ()> + Send + 'static>(
    config: DockerConfig,
    test: impl FnOnce(Arc<DockerProvider>, String) -> Fut,
) {
    let config_binary = config.agent_binary.clone();
    let (provider, cluster) = (provider(config), support::run_name("docker"));
    let tested = tokio::spawn(test(provider.clone(), cluster.clone())).await;
    for container in provider.list(ListFilter::cluster(cluster)).await.unwrap() {
        provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    }
    if let Some(binary) = config_binary {
        // Gone already, unless the test failed in the middle.
        let _ = engine().remove_volume(&volume_of(&binary), None::<RemoveVolumeOptions>).await;
    }
    if let Err(failed) = tested {
        std::panic::resume_unwind(failed.into_panic());
    }
}

async fn shell(provider: &DockerProvider, id: &ContainerId, script: &str) -> (i32, String) {
    let done = provider.exec(id, ExecOptions::new(["/bin/sh", "-c", script])).await.unwrap();
    (done.exit_code, String::from_utf8(done.stdout).unwrap().trim().to_owned())
}

async fn inspected(id: &ContainerId) -> ContainerInspectResponse {
    engine().inspect_container(&id.0, None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_hardened_and_knows_no_secret() {
    in_cluster(config(), async |provider: Arc<DockerProvider>, cluster: String| {
        let session = Session::new(&cluster, &cluster);
        let id = provider.create(session.spec.clone()).await.unwrap().id;
        let seen = inspected(&id).await;
        let host = seen.host_config.clone().unwrap();
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        let mut added = host.cap_add.unwrap();
        added.iter_mut().for_each(|name| *name = name.trim_start_matches("CAP_").to_owned());
        assert_eq!(added, ["CHOWN", "KILL", "SETGID", "SETUID"]);
        assert_eq!((host.readonly_rootfs, host.privileged), (Some(true), Some(false)));
        assert_eq!(host.security_opt, Some(vec!["no-new-privileges".to_owned()]));
        assert_eq!((host.memory, host.memory_swap), (Some(4 << 30), Some(4 << 30)));
        assert_eq!((host.cpu_period, host.cpu_quota), (Some(100_000), Some(200_000)));
        assert_eq!(host.pids_limit, Some(512));
        let log = host.log_config.unwrap();
        assert_eq!(log.typ.as_deref(), Some("json-file"));
        let size = ("max-size".to_owned(), "10m".to_owned());
        assert_eq!(log.config, Some(HashMap::from([size, ("max-file".to_owned(), "3".to_owned())])));
        assert!(
            host.port_bindings.unwrap_or_default().is_empty() && host.binds.unwrap_or_default().is_empty()
        );
        let settings = seen.config.clone().unwrap();
        for (name, value) in session.spec.labels.to_map() {
            assert_eq!(settings.labels.as_ref().unwrap().get(&name), Some(&value));
        }
        // All that differs from the image's environment is the token's digest; the token itself is nowhere.
        let image = engine().inspect_image(&support::image()).await.unwrap().config.unwrap().env.unwrap();
        let own: Vec<_> =
            settings.env.unwrap().into_iter().filter(|variable| !image.contains(variable)).collect();
        assert_eq!(own, [format!("AGCLUSTER_TOKEN_SHA256={}", session.token.digest())]);
        let everything = serde_json::to_string(&seen).unwrap();
        assert!(!everything.contains(session.token.secret().expose()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_inside_only_the_agents_own_folders_can_be_written() {
    in_cluster(config(), async |provider: Arc<DockerProvider>, cluster: String| {
        let id = provider.create(Session::new(&cluster, &cluster).spec).await.unwrap().id;
        assert_eq!(shell(&provider, &id, "id -u; id -g; id -G").await.1, "1000\n1000\n1000");
        let status =
            shell(&provider, &id, "grep -E 'CapEff|CapPrm|NoNewPrivs|Seccomp:' /proc/self/status").await.1;
        let fields: Vec<_> = status.split_whitespace().collect();
        let expected = [
            "CapPrm:",
            "0000000000000000",
            "CapEff:",
            "0000000000000000",
            "NoNewPrivs:",
            "1",
            "Seccomp:",
            "2",
        ];
        assert_eq!(fields, expected);
        for folder in ["/", "/etc", "/usr/local/bin", "/var", "/run"] {
            assert_ne!(shell(&provider, &id, &format!("touch {folder}/x 2>&1")).await.0, 0, "{folder}");
        }
        let run = "printf '#!/bin/sh\\necho ran' > $0/x && chmod +x $0/x && $0/x";
        for folder in ["/workspace", "/tmp", "/home/agent"] {
            let script = run.replace("$0", folder);
            assert_eq!(shell(&provider, &id, &script).await, (0, "ran".to_owned()), "{folder}");
        }
        assert_ne!(shell(&provider, &id, &run.replace("$0", "/var/tmp")).await.0, 0);
        let mounts =
            shell(&provider, &id, "grep -E ' (/tmp|/run|/var/tmp|/home/agent) ' /proc/mounts").await.1;
        assert_eq!(mounts.lines().count(), 4, "{mounts}");
        assert!(mounts.lines().all(|mount| mount.contains("nosuid,nodev")), "{mounts}");
        // The agent server is root, and a process of the agent's cannot look into it.
        assert_ne!(shell(&provider, &id, "cat /proc/1/environ").await.0, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_reach_the_host_and_not_each_other() {
    in_cluster(config(), async |provider: Arc<DockerProvider>, cluster: String| {
        let (one, other) = (
            Session::new(&cluster, &format!("{cluster}-a")),
            Session::new(&cluster, &format!("{cluster}-b")),
        );
        let one_id = provider.create(one.spec.clone()).await.unwrap().id;
        let other_id = provider.create(other.spec.clone()).await.unwrap().id;
        one.client(&*provider).await;
        other.client(&*provider).await;
        let Address::Http(target) = provider.endpoint(&other_id).await.unwrap().address else {
            panic!("no URL")
        };
        let ask = |seconds: u32, url: &str| {
            format!(
                "curl --silent --max-time {seconds} --output /dev/null --write-out '%{{http_code}}' {url}"
            )
        };
        let itself = shell(&provider, &one_id, &ask(60, "http://127.0.0.1:3000/health")).await;
        assert_eq!(itself, (0, "200".to_owned()));
        let neighbour = shell(&provider, &one_id, &ask(3, &format!("{target}health"))).await;
        assert_eq!(neighbour, (28, "000".to_owned()), "a container reached another one");
        // Its network works all the same.
        let host = wiremock::MockServer::builder()
            .listener(std::net::TcpListener::bind("0.0.0.0:0").unwrap())
            .start()
            .await;
        let port = host.address().port();
        let host = shell(&provider, &one_id, &ask(60, &format!("http://host.docker.internal:{port}/"))).await;
        assert_eq!(host, (0, "404".to_owned()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_port_is_published_on_this_machine_only() {
    let config = DockerConfig { reach: Reach::PublishedPort, ..config() };
    in_cluster(config, async |provider: Arc<DockerProvider>, cluster: String| {
        let session = Session::new(&cluster, &cluster);
        let id = provider.create(session.spec.clone()).await.unwrap().id;
        let Address::Http(url) = provider.endpoint(&id).await.unwrap().address else { panic!("no URL") };
        assert_eq!(url.host_str(), Some("127.0.0.1"));
        session.client(&*provider).await;
        let ports = inspected(&id).await.network_settings.unwrap().ports.unwrap();
        let bound: Vec<_> = ports["3000/tcp"].clone().unwrap().into_iter().map(|port| port.host_ip).collect();
        assert_eq!(bound, [Some("127.0.0.1".to_owned())]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_limit_is_enforced_or_warned_of() {
    in_cluster(config(), async |provider: Arc<DockerProvider>, cluster: String| {
        let mut spec = Session::new(&cluster, &cluster).spec;
        spec.resources = Resources { storage_bytes: Some(16 << 20), ..Resources::default() };
        let container = provider.create(spec).await.unwrap();
        let can = provider.info().capabilities.limits.storage;
        let warned = container.warnings.iter().any(|warning| warning.starts_with("the storage limit of 16m"));
        assert_ne!(can, warned, "{:?}", container.warnings);
        let filled = shell(&provider, &container.id, "head -c 33554432 /dev/zero > /workspace/x").await.0;
        assert_eq!(filled != 0, can, "what the capabilities say of storage is not true");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_into_the_workspace_only_and_errors_say_so() {
    in_cluster(config(), async |provider: Arc<DockerProvider>, cluster: String| {
        let id = provider.create(Session::new(&cluster, &cluster).spec).await.unwrap().id;
        let nothing = || stream::iter([Ok(bytes::Bytes::from(vec![0; 1024]))]).boxed();
        let path = |text: &str| PathInContainer::new(text).unwrap();
        provider.write_archive(&id, path("/workspace"), nothing()).await.unwrap();
        let error = provider.write_archive(&id, path("/etc"), nothing()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Precondition);
        assert!(error.message().contains("/workspace only"), "{error}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_made_when_it_is_missing_also_when_many_need_it_at_once() {
    let network = support::run_name("network");
    let config = DockerConfig { network: network.clone(), ..config() };
    let other = config.clone();
    let name = network.clone();
    in_cluster(config, async move |provider: Arc<DockerProvider>, cluster: String| {
        for round in ["missing", "removed behind the provider's back"] {
            let sessions: Vec<_> =
                (0..3).map(|number| Session::new(&cluster, &format!("{cluster}-{number}"))).collect();
            // One that knows the network already in the second round, and others that never saw it.
            let providers = [provider.clone(), self::provider(other.clone()), self::provider(other.clone())];
            join_all(sessions.iter().zip(&providers).map(async |(session, provider)| {
                let container = provider.create(session.spec.clone()).await.unwrap();
                session.client(&**provider).await;
                assert_eq!(container.warnings, Vec::<String>::new(), "{round}");
                provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();
            }))
            .await;
            engine().remove_network(&name).await.unwrap();
        }
    })
    .await;
    // When the test failed in the middle.
    let _ = engine().remove_network(&network).await;
}

/// An agent server that no volume holds yet: the built one with a few bytes behind it, which change nothing.
fn new_binary(folder: &Path) -> PathBuf {
    let path = folder.join("agcluster-agent");
    let mut bytes = std::fs::read(support::agent_binary()).unwrap();
    bytes.extend_from_slice(support::run_name("binary").as_bytes());
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The volume that holds an agent server: named after the first twelve digits of its digest.
fn volume_of(binary: &Path) -> String {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(std::fs::read(binary).unwrap());
    let digits: String = digest[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("agcluster-agent-{digits}")
}

/// The volume that holds the agent server of a container.
async fn agent_volume(id: &ContainerId) -> String {
    let mounts = inspected(id).await.mounts.unwrap();
    let mount = mounts.into_iter().find(|mount| mount.destination.as_deref() == Some("/.agcluster")).unwrap();
    assert_eq!(mount.rw, Some(false), "a container could change what others run");
    mount.name.unwrap()
}

async fn remove_volume(name: &str) {
    engine().remove_volume(name, None::<RemoveVolumeOptions>).await.unwrap();
}

async fn foreign(folder: &Path) -> DockerConfig {
    let image = support::foreign_image(&engine()).await;
    DockerConfig { image, agent_binary: Some(new_binary(folder)), ..DockerConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_an_agent_server_gets_one_also_when_many_ask_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = foreign(folder.path()).await;
    let config = foreign.clone();
    in_cluster(foreign, async move |_, cluster: String| {
        // Each with a provider of its own, as if in processes of their own.
        let sessions: Vec<_> =
            (0..3).map(|number| Session::new(&cluster, &format!("{cluster}-{number}"))).collect();
        let launched = join_all(sessions.iter().map(async |session| {
            let provider = provider(config.clone());
            let id = provider.create(session.spec.clone()).await.unwrap().id;
            session.client(&*provider).await;
            (provider, id)
        }))
        .await;
        let volume = agent_volume(&launched[0].1).await;
        assert_eq!(volume, volume_of(config.agent_binary.as_ref().unwrap()));
        for (provider, id) in &launched {
            assert_eq!(agent_volume(id).await, volume);
            let program = shell(provider, id, "/.agcluster/agcluster-agent --version").await;
            assert_eq!(program.0, 0, "{program:?}");
            provider.destroy(id, DestroyOptions::default()).await.unwrap();
        }
        remove_volume(&volume).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_was_pruned_or_half_filled_is_filled_again() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = foreign(folder.path()).await;
    let config = foreign.clone();
    in_cluster(foreign, async move |provider: Arc<DockerProvider>, cluster: String| {
        let session = Session::new(&cluster, &cluster);
        let id = provider.create(session.spec.clone()).await.unwrap().id;
        session.client(&*provider).await;
        let volume = agent_volume(&id).await;
        provider.destroy(&id, DestroyOptions::default()).await.unwrap();

        // Pruned behind the provider's back.
        remove_volume(&volume).await;
        let id = provider.create(session.spec.clone()).await.unwrap().id;
        session.client(&*provider).await;
        provider.destroy(&id, DestroyOptions::default()).await.unwrap();

        // Given up in the middle by a process that died: half a program, no marker, and the lock still held.
        remove_volume(&volume).await;
        half_fill(&volume, &config.image).await;
        let timeouts = Timeouts { call_seconds: 30, ..config.timeouts };
        let later = self::provider(DockerConfig { timeouts, ..config });
        let id = later.create(session.spec.clone()).await.unwrap().id;
        session.client(&*later).await;
        later.destroy(&id, DestroyOptions::default()).await.unwrap();
        remove_volume(&volume).await;
    })
    .await;
}

/// Does what a process does that is killed while it fills a volume.
async fn half_fill(volume: &str, image: &str) {
    let mount = Mount {
        target: Some("/.agcluster".to_owned()),
        source: Some(volume.to_owned()),
        typ: Some(MountType::VOLUME),
        ..Mount::default()
    };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec!["/never-started".to_owned()]),
        host_config: Some(HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    };
    let name = format!("{volume}-filling");
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    engine().create_container(Some(options), body).await.unwrap();
    let mut header = tokio_tar::Header::new_ustar();
    header.set_path("agcluster-agent").unwrap();
    header.set_size(4);
    header.set_mode(0o755);
    header.set_cksum();
    let mut tar = header.as_bytes().to_vec();
    tar.extend_from_slice(b"half");
    tar.resize(4 * 512, 0);
    let options =
        bollard::query_parameters::UploadToContainerOptionsBuilder::new().path("/.agcluster").build();
    let body = bollard::body_full(tar.into());
    engine().upload_to_container(&name, Some(options), body).await.unwrap();
}
