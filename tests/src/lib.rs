//! Strict fakes of the outside systems AgCluster talks to.
//!
//! Each fake is a real server or program that checks what it is sent and records it, so that a test fails on a
//! wrong request and not only on a wrong answer. The end-to-end suites that use them are in `tests/tests/`.
//!
//! * [`aloud`]: what is to be read of tests that pass, too;
//! * [`form`]: uploads, as browsers send them;
//! * [`git_host`]: a host of git repositories, over HTTP;
//! * [`ground`]: what a provider stands on, and whether anything is left there;
//! * [`conformance`]: the behaviour suite on any provider;
//! * [`model_api`]: the model vendor's HTTP API, scripted by the prompt;
//! * [`otlp`]: a collector of traces;
//! * [`platforms`]: clouds, with containers for machines;
//! * [`seeded`]: chance that can be repeated;
//! * [`postgres`]: a PostgreSQL server;
//! * [`system`]: a whole AgCluster: the server, the model API behind it, clients before it;
//! * [`trouble`]: what befalls it from outside.

pub mod aloud;
pub mod conformance;
pub mod form;
mod free_port;
pub mod git_host;
pub mod ground;
pub mod model_api;
pub mod otlp;
pub mod platforms;
pub mod postgres;
pub mod seeded;
pub mod system;
pub mod trouble;
