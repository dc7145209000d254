//! What the commands need from the machine, one file a requirement. Each looks first, then makes or
//! installs what is missing where it may, and otherwise says in one sentence what to do.

pub(crate) mod base_image;
pub(crate) mod cache;
pub(crate) mod cargo_deny;
pub(crate) mod claude;
pub(crate) mod clients;
mod daemon;
pub(crate) mod engine;
pub(crate) mod packages;
pub(crate) mod postgres;
pub(crate) mod python;
