//! What every store must do. Each case is given a new store.

mod events;
mod kept;
mod sessions;
mod trim;

pub(crate) use crate::model::random_changes_do_what_the_model_does;
pub(crate) use events::*;
pub(crate) use kept::*;
pub(crate) use sessions::*;
pub(crate) use trim::*;
