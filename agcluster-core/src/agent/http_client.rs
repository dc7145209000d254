//! The HTTP clients that all sessions share.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Certificate, Client};
use url::{Host, Url};

use super::{AgentError, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection over the internet waits for the next request.
const IDLE_CONNECTION: Duration = Duration::from_secs(10);

/// The client for a URL: containers on private addresses are never reached through a proxy.
pub(super) fn for_url(url: &Url) -> Result<Client> {
    static DIRECT: OnceLock<Client> = OnceLock::new();
    static PROXIED: OnceLock<Client> = OnceLock::new();
    let (cell, direct) = if is_private(url) { (&DIRECT, true) } else { (&PROXIED, false) };
    if let Some(client) = cell.get() {
        return Ok(client.clone());
    }
    let client = build(direct).map_err(|error| AgentError::Unreachable(error.into()))?;
    Ok(cell.get_or_init(|| client).clone())
}

fn build(direct: bool) -> reqwest::Result<Client> {
    // Another provider may be installed already; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        let builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION)
            // On the own machine a new connection costs less than the memory that an idle one holds for each session.
            .pool_max_idle_per_host(usize::from(!direct))
            .tcp_nodelay(true);
        if direct { builder.no_proxy() } else { builder }
    };
    // Without a system certificate store the default cannot be built.
    builder().build().or_else(|_| {
        let roots =
            webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok());
        builder().tls_certs_only(roots).build()
    })
}

fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for url in
            ["http://172.18.0.2:3000", "http://127.0.0.1:1", "http://[fdaa::3]:3000", "http://localhost:1"]
        {
            assert!(is_private(&url.parse().unwrap()), "{url}");
        }
        for url in ["https://app.fly.dev", "http://8.8.8.8"] {
            assert!(!is_private(&url.parse().unwrap()), "{url}");
        }
    }
}
