//! The jobs of `/generate/v2`.

use agcluster_core::protocol::{Outcome, TurnId};
use agcluster_core::store::{TurnRecord, TurnState};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::SHAPE;
use super::sdk_frames::SdkFrames;
use super::sdk_messages::SdkDatum;
use super::whose::uuid_of;
use crate::auth::Caller;
use crate::compat::stream::{self, Source};
use crate::cursor::Resume;
use crate::extract::Path;
use crate::openapi::problems::{CURSOR, JOB, problems};
use crate::{AppState, Problem};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get)).routes(routes!(follow))
}

problems!(GetProblems in SHAPE => JOB);
problems!(StreamProblems in SHAPE => JOB, CURSOR);

/// A job in the earlier shape.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentServerJob)]
struct Row {
    #[schema(value_type = Uuid)]
    task_id: TurnId,
    /// The session's UUID.
    session_id: String,
    /// `queued`, `running`, `completed`, `cancelled` or `failed`.
    status: &'static str,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// Why it failed.
    error: Option<String>,
}

impl Row {
    fn of(turn: &TurnRecord) -> Self {
        let error = match turn.outcome() {
            Some(Outcome::Failed { message, .. }) => Some(message.clone()),
            _ => None,
        };
        let begun = !matches!(turn.state, TurnState::Queued);
        Self {
            task_id: turn.id,
            session_id: uuid_of(&turn.session).to_owned(),
            status: status(turn),
            created_at: turn.created_at,
            started_at: begun.then_some(turn.created_at),
            finished_at: turn.ended_at,
            error,
        }
    }
}

fn status(turn: &TurnRecord) -> &'static str {
    match (turn.state, turn.outcome()) {
        (TurnState::Queued, _) => "queued",
        (TurnState::Sent | TurnState::Running, _) => "running",
        (TurnState::Ended, Some(Outcome::Completed | Outcome::Limit { .. })) => "completed",
        (TurnState::Ended, Some(Outcome::Interrupted)) => "cancelled",
        (TurnState::Ended, Some(Outcome::Failed { .. }) | None) => "failed",
    }
}

/// How far a job is.
#[utoipa::path(
    get, path = "/generate/v2/jobs/{id}", operation_id = "agent_server_get_job", tag = "Agent server",
    security(("key" = [])), params(("id" = String, Path, description = "The task")),
    responses((status = 200, description = "The job", body = Row), GetProblems),
)]
async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Row>, Problem> {
    Ok(Json(Row::of(&caller.job(&state, &id).await?.0)))
}

/// Everything that a job has done, then what it does, until it ends.
#[utoipa::path(
    get, path = "/generate/v2/jobs/{id}/stream", operation_id = "agent_server_stream_job", tag = "Agent server",
    security(("key" = [])), params(("id" = String, Path, description = "The task"), Resume),
    responses(
        (status = 200, description = "Messages of the SDK, then `{\"done\": true}`", content_type = "text/event-stream", body = SdkDatum),
        (status = 204, description = "There is nothing behind the cursor any more"), StreamProblems,
    ),
)]
async fn follow(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    resume: Resume,
) -> Result<Response, Problem> {
    let (turn, session) = caller.job(&state, &id).await?;
    let cursor = resume.0;
    let source = Source {
        records: session.resume(&turn, cursor.map(|cursor| cursor.after)).await?,
        after: turn.after,
        cursor,
        over: !turn.state.is_open(),
        disposable: None,
    };
    Ok(stream::response(source, SdkFrames::new(session.id().clone())).await)
}

#[cfg(test)]
mod tests {
    use agcluster_core::protocol::{FailureReason, TurnEnd};
    use agcluster_core::session::{Owner, SessionId};

    use super::*;

    #[test]
    fn a_job_has_the_states_that_clients_know() {
        let failed = Outcome::Failed { reason: FailureReason::AgentError, message: "it broke".into() };
        for (state, outcome, status, error) in [
            (TurnState::Queued, None, "queued", None),
            (TurnState::Sent, None, "running", None),
            (TurnState::Ended, Some(Outcome::Completed), "completed", None),
            (TurnState::Ended, Some(Outcome::Interrupted), "cancelled", None),
            (TurnState::Ended, Some(failed), "failed", Some("it broke")),
        ] {
            let turn = TurnRecord {
                id: TurnId::generate(),
                session: SessionId::from_text("conv-s"),
                owner: Owner::of(&agcluster_core::protocol::Secret::new("key")),
                state,
                prompt: Vec::new(),
                background: true,
                after: 0,
                created_at: Timestamp::UNIX_EPOCH,
                ended_at: None,
                end: outcome.map(|outcome| Box::new(TurnEnd::bare(outcome))),
                whole: true,
            };
            let row = Row::of(&turn);
            assert_eq!((row.status, row.error.as_deref()), (status, error));
            assert_eq!(row.started_at.is_none(), status == "queued");
        }
    }
}
