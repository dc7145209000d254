//! Real Claude Code in real Docker containers; only the model's HTTP API is scripted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod claude_suite;

use agcluster_tests::system::Provider;

claude_suite_on!(Provider::Docker);
