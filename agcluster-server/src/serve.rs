//! Listening, serving, and stopping without leaving anything behind.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use agcluster_core::agent::TokenKey;
use agcluster_core::config::{ConfigFolder, ConfigStore};
use agcluster_core::provider;
use agcluster_core::session::Sessions;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use std::sync::Arc;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::{DefaultOnFailure, DefaultOnResponse, TraceLayer};
use tracing::Level;

use crate::{AppState, Problem, Readiness, Settings, providers, router};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long open connections may take to end once everything behind them has.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "{address} cannot be listened on: {source}; set API_HOST and API_PORT to an address that is free"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A provider cannot be made.
    #[error(transparent)]
    Provider(#[from] provider::Error),
    /// The operating system does not help.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A server that listens but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    state: AppState,
    settings: Settings,
}

impl Server {
    /// Listens and makes the providers. Docker need not be there: then `/ready` says so, and launches fail with a reason.
    ///
    /// # Errors
    /// See [`StartError`]; each is one sentence.
    pub async fn bind(settings: Settings) -> Result<Self, StartError> {
        let address = SocketAddr::new(settings.host, settings.port);
        let listener =
            TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let port = listener.local_addr()?.port();
        let cluster = settings.cluster.clone().unwrap_or_else(|| format!("{}-{port}", host_name()));
        let mut sessions = Sessions::builder(providers(&settings).await?).cluster(cluster);
        if let Some(secret) = &settings.secret {
            sessions = sessions.token_key(TokenKey::from_secret(secret));
        }
        let folders = settings.agent_configs.iter().map(ConfigFolder::user).collect();
        let state = AppState {
            sessions: sessions.build()?,
            configs: ConfigStore::open(folders).await,
            defaults: Arc::new(settings.agent_defaults()),
            readiness: Readiness::default(),
            allowed_origins: settings.allowed_origins.iter().map(|origin| origin.trim().to_owned()).collect(),
        };
        if let Some(file) = &settings.port_file {
            // Written beside and renamed, so that whoever waits for it never reads half a number.
            let partial = file.with_extension("partial");
            std::fs::write(&partial, format!("{port}\n"))?;
            std::fs::rename(&partial, file)?;
        }
        Ok(Self { listener, state, settings })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What its handlers work with.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Serves until `stop` ends, then removes every session and answers when they are gone.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self { listener, state, settings } = self;
        tracing::info!(address = %listener.local_addr()?, provider = settings.container_provider.join(","), "listening");
        let sessions = state.sessions.clone();
        tokio::spawn(clean_up_after_earlier_run(sessions.clone()));
        let sweeper = sessions.clone();
        let policy = settings.idle_policy();
        let sweeping = tokio::spawn(async move { sweeper.sweep_forever(policy).await });

        let closing = sessions.clone();
        // Events are small and must not wait for company.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY cannot be set");
            }
        });
        // Made once: given a bare router, axum would copy every route for each connection.
        let serving = axum::serve(listener, router(state).into_make_service())
            .with_graceful_shutdown(async move { closing.shutting_down().await });
        let serving = tokio::spawn(serving.into_future());
        stop.await;
        tracing::info!("stopping: sessions are being removed");
        sessions.shutdown().await;
        sweeping.abort();
        match tokio::time::timeout(DRAIN, serving).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(io::Error::other(error)),
            Err(_) => {
                tracing::warn!("some connections did not end in time");
                Ok(())
            }
        }
    }
}

/// Sessions are kept in memory, so every container of this cluster that is there at the start is an orphan.
async fn clean_up_after_earlier_run(sessions: Sessions) {
    match sessions.destroy_orphans().await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "removed containers that an earlier run left behind"),
        Err(error) => {
            tracing::warn!(%error, "it could not be seen whether an earlier run left containers behind")
        }
    }
}

/// What every request goes through, outermost last.
pub(crate) fn middleware(routes: Router, origins: &[String]) -> Router {
    let trace = TraceLayer::new_for_http()
        .make_span_with(|request: &axum::http::Request<_>| {
            let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
            // The path only: a query string is the user's.
            tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
        })
        .on_response(DefaultOnResponse::new().level(Level::DEBUG))
        .on_failure(DefaultOnFailure::new().level(Level::WARN));
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(trace)
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
        .layer(cors(origins))
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    let detail = "the server made a mistake: report it with the x-request-id of this answer";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    let named = |name| HeaderName::from_static(name);
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            named("x-session-id"),
            named("x-conversation-id"),
            named("last-event-id"),
        ])
        .expose_headers([REQUEST_ID, header::RETRY_AFTER])
        .allow_credentials(true)
        .max_age(Duration::from_secs(600))
}

/// The host's name, for telling clusters apart.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if name.is_empty() { "agcluster".to_owned() } else { name }
}
