//! What a scripted model API is started with.

use std::net::{Ipv4Addr, SocketAddr};

/// How the server listens, whom it lets in and what it plays.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to bind. Default `127.0.0.1:0`, a free port on the loopback interface. Use `0.0.0.0:0` when
    /// containers must reach it through the gateway of their network.
    pub listen: SocketAddr,
    /// Accepted API keys. Empty (the default) accepts any key; a request without any key is refused always.
    pub api_keys: Vec<String>,
    /// Answer prompts without directives with a canned little program. See the demo script in
    /// [`script`](super::script).
    pub demo: bool,
    /// How many requests are kept for questions; older ones are forgotten. Default 10 000.
    pub keep_requests: usize,
    /// How many bytes of request bodies are kept; older requests are forgotten. Default 256 MiB.
    pub keep_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_keys: Vec::new(),
            demo: false,
            keep_requests: 10_000,
            keep_bytes: 256 * 1024 * 1024,
        }
    }
}
