//! Schemas of the library's own types, which know JSON Schema but not OpenAPI.

use std::borrow::Cow;
use std::marker::PhantomData;

use agcluster_core::protocol::event::Event as JournalEvent;
use agcluster_core::protocol::{Answer, Settings};
use agcluster_core::session::messages::Message as TranscriptMessage;
use agcluster_core::session::{LaunchTimings, Waking};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A type of the library's, for `body = …` and `value_type = …` by one of the names below.
pub(crate) struct Of<T>(PhantomData<T>);

/// An event of a session, as the journal has it.
pub(crate) type EventSchema = Of<JournalEvent>;
/// An answer to what an agent asks.
pub(crate) type AnswerSchema = Of<Answer>;
/// What can be changed of a running session.
pub(crate) type SettingsSchema = Of<Settings>;
/// How long a launch took.
pub(crate) type TimingsSchema = Of<LaunchTimings>;
/// What waking a session takes.
pub(crate) type WakingSchema = Of<Waking>;
/// A message of a transcript.
pub(crate) type MessageSchema = Of<TranscriptMessage>;

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

/// The schemas themselves with all that they consist of, by name.
pub(super) fn definitions() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let add: [fn(&mut SchemaGenerator); 6] = [
        add::<JournalEvent>,
        add::<Answer>,
        add::<Settings>,
        add::<LaunchTimings>,
        add::<Waking>,
        add::<TranscriptMessage>,
    ];
    add.into_iter().for_each(|add| add(&mut generator));
    generator.take_definitions(true)
}

fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}
