//! A turn as a job.

use std::collections::BTreeMap;

use agcluster_core::protocol::{ModelUsage, Outcome, TurnId};
use agcluster_core::session::SessionId;
use agcluster_core::store::{TurnRecord, TurnState};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::chat_frames;
use crate::openapi::schemas::streams::ChatUsage;
use crate::openapi::schemas::{ModelUsageSchema, OutcomeSchema};

/// A job without what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobView<'a> {
    /// Its name: the turn's.
    #[schema(value_type = Uuid)]
    job_id: TurnId,
    /// The session that it is in.
    #[schema(value_type = String)]
    session_id: &'a SessionId,
    /// `queued`, `running`, `completed`, `interrupted`, `limit` or `failed`.
    status: &'static str,
    /// Whether it was asked for as a job.
    background: bool,
    /// How it ended.
    #[schema(value_type = Option<OutcomeSchema>)]
    outcome: Option<&'a Outcome>,
    /// When it was asked for.
    created_at: Timestamp,
    /// When it ended.
    ended_at: Option<Timestamp>,
    /// Where its events are.
    stream: String,
}

/// A job with what came of it, as far as that is known.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeJob<'a> {
    #[serde(flatten)]
    job: JobView<'a>,
    /// The agent's last words.
    result: Option<&'a str>,
    /// Whether not all of it is kept any more.
    truncated: bool,
    /// Output in the shape that was asked for.
    structured_output: Option<&'a Value>,
    /// Tokens.
    #[schema(value_type = Option<ChatUsage>)]
    usage: Option<Value>,
    /// The same by model.
    #[schema(value_type = Option<HashMap<String, ModelUsageSchema>>)]
    models: Option<&'a BTreeMap<String, ModelUsage>>,
    /// US dollars, as the agent program reckons them.
    cost_usd: Option<f64>,
    /// Milliseconds from prompt to end.
    duration_ms: Option<u64>,
    /// Model calls of the main agent.
    model_calls: Option<u32>,
}

impl<'a> JobView<'a> {
    fn of(turn: &'a TurnRecord) -> Self {
        Self {
            job_id: turn.id,
            session_id: &turn.session,
            status: status(turn),
            background: turn.background,
            outcome: turn.outcome(),
            created_at: turn.created_at,
            ended_at: turn.ended_at,
            stream: format!("/api/jobs/{}/stream", turn.id),
        }
    }
}

/// A job without what came of it.
pub(crate) fn render(turn: &TurnRecord) -> Value {
    serde_json::to_value(JobView::of(turn)).unwrap_or_default()
}

/// A job with what came of it, as far as that is known.
pub(crate) fn render_whole(turn: &TurnRecord) -> Value {
    let end = turn.end.as_deref();
    let whole = WholeJob {
        job: JobView::of(turn),
        result: end.and_then(|end| end.result.as_deref()),
        truncated: end.is_some() && !turn.whole,
        structured_output: end.and_then(|end| end.structured_output.as_ref()),
        usage: end.map(|end| chat_frames::usage(&end.usage)),
        models: end.map(|end| &end.models),
        cost_usd: end.and_then(|end| end.cost_usd),
        duration_ms: end.map(|end| end.duration_ms),
        model_calls: end.map(|end| end.model_calls),
    };
    serde_json::to_value(whole).unwrap_or_default()
}

fn status(turn: &TurnRecord) -> &'static str {
    match (turn.state, turn.outcome()) {
        (TurnState::Queued, _) => "queued",
        (TurnState::Sent | TurnState::Running, _) => "running",
        (TurnState::Ended, Some(Outcome::Completed)) => "completed",
        (TurnState::Ended, Some(Outcome::Interrupted)) => "interrupted",
        (TurnState::Ended, Some(Outcome::Limit { .. })) => "limit",
        (TurnState::Ended, Some(Outcome::Failed { .. }) | None) => "failed",
    }
}
