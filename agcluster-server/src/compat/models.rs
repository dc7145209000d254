//! The names of models: a configuration, or `CONFIGURATION/MODEL` for one with another model than its own.

use std::sync::Arc;

use agcluster_core::config::{AgentConfig, ConfigLookupError};
use agcluster_core::protocol::DriverKind;
use agcluster_core::session::Owner;
use axum::http::StatusCode;

use super::about;
use crate::{AppState, Problem};

/// The most names that a refusal lists.
const LISTED: usize = 50;

/// What a request names as its model.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// What runs.
    pub(crate) config: Arc<AgentConfig>,
    /// The model instead of the configuration's own.
    pub(crate) chosen: Option<String>,
}

impl Model {
    /// The name in requests.
    pub(crate) fn id(&self) -> String {
        match &self.chosen {
            None => self.config.id.clone(),
            Some(model) => format!("{}/{model}", self.config.id),
        }
    }

    /// The name for people, who see them in one list.
    pub(crate) fn title(&self) -> String {
        match &self.chosen {
            None => self.config.name.clone(),
            Some(model) => format!("{} ({model})", self.config.name),
        }
    }
}

/// All there are, by name.
pub(crate) fn list(state: &AppState, owner: Option<&Owner>) -> Vec<Model> {
    let configs = state.configs.list(owner);
    let all = configs.iter().flat_map(|entry| {
        let config = &entry.config;
        let models = if calls_model(config) { &state.defaults.models[..] } else { &[] };
        let chosen = std::iter::once(None).chain(models.iter().cloned().map(Some));
        chosen.map(|chosen| Model { config: Arc::clone(config), chosen })
    });
    all.collect()
}

/// The one of this name.
pub(crate) fn find(state: &AppState, owner: Option<&Owner>, name: &str) -> Result<Model, Problem> {
    let (id, chosen) = match name.split_once('/') {
        None => (name, None),
        Some((id, model)) => (id, Some(model)),
    };
    let config = match state.configs.get(owner, id) {
        Err(ConfigLookupError::NotFound(_)) => return Err(not_found(state, owner, name)),
        found => Arc::clone(&found?.config),
    };
    if let Some(model) = chosen {
        let is_known = state.defaults.models.iter().any(|known| known == model);
        if !calls_model(&config) || !(is_known || config.model.as_deref() == Some(model)) {
            return Err(not_found(state, owner, name));
        }
    }
    Ok(Model { config, chosen: chosen.map(str::to_owned) })
}

fn calls_model(config: &AgentConfig) -> bool {
    config.driver != DriverKind::Scripted
}

fn not_found(state: &AppState, owner: Option<&Owner>, name: &str) -> Problem {
    let known: Vec<String> = state.configs.list(owner).iter().map(|entry| entry.config.id.clone()).collect();
    let shown = known[..known.len().min(LISTED)].join(", ");
    let rest = if known.len() > LISTED { ", …" } else { "" };
    let name: String = name.chars().take(100).collect();
    let models = state.defaults.models.join(", ");
    let detail = format!(
        "there is no model {name:?}: use one of {shown}{rest}, or one of them as CONFIGURATION/MODEL with one of {models}"
    );
    about("model", Problem::new(StatusCode::NOT_FOUND, "model_not_found", detail))
}
