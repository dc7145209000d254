use std::collections::HashMap;
use std::fs;

use super::*;

/// A home folder and an environment of a test's own.
struct World {
    home: tempfile::TempDir,
    vars: HashMap<String, String>,
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let vars = HashMap::from([("HOME".to_owned(), home.path().display().to_string())]);
        Self { home, vars }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    fn file(self, path: &str, content: &str) -> Self {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn find(&self, configured: Option<&str>, sockets: &[&str]) -> Result<Host, String> {
        let var = |name: &str| self.vars.get(name).cloned();
        let sockets = sockets.iter().map(|name| self.home.path().join(name)).collect();
        find(configured, &Surroundings { var: &var, sockets })
    }
}

fn remote_folder() -> String {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(b"remote");
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unix(path: impl Into<PathBuf>) -> Host {
    Host::Unix(path.into())
}

#[test]
fn the_configuration_comes_before_the_environment() {
    let world = World::new().with("DOCKER_HOST", "tcp://elsewhere:1");
    assert_eq!(world.find(Some("unix:///a/b.sock"), &[]), Ok(unix("/a/b.sock")));
}

#[test]
fn docker_host_comes_before_contexts() {
    let world = World::new().with("DOCKER_HOST", "tcp://10.0.0.1").with("DOCKER_CONTEXT", "nowhere");
    assert_eq!(world.find(None, &[]), Ok(Host::Http("10.0.0.1:2375".to_owned())));
}

#[test]
fn an_ipv6_address_gets_the_usual_port() {
    assert_eq!(Host::parse("tcp://[::1]", None), Ok(Host::Http("[::1]:2375".to_owned())));
    assert_eq!(Host::parse("tcp://[::1]:99", None), Ok(Host::Http("[::1]:99".to_owned())));
}

#[test]
fn tls_takes_the_certificates_of_docker_cert_path() {
    let world = World::new()
        .with("DOCKER_HOST", "tcp://10.0.0.1")
        .with("DOCKER_TLS_VERIFY", "1")
        .with("DOCKER_CERT_PATH", "/certs");
    let certificates = Certificates::within(Path::new("/certs"));
    assert_eq!(world.find(None, &[]), Ok(Host::Https { address: "10.0.0.1:2376".to_owned(), certificates }));
}

#[test]
fn https_takes_the_certificates_of_the_docker_folder() {
    let world = World::new().with("DOCKER_HOST", "https://10.0.0.1:9");
    let certificates = Certificates::within(&world.home.path().join(".docker"));
    assert_eq!(world.find(None, &[]), Ok(Host::Https { address: "10.0.0.1:9".to_owned(), certificates }));
}

#[test]
fn ssh_is_refused_with_a_way_out() {
    let reason = World::new().with("DOCKER_HOST", "ssh://me@there").find(None, &[]).unwrap_err();
    assert!(reason.contains("forward the engine's socket"), "{reason}");
}

#[test]
fn the_current_context_is_followed() {
    let meta = format!(".docker/contexts/meta/{}/meta.json", remote_folder());
    let world = World::new()
        .file(".docker/config.json", r#"{"auths": {}, "currentContext": "remote"}"#)
        .file(&meta, r#"{"Name": "remote", "Metadata": {}, "Endpoints": {"docker": {"Host": "unix:///r.sock", "SkipTLSVerify": false}}}"#);
    assert_eq!(world.find(None, &[]), Ok(unix("/r.sock")));
}

#[test]
fn a_context_with_certificates_means_tls() {
    let meta = format!(".docker/contexts/meta/{}/meta.json", remote_folder());
    let ca = format!(".docker/contexts/tls/{}/docker/ca.pem", remote_folder());
    let world = World::new()
        .with("DOCKER_CONTEXT", "remote")
        .file(&meta, r#"{"Endpoints": {"docker": {"Host": "tcp://10.0.0.1:2376"}}}"#)
        .file(&ca, "");
    let found = world.find(None, &[]).unwrap();
    assert!(
        matches!(found, Host::Https { certificates, .. } if certificates.key.ends_with("docker/key.pem"))
    );
}

#[test]
fn docker_config_moves_the_folder() {
    let meta = format!("elsewhere/contexts/meta/{}/meta.json", remote_folder());
    let world = World::new().file(&meta, r#"{"Endpoints": {"docker": {"Host": "unix:///r.sock"}}}"#);
    let folder = world.home.path().join("elsewhere").display().to_string();
    let world = world.with("DOCKER_CONFIG", &folder).with("DOCKER_CONTEXT", "remote");
    assert_eq!(world.find(None, &[]), Ok(unix("/r.sock")));
}

#[test]
fn an_unknown_context_is_an_error_and_not_the_default_engine() {
    let reason = World::new().with("DOCKER_CONTEXT", "gone").find(None, &["docker.sock"]).unwrap_err();
    assert!(reason.contains("\"gone\" is not there"), "{reason}");
}

#[test]
fn a_context_that_skips_verification_is_refused() {
    let meta = format!(".docker/contexts/meta/{}/meta.json", remote_folder());
    let world = World::new()
        .with("DOCKER_CONTEXT", "remote")
        .file(&meta, r#"{"Endpoints": {"docker": {"Host": "tcp://a:1", "SkipTLSVerify": true}}}"#);
    assert!(world.find(None, &[]).unwrap_err().contains("skips the check"));
}

#[test]
fn the_first_default_socket_that_is_there_is_taken() {
    let world = World::new().with("DOCKER_CONTEXT", "default").file("run/podman.sock", "");
    let expected = world.home.path().join("run/podman.sock");
    assert_eq!(world.find(None, &["run/docker.sock", "run/podman.sock"]), Ok(unix(expected)));
}

#[test]
fn without_any_socket_the_usual_one_is_named() {
    assert_eq!(World::new().find(None, &["run/docker.sock"]), Ok(unix("/var/run/docker.sock")));
}

#[test]
fn default_sockets_follow_the_environment() {
    let var = |name: &str| match name {
        "XDG_RUNTIME_DIR" => Some("/run/user/7".to_owned()),
        "HOME" => Some("/home/u".to_owned()),
        _ => None,
    };
    let expected: Vec<PathBuf> = [
        "/var/run/docker.sock",
        "/run/user/7/docker.sock",
        "/home/u/.docker/run/docker.sock",
        "/run/user/7/podman/podman.sock",
        "/run/podman/podman.sock",
    ]
    .map(PathBuf::from)
    .to_vec();
    assert_eq!(Surroundings::of_process(&var).sockets, expected);
}
