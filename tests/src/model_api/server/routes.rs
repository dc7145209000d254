//! What each route does with a request.

use super::Shared;
use crate::model_api::check::{Call, KeyCheck, check_betas, check_body, check_headers, check_key};
use crate::model_api::plan::{Plan, Then, plan};
use crate::model_api::record::{Outcome, Ticket};
use crate::model_api::reply::Reply;
use crate::model_api::sse::{Message, frames, whole};
use crate::model_api::stream::Sending;
use crate::model_api::usage::input_tokens;
use crate::model_api::vendor_error::{error, message};
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Size of the largest body the vendor takes.
const MOST_BODY: usize = 32 * 1024 * 1024;

pub(super) fn app(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .fallback(any(other))
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .with_state(shared)
}

async fn messages(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request_id = shared.ids.next("req");
    let ticket = shared.record.add(Method::POST, uri.to_string(), headers, body);
    let mut response = match accept(&shared, &ticket, Call::Messages) {
        Ok(body) => match plan(&body, shared.options.demo) {
            Ok(plan) => answer(&shared, ticket, &body, plan, &request_id).await,
            Err(sentence) => {
                ticket.violation(sentence.clone());
                settled(&ticket, Refused { status: 400, sentence }, &request_id)
            }
        },
        Err(refused) => settled(&ticket, refused, &request_id),
    };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("request-id", value);
    }
    response
}

async fn count_tokens(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request_id = shared.ids.next("req");
    let ticket = shared.record.add(Method::POST, uri.to_string(), headers, body);
    match accept(&shared, &ticket, Call::CountTokens) {
        Ok(body) => {
            ticket.settle(Outcome::Answered(200));
            Json(json!({"input_tokens": input_tokens(&body)})).into_response()
        }
        Err(refused) => settled(&ticket, refused, &request_id),
    }
}

/// `HEAD /` and `HEAD /api/hello` are how a client asks whether the API is there. Whatever else it asks for, the
/// vendor may have and we have not.
async fn other(
    State(shared): State<Arc<Shared>>,
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asks = method == Method::HEAD && matches!(uri.path(), "/" | "/api/hello");
    let sentence = format!("{method} {uri} is not served");
    let ticket = shared.record.add(method, uri.to_string(), headers, body);
    if asks {
        ticket.settle(Outcome::Answered(200));
        return StatusCode::OK.into_response();
    }
    ticket.violation(sentence.clone());
    settled(&ticket, Refused { status: 404, sentence }, &shared.ids.next("req"))
}

struct Refused {
    status: u16,
    sentence: String,
}

fn settled(ticket: &Ticket, refused: Refused, request_id: &str) -> Response {
    ticket.settle(Outcome::Answered(refused.status));
    error(refused.status, &refused.sentence, request_id)
}

/// The body of a request that is well formed and may come in.
fn accept(shared: &Shared, ticket: &Ticket, call: Call) -> Result<Value, Refused> {
    let request = ticket.request();
    let unauthorised = || Refused { status: 401, sentence: message(401).to_owned() };
    match check_key(request.headers(), &shared.options.api_keys) {
        KeyCheck::Accepted => {}
        KeyCheck::Wrong => return Err(unauthorised()),
        KeyCheck::Missing => {
            ticket.violation("there is no API key, neither as x-api-key nor as bearer token".to_owned());
            return Err(unauthorised());
        }
    }
    let mut wrong = check_headers(request.headers());
    let body = match serde_json::from_slice(request.body()) {
        Ok(body) => body,
        Err(error) => {
            wrong.push(format!("the body is not JSON: {error}"));
            Value::Null
        }
    };
    if wrong.is_empty() {
        wrong = check_body(&body, call);
        wrong.extend(check_betas(request.headers(), &body));
    }
    let Some(first) = wrong.first().cloned() else { return Ok(body) };
    for sentence in wrong {
        ticket.violation(sentence);
    }
    Err(Refused { status: 400, sentence: first })
}

async fn answer(shared: &Shared, ticket: Ticket, body: &Value, plan: Plan, request_id: &str) -> Response {
    if let Some(refusal) = plan.refuse_first
        && shared.is_refused(conversation(&ticket, body), refusal.times)
    {
        let refused = Refused { status: refusal.status, sentence: message(refusal.status).to_owned() };
        return settled(&ticket, refused, request_id);
    }
    match plan.then {
        Then::Refuse(status) => {
            settled(&ticket, Refused { status, sentence: message(status).to_owned() }, request_id)
        }
        Then::Reply(reply) => send(shared, ticket, body, &reply).await,
    }
}

async fn send(shared: &Shared, ticket: Ticket, body: &Value, reply: &Reply) -> Response {
    let said = Message::new(&shared.ids, body, reply);
    let sending = Sending {
        frames: frames(&said, reply),
        gates: Arc::clone(&shared.gates),
        stop: shared.stop.clone(),
        ticket,
    };
    if body["stream"] == true {
        let headers =
            [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
        return (headers, Body::from_stream(sending.into_stream())).into_response();
    }
    match sending.wait_through().await {
        Ok(ticket) => {
            ticket.settle(Outcome::Answered(200));
            Json(whole(&said, reply)).into_response()
        }
        // A body that fails at once breaks the connection off.
        Err(error) => {
            Body::from_stream(futures::stream::once(async { Err::<Bytes, _>(error) })).into_response()
        }
    }
}

/// The same for every attempt at one point of one conversation.
fn conversation(ticket: &Ticket, body: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    ticket.request().session().hash(&mut hasher);
    body["messages"].to_string().hash(&mut hasher);
    hasher.finish()
}
