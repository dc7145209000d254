//! What was said in a session, as messages.

use std::convert::Infallible;

use agcluster_core::session::messages::MessagePage;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::jobs::limit;
use crate::auth::Caller;
use crate::cursor::Resume;
use crate::extract::{Path, Query};
use crate::openapi::problems::{CURSOR, QUERY, SESSION, problems};
use crate::openapi::schemas::MessageSchema;
use crate::projections::markdown;
use crate::{AppState, Problem};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export))
}

problems!(ListProblems = SESSION, CURSOR);
problems!(ExportProblems = SESSION, QUERY, ["store_unavailable"]);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// The most messages in the answer.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
}

/// Some messages of a session.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "what `list` answers, for the description")]
struct MessageList {
    /// Oldest first. The last may not be complete.
    #[schema(value_type = Vec<MessageSchema>)]
    messages: Vec<Value>,
    /// The `after` of the next page, when there is one now.
    next: Option<u64>,
    /// The `after` for reading on later.
    cursor: u64,
}

/// The transcript behind a cursor as messages, oldest first.
#[utoipa::path(
    get, path = "/api/agents/{id}/messages", operation_id = "list_messages", tag = "Chat",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Page, Resume),
    responses((status = 200, description = "A page of messages", body = MessageList), ListProblems),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(page): Query<Page>,
    resume: Resume,
) -> Result<Json<Value>, Problem> {
    let limit = limit(page.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let session = caller.session(&state, &id)?;
    let MessagePage { messages, next, cursor } = session.messages(resume.after()?, limit).await?;
    Ok(Json(json!({ "messages": messages, "next": next, "cursor": cursor })))
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportFormat)]
enum Format {
    #[default]
    Jsonl,
    Markdown,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Shape {
    /// In which format.
    #[serde(default)]
    #[param(inline, required = false)]
    format: Format,
}

/// The transcript up to now as a file.
#[utoipa::path(
    get, path = "/api/agents/{id}/export", operation_id = "export_messages", tag = "Chat",
    security(("key" = [])), params(("id" = String, Path, description = "The session"), Shape),
    responses(
        (status = 200, description = "The file", content((MessageSchema = "application/x-ndjson"), (String = "text/markdown"))),
        ExportProblems,
    ),
)]
pub(crate) async fn export(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Shape { format }): Query<Shape>,
) -> Result<Response, Problem> {
    let session = caller.session(&state, &id)?;
    let pages = session.all_messages().await?;
    let (kind, ending, head) = match format {
        Format::Jsonl => ("application/x-ndjson", "jsonl", Bytes::new()),
        Format::Markdown => ("text/markdown; charset=utf-8", "md", markdown::head(&session.info()).into()),
    };
    let pages = pages.map(move |page| match (page, format) {
        (Ok(messages), Format::Jsonl) => lines(&messages),
        (Ok(messages), Format::Markdown) => messages.iter().map(markdown::message).collect::<String>().into(),
        // The answer has begun, so the file itself says that it is not whole.
        (Err(error), Format::Jsonl) => lines(&[json!({ "error": Problem::from(error) })]),
        (Err(error), Format::Markdown) => markdown::broken(&Problem::from(error)).into(),
    });
    let body = stream::once(async { head }).chain(pages).map(Ok::<_, Infallible>);
    let name = format!("attachment; filename=\"{}.{ending}\"", session.id());
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(body)).into_response())
}

fn lines<T: serde::Serialize>(values: &[T]) -> Bytes {
    let mut lines = BytesMut::new();
    for value in values {
        lines.put_slice(&serde_json::to_vec(value).unwrap_or_default());
        lines.put_u8(b'\n');
    }
    lines.freeze()
}
