//! The journal in the shapes clients want.

pub(crate) mod approval;
pub(crate) mod chat_frames;
pub(crate) mod chat_json;
pub(crate) mod job;
pub(crate) mod markdown;
pub(crate) mod native;
