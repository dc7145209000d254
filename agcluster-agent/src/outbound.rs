//! Requests that leave the container on behalf of a program that must not know how they are let in.

use std::time::Duration;

use axum::http::header::{self, HeaderMap, HeaderName};
use reqwest::{Certificate, Client, ClientBuilder};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A client that follows no redirects and trusts the system's certificates, or those of the web where the system has none.
pub(crate) fn client() -> reqwest::Result<Client> {
    // Ignored because it fails only when one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder().build().or_else(|_| builder().tls_certs_only(web_roots()).build())
}

fn builder() -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
}

fn web_roots() -> impl Iterator<Item = Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| Certificate::from_der(root).ok())
}

/// Removes what lets in, and what is meant for the next hop alone.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let usual = [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::HOST,
        header::CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::EXPECT,
    ];
    for name in listed.into_iter().chain(usual) {
        headers.remove(name);
    }
}

/// Why a host did not answer, as the end of a sentence. The error's own text would repeat the whole URL.
pub(crate) fn why(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke off the connection"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_do_without_the_systems_certificates() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        assert!(web_roots().count() > 50);
        assert!(Client::builder().tls_certs_only(web_roots()).build().is_ok());
    }
}
