//! A turn as a job.

use agcluster_core::protocol::Outcome;
use agcluster_core::store::{TurnRecord, TurnState};
use serde_json::{Value, json};

use super::chat_frames;

/// A job without what came of it.
pub(crate) fn render(turn: &TurnRecord) -> Value {
    json!({
        "job_id": turn.id,
        "session_id": turn.session,
        "status": status(turn),
        "background": turn.background,
        "outcome": turn.outcome(),
        "created_at": turn.created_at,
        "ended_at": turn.ended_at,
        "stream": format!("/api/jobs/{}/stream", turn.id),
    })
}

/// A job with what came of it, as far as that is known.
pub(crate) fn render_whole(turn: &TurnRecord) -> Value {
    let end = turn.end.as_deref();
    let mut job = render(turn);
    job["result"] = end.and_then(|end| end.result.clone()).into();
    job["truncated"] = (end.is_some() && !turn.whole).into();
    job["structured_output"] = end.and_then(|end| end.structured_output.clone()).into();
    job["usage"] = end.map(|end| chat_frames::usage(&end.usage)).into();
    job["models"] = json!(end.map(|end| &end.models));
    job["cost_usd"] = end.and_then(|end| end.cost_usd).into();
    job["duration_ms"] = end.map(|end| end.duration_ms).into();
    job["model_calls"] = end.map(|end| end.model_calls).into();
    job
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
