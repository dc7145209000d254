//! The HTTP client.

use std::time::Duration;

use reqwest::{Certificate, Client};
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for the API at this URL. Only public addresses are reached through a proxy of the environment.
pub(super) fn client(base: &str) -> reqwest::Result<Client> {
    // Another provider may be installed already; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let direct = Url::parse(base).is_ok_and(|url| is_private(&url));
    let builder = || {
        let builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .user_agent(concat!("agcluster/", env!("CARGO_PKG_VERSION")));
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
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".internal"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_api_is_told_from_the_public_one() {
        for url in ["http://_api.internal:4280/v1", "http://[fdaa::3]:4280/v1", "http://127.0.0.1:1/v1"] {
            assert!(is_private(&url.parse().unwrap()), "{url}");
        }
        assert!(!is_private(&"https://api.machines.dev/v1".parse().unwrap()));
    }
}
