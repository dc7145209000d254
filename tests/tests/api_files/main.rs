//! Files over HTTP: what is read, written and refused, and that nothing outside of a workspace ever is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archives;
mod hostile;
mod listing;
mod place;
mod platforms;
mod reading;
mod sizes;
mod uploading;
mod watching;
mod writing;
