//! What agents ask of people, as clients see it.

use agcluster_core::protocol::event::{AnsweredBy, PermissionRequest, Question};
use agcluster_core::protocol::{Decision, EventBody, TurnId};
use agcluster_core::session::{Approval, ApprovalKind, ApprovalStatus, SessionId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::openapi::schemas::{
    AnsweredBySchema, ApprovalKindSchema, ApprovalStatusSchema, DecisionSchema, PermissionRequestSchema,
    QuestionSchema,
};

/// Something that an agent asks of people: what, since when, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalView<'a> {
    /// Its name.
    id: String,
    /// The session.
    #[schema(value_type = String)]
    session_id: &'a SessionId,
    /// The turn that waits, or waited, for it.
    #[schema(value_type = Option<Uuid>)]
    turn_id: Option<TurnId>,
    /// What is asked for.
    #[schema(value_type = ApprovalKindSchema)]
    kind: ApprovalKind,
    /// The tool call of the sub-agent that asks.
    parent_call_id: Option<&'a str>,
    /// Since when it is asked.
    since: Timestamp,
    /// When nobody may answer it any more, while it is pending.
    expires_at: Option<Timestamp>,
    /// How it stands.
    #[schema(value_type = ApprovalStatusSchema)]
    status: ApprovalStatus,
    /// The answer that counts.
    answer: Option<AnswerView<'a>>,
    #[serde(flatten)]
    #[schema(value_type = AskedView)]
    asked: Option<AskedView<'a>>,
}

/// What is asked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum AskedView<'a> {
    Leave {
        #[serde(flatten)]
        #[schema(value_type = PermissionRequestSchema)]
        request: &'a PermissionRequest,
    },
    Answers {
        /// Its name within the agent.
        request_id: &'a str,
        /// The tool call that waits.
        #[serde(skip_serializing_if = "Option::is_none")]
        call_id: Option<&'a str>,
        /// What is to be answered.
        #[schema(value_type = Vec<QuestionSchema>)]
        questions: &'a [Question],
    },
}

/// An answer to what an agent asks.
#[derive(Debug, Serialize, ToSchema)]
struct AnswerView<'a> {
    /// Who decided.
    #[schema(value_type = AnsweredBySchema)]
    by: AnsweredBy,
    /// Why, in the words of whoever decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// When.
    at: Option<Timestamp>,
    #[serde(flatten)]
    #[schema(value_type = DecisionSchema)]
    decision: &'a Decision,
}

impl<'a> ApprovalView<'a> {
    fn of(approval: &'a Approval) -> Self {
        Self {
            id: approval.name(),
            session_id: &approval.session,
            turn_id: approval.turn,
            kind: approval.kind,
            parent_call_id: approval.record.event.parent.as_deref(),
            since: approval.since,
            expires_at: approval.expires_at,
            status: approval.status,
            answer: approval.answer.as_ref().map(|answer| AnswerView {
                by: answer.by,
                reason: answer.reason.as_deref(),
                at: approval.answered_at,
                decision: &answer.decision,
            }),
            asked: AskedView::of(&approval.record.event.body),
        }
    }
}

impl<'a> AskedView<'a> {
    fn of(body: &'a EventBody) -> Option<Self> {
        match body {
            EventBody::PermissionRequested(request) => Some(Self::Leave { request }),
            EventBody::QuestionAsked { request_id, call_id, questions } => {
                Some(Self::Answers { request_id, call_id: call_id.as_deref(), questions })
            }
            _ => None,
        }
    }
}

/// An approval as JSON. As a value, since a plan's request says its kind, too, and a field stands there once.
pub(crate) fn render(approval: &Approval) -> Value {
    json!(ApprovalView::of(approval))
}
