//! Schemas of the library's own types, which know JSON Schema but not OpenAPI.

pub(crate) mod any_of;
pub(crate) mod config;
pub(crate) mod git;
pub(crate) mod nothing;
pub(crate) mod streams;

use std::borrow::Cow;
use std::marker::PhantomData;

use agcluster_core::config::{AgentConfig, ConfigSummary, FieldProblem, FileProblem};
use agcluster_core::protocol::event::{AnsweredBy, Event as JournalEvent, PermissionRequest, Question};
use agcluster_core::protocol::resources::{CpuUse, Measured, NetworkUse};
use agcluster_core::protocol::workspace::TerminalList;
use agcluster_core::protocol::{Answer, Decision, ModelUsage, Outcome, Settings};
use agcluster_core::provider::{Capabilities, Lifetime, Limits, Probe};
use agcluster_core::session::messages::Message as TranscriptMessage;
use agcluster_core::session::{ApprovalKind, ApprovalStatus, LaunchTimings, Waking};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A type of the library's, for `body = …` and `value_type = …` by one of the names below.
pub(crate) struct Of<T>(PhantomData<T>);

impl<T: JsonSchema> PartialSchema for Of<T> {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name(T::schema_name()).into()
    }
}

impl<T: JsonSchema> ToSchema for Of<T> {
    fn name() -> Cow<'static, str> {
        T::schema_name()
    }
}

/// Names types of the library's, and makes the function that adds all of them.
macro_rules! named {
    ($($(#[$doc:meta])* $name:ident = $of:ty;)+) => {
        $($(#[$doc])* pub(crate) type $name = $crate::openapi::schemas::Of<$of>;)+

        pub(super) fn add(generator: &mut schemars::SchemaGenerator) {
            $(generator.subschema_for::<$of>();)+
        }
    };
}
use named;

named! {
    /// An event of a session, as the journal has it.
    EventSchema = JournalEvent;
    /// An answer to what an agent asks.
    AnswerSchema = Answer;
    /// How a turn ended.
    OutcomeSchema = Outcome;
    /// What a turn used of one model.
    ModelUsageSchema = ModelUsage;
    /// What can be changed of a running session.
    SettingsSchema = Settings;
    /// How long a launch took.
    TimingsSchema = LaunchTimings;
    /// What waking a session takes.
    WakingSchema = Waking;
    /// A message of a transcript.
    MessageSchema = TranscriptMessage;
    /// What an agent asks for.
    ApprovalKindSchema = ApprovalKind;
    /// How that stands.
    ApprovalStatusSchema = ApprovalStatus;
    /// Who decided.
    AnsweredBySchema = AnsweredBy;
    /// What was decided.
    DecisionSchema = Decision;
    /// Leave that is asked for.
    PermissionRequestSchema = PermissionRequest;
    /// A question that is asked.
    QuestionSchema = Question;
    /// The terminals of a container.
    TerminalListSchema = TerminalList;
    /// Of what something is measured.
    MeasuredSchema = Measured;
    /// Processor time that is used.
    CpuSchema = CpuUse;
    /// The network that is used.
    NetworkSchema = NetworkUse;
    /// An agent configuration.
    ConfigSchema = AgentConfig;
    /// What a list shows of one.
    ConfigSummarySchema = ConfigSummary;
    /// What is wrong with a field of one.
    ConfigProblemSchema = FieldProblem;
    /// What is wrong with a file of configurations.
    FileProblemSchema = FileProblem;
    /// What a platform can do.
    CapabilitiesSchema = Capabilities;
    /// Which limits it enforces.
    LimitsSchema = Limits;
    /// How long its containers live.
    LifetimeSchema = Lifetime;
    /// What it told when it was asked.
    ProbeSchema = Probe;
}

/// The schemas themselves with all that they consist of, by name.
pub(super) fn definitions() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator: SchemaGenerator = settings.into_generator();
    add(&mut generator);
    git::add(&mut generator);
    let mut definitions = generator.take_definitions(true);
    config::add(&mut definitions);
    definitions
}
