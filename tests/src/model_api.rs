//! A strict, scripted Anthropic Messages API.
//!
//! It stands for the model vendor in tests, in the demo and in benchmarks. The script is in the user's prompt
//! itself: lines that begin with `@@` are directives, one for each step of the model (see [`script`] for the
//! grammar). Which step is next follows from the conversation that the client sends, so the server keeps no
//! conversation, and resumed, forked and parallel sessions just work.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use agcluster_tests::model_api::{ModelApi, Options};
//!
//! let api = ModelApi::start(Options::default()).await?;
//! // Give `api.url_for("127.0.0.1")` to the agent and prompt it with:
//! //   @@bash echo hello > greeting.txt
//! //   @@gate answered I have written the file.
//! api.reached("answered").await; // half of the text is out
//! api.open("answered");
//! api.assert_clean();
//! # Ok(())
//! # }
//! ```
//!
//! It is strict: a request that the vendor would refuse, or that calls on a script that cannot be played, is
//! answered with an error and recorded as a [`Violation`].

mod check;
mod demo;
mod gate;
mod id;
mod options;
mod plan;
mod record;
mod reply;
pub mod script;
mod server;
mod sse;
mod stream;
mod usage;
mod vendor_error;

pub use options::Options;
pub use record::{Outcome, RecordedRequest, Violation};
pub use server::ModelApi;
