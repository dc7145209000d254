//! Listening, serving, and stopping without leaving anything behind.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use agcluster_core::config::{ConfigCatalog, ConfigFolder, ConfigStore};
use agcluster_core::provider::{self, ProviderFactory};
use agcluster_core::session::{SessionError, Sessions};
use agcluster_core::store::StoreError;
use agcluster_core::workspace::Tickets;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tracing::Level;

use crate::persistence::Persistence;
use crate::providers::{known_platforms, providers_of};
use crate::request_span::{self, REQUEST_ID};
use crate::settings::OnShutdown;
use crate::{AppState, Problem, Readiness, Settings, metrics, router};

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
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sessions of an earlier run cannot be read.
    #[error(transparent)]
    Sessions(#[from] SessionError),
    /// The key of the containers' tokens cannot be read or made.
    #[error("the token key {} cannot be used: {source}; set AGCLUSTER_DATA_DIR to a folder of this user, or AGCLUSTER_SECRET", file.display())]
    KeyFile {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
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
    keep_sessions: bool,
}

impl Server {
    /// Listens and makes the providers. Docker need not be there: then `/ready` says so, and launches fail with a reason.
    ///
    /// # Errors
    /// See [`StartError`]; each is one sentence.
    pub async fn bind(settings: Settings) -> Result<Self, StartError> {
        Self::bind_with(settings, &known_platforms()).await
    }

    /// The same with platforms of the application's own, or others in place of the usual ones.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn bind_with(settings: Settings, platforms: &ProviderFactory) -> Result<Self, StartError> {
        let address = SocketAddr::new(settings.host, settings.port);
        let listener =
            TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let port = listener.local_addr()?.port();
        // Before anything counts.
        if settings.metrics {
            metrics::recorder();
        }
        let providers = providers_of(platforms, &settings).await?;
        let Persistence { store, key, cluster, is_lasting } = Persistence::open(&settings).await?;
        let sessions = Sessions::builder(providers)
            .store(store)
            .retention(settings.retention())
            .cluster(cluster)
            .token_key(key)
            .approvals(settings.approval_policy())
            .build()?;
        sessions.recover().await?;
        let keep_sessions =
            settings.on_shutdown.map_or(is_lasting, |on_shutdown| on_shutdown == OnShutdown::Keep);
        let folders = settings.agent_configs.iter().map(ConfigFolder::operator).collect();
        let files = ConfigStore::open(folders).await;
        let configs = ConfigCatalog::open(files, sessions.journal().clone()).await?;
        let state = AppState {
            sessions,
            configs,
            defaults: Arc::new(settings.agent_defaults()),
            readiness: Readiness::default(),
            metrics: settings.metrics_access(),
            file_limits: settings.file_limits(),
            allowed_origins: settings.allowed_origins.iter().map(|origin| origin.trim().to_owned()).collect(),
            tickets: Tickets::lasting(Duration::from_secs(settings.terminal_token_lifetime)),
            sockets: TaskTracker::new(),
        };
        if let Some(file) = &settings.port_file {
            // Written beside and renamed, so that whoever waits for it never reads half a number.
            let partial = file.with_extension("partial");
            std::fs::write(&partial, format!("{port}\n"))?;
            std::fs::rename(&partial, file)?;
        }
        Ok(Self { listener, state, settings, keep_sessions })
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

    /// Serves until `stop` ends, then lets go of every session, or removes it and answers when it is gone: see
    /// [`Settings::on_shutdown`].
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self { listener, state, settings, keep_sessions } = self;
        tracing::info!(address = %listener.local_addr()?, provider = settings.container_provider.join(","), "listening");
        let sessions = state.sessions.clone();
        let sockets = state.sockets.clone();
        tokio::spawn(adopt(sessions.clone()));
        let sweeper = sessions.clone();
        let policy = settings.idle_policy();
        let sweeping = tokio::spawn(async move { sweeper.sweep_forever(policy).await });
        let watcher = sessions.clone();
        let policy = settings.watchdog_policy();
        let watching = tokio::spawn(async move { watcher.watch_forever(policy).await });
        let upkeep = settings.metrics.then(|| tokio::spawn(metrics::upkeep()));

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
        if keep_sessions {
            tracing::info!("stopping: sessions go on, and the next start finds them again");
            sessions.release().await;
        } else {
            tracing::info!("stopping: sessions are being removed");
            sessions.shutdown().await;
        }
        sweeping.abort();
        watching.abort();
        upkeep.inspect(tokio::task::JoinHandle::abort);
        sockets.close();
        // WebSockets are not waited for with the other connections.
        let ended = async { tokio::join!(serving, sockets.wait()) };
        let served = match tokio::time::timeout(DRAIN, ended).await {
            Ok((Ok(result), ())) => result,
            Ok((Err(error), ())) => Err(io::Error::other(error)),
            Err(_) => {
                tracing::warn!("some connections did not end in time");
                Ok(())
            }
        };
        sessions.journal().store().close().await;
        served
    }
}

/// Finds out what is true of the sessions that an earlier run left, and says how that went.
async fn adopt(sessions: Sessions) {
    let found = sessions.progress().borrow().found;
    if found == 0 {
        return;
    }
    let begun = tokio::time::Instant::now();
    sessions.adopt().await;
    let settled = sessions.progress().borrow().settled;
    tracing::info!(
        found,
        settled,
        milliseconds = begun.elapsed().as_millis(),
        "adopted the sessions of an earlier run"
    );
}

/// What every request goes through, outermost last.
pub(crate) fn middleware(routes: Router, origins: &[String]) -> Router {
    let trace = TraceLayer::new_for_http()
        .make_span_with(request_span::begin)
        .on_response(request_span::answered)
        .on_failure(DefaultOnFailure::new().level(Level::WARN));
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn(metrics::count))
        .layer(trace)
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, named("x-api-key")]))
        .layer(cors(origins))
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    let detail = "the server made a mistake: report it with the x-request-id of this answer";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}

/// A header that has no constant of its own.
fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        // Which headers a client sends is no secret between it and an origin that may call: SDKs in browsers send their own.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            REQUEST_ID,
            header::RETRY_AFTER,
            header::LOCATION,
            header::ACCEPT_RANGES,
            header::CONTENT_DISPOSITION,
            header::CONTENT_RANGE,
            header::ETAG,
            named("x-session-id"),
            named("x-turn-id"),
        ])
        .allow_credentials(true)
        .max_age(Duration::from_secs(600))
}
