//! Strict fakes of the outside systems AgCluster talks to.
//!
//! Each fake is a real server or program that checks what it is sent and records it, so that a test fails on a
//! wrong request and not only on a wrong answer. The end-to-end suites that use them are in `tests/tests/`.
//!
//! * [`model_api`]: the model vendor's HTTP API, scripted by the prompt;
//! * [`postgres`]: a PostgreSQL server;
//! * [`system`]: a whole AgCluster: the server, the model API behind it, clients before it.

pub mod model_api;
pub mod postgres;
pub mod system;
