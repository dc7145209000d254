//! What whoever runs the server, or programs against it, relies on besides the API itself: its description, its numbers, its traces.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod answers;
mod dashboard;
mod description;
mod fuzz;
mod gauges;
mod metrics;
mod traces;
