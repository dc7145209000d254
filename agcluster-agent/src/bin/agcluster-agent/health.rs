//! The `healthcheck` command.

use std::time::Duration;

use crate::Failure;

pub(crate) fn check(url: &str) -> Result<(), Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system(error.to_string()))?;
    let url = format!("{}/health", url.trim_end_matches('/'));
    runtime.block_on(async {
        // Only plain HTTP on this machine: no certificates are needed, nor looked for.
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(Duration::from_secs(5));
        let client = client.build().map_err(|error| Failure::system(error.to_string()))?;
        let answer = client.get(&url).send().await.and_then(reqwest::Response::error_for_status);
        answer
            .map(drop)
            .map_err(|error| Failure::system(format!("no healthy agent server at {url}: {error}")))
    })
}
