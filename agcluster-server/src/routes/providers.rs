//! Where sessions can be launched.

use agcluster_core::provider::{Capabilities, Lifetime, Limits};
use axum::Json;
use axum::extract::State;
use futures::future::join_all;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;
use crate::openapi::schemas::{CapabilitiesSchema, LifetimeSchema, LimitsSchema};
use crate::readiness::Health;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The platforms that a server knows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderList {
    /// How many.
    total: usize,
    /// Where a launch goes that names none, in this order.
    default: Vec<String>,
    /// The platforms.
    providers: Vec<ProviderView>,
}

/// A platform.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderView {
    /// Its name in launches.
    name: String,
    /// Whether sessions can be launched there.
    configured: bool,
    /// Whether it is one of the default ones.
    default: bool,
    #[serde(flatten)]
    more: More,
}

/// What else there is to say of a platform.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum More {
    Configured {
        /// What holds there for every container.
        limits: LimitsView,
        /// What it can do.
        #[schema(value_type = CapabilitiesSchema)]
        capabilities: Box<Capabilities>,
        /// Whether it answers.
        health: Health,
    },
    Missing {
        /// What it takes to configure it.
        missing: String,
    },
}

/// What holds for every container of a platform.
#[derive(Debug, Serialize, ToSchema)]
struct LimitsView {
    /// Which limits are enforced.
    #[schema(value_type = LimitsSchema)]
    enforced: Limits,
    /// How long it lives.
    #[schema(value_type = LifetimeSchema)]
    lifetime: Lifetime,
}

/// Lists every platform that this server knows.
///
/// First the default ones in their order, then the others that are configured, with capabilities, limits and health; then those that are not, with what
/// is missing.
#[utoipa::path(
    get, path = "/api/providers", operation_id = "list_providers", tag = "Server",
    responses((status = 200, description = "The platforms", body = ProviderList)),
)]
pub(crate) async fn list(State(state): State<AppState>) -> Json<ProviderList> {
    let set = state.sessions.providers();
    let defaults = set.default_names().to_vec();
    let mut all: Vec<_> = set.iter().collect();
    all.sort_by_key(|(name, _)| defaults.iter().position(|default| default == name).unwrap_or(usize::MAX));
    let configured = all.into_iter().map(async |(name, provider)| {
        let health = state.readiness.of(name, provider.as_ref()).await;
        let capabilities = Box::new(provider.info().capabilities.clone());
        let limits = LimitsView { enforced: capabilities.limits, lifetime: capabilities.lifetime };
        let default = defaults.iter().any(|default| default == name);
        let more = More::Configured { limits, capabilities, health };
        ProviderView { name: name.to_owned(), configured: true, default, more }
    });
    let mut providers = join_all(configured).await;
    providers.extend(set.missing().map(|(name, missing)| ProviderView {
        name: name.to_owned(),
        configured: false,
        default: false,
        more: More::Missing { missing: missing.to_string() },
    }));
    Json(ProviderList { total: providers.len(), default: defaults, providers })
}
