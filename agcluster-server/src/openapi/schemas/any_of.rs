//! One schema or another.

use std::borrow::Cow;
use std::marker::PhantomData;

use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What is one of two, told apart by what is in it.
pub(crate) struct AnyOf<A, B>(PhantomData<(A, B)>);

impl<A: ToSchema, B: ToSchema> PartialSchema for AnyOf<A, B> {
    fn schema() -> RefOr<Schema> {
        let either = [A::name(), B::name()].map(Ref::from_schema_name);
        either.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item).into()
    }
}

impl<A: ToSchema, B: ToSchema> ToSchema for AnyOf<A, B> {
    fn name() -> Cow<'static, str> {
        format!("{}Or{}", A::name(), B::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend([(A::name().into(), A::schema()), (B::name().into(), B::schema())]);
        A::schemas(schemas);
        B::schemas(schemas);
    }
}
