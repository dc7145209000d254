//! What the tests take from their surroundings.
#![allow(dead_code, reason = "not every test takes everything")]

use std::path::PathBuf;

/// A name that no other run has.
pub(crate) fn run_name(what: &str) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("t{}-{what}-{:x}", std::process::id(), now & 0xfff_ffff)
}

/// The agent image.
pub(crate) fn image() -> String {
    std::env::var("AGCLUSTER_TEST_IMAGE").unwrap_or_else(|_| "agcluster/agent:latest".to_owned())
}

/// The agent server as a file.
pub(crate) fn agent_binary() -> PathBuf {
    let path = std::env::var_os("AGCLUSTER_AGENT_BINARY");
    let path = path.expect("set AGCLUSTER_AGENT_BINARY to the path that `cargo xtask agent` prints");
    let path = PathBuf::from(path);
    assert!(path.is_file(), "AGCLUSTER_AGENT_BINARY is {}, which is no file", path.display());
    path
}

/// A folder that any user may pass.
pub(crate) fn state_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::Builder::new().prefix("agc").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

/// What a test needs to talk to a container's agent server.
pub(crate) struct Session {
    pub(crate) spec: agcluster_core::provider::ContainerSpec,
    pub(crate) token: agcluster_core::agent::AgentToken,
}

impl Session {
    /// The first container of a session in a cluster of the test's own.
    pub(crate) fn new(cluster: &str, session: &str) -> Self {
        use agcluster_core::agent::TokenKey;
        use agcluster_core::protocol::{Secret, TOKEN_DIGEST_ENV};
        use agcluster_core::provider::{ContainerSpec, Labels};

        // The same each time, so that another process can say it too.
        let token = TokenKey::from_secret(&Secret::new(cluster)).token(session, 1);
        let mut spec = ContainerSpec::new(Labels {
            cluster: cluster.to_owned(),
            session: session.to_owned(),
            agent: "agent-test".to_owned(),
            generation: 1,
            expires_at: None,
        });
        spec.env.insert(TOKEN_DIGEST_ENV.to_owned(), token.digest());
        Self { spec, token }
    }

    /// A client of its agent server, once that answers.
    pub(crate) async fn client(
        &self,
        provider: &dyn agcluster_core::provider::ContainerProvider,
    ) -> (agcluster_core::agent::AgentClient, agcluster_core::protocol::Health) {
        use agcluster_core::agent::{AgentClient, wait_until_healthy};
        use agcluster_core::provider::ContainerId;

        let id = ContainerId(self.spec.labels.container_name());
        let endpoint = provider.endpoint(&id).await.unwrap();
        let client = AgentClient::new(&endpoint, &self.token).unwrap();
        let health = wait_until_healthy(&client, std::time::Duration::from_secs(30)).await.unwrap();
        (client, health)
    }
}

/// An image that was not made for agents: the one that the agent image was built on, unless said otherwise.
pub(crate) async fn foreign_image(engine: &bollard::Docker) -> String {
    if let Ok(image) = std::env::var("AGCLUSTER_TEST_FOREIGN_IMAGE") {
        return image;
    }
    let config = engine.inspect_image(&image()).await.unwrap().config.unwrap();
    let base = config.labels.unwrap_or_default().remove("agcluster.image.base");
    base.expect("set AGCLUSTER_TEST_FOREIGN_IMAGE to an image without an agent server")
}
