//! Real Claude Code at Fly, Vercel and Cloudflare, which are in this machine's own making, each named by the launch; only the model's HTTP API is
//! scripted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(dead_code, unused_imports, reason = "the whole suite is for what is at home")]

mod claude_suite;

use agcluster_tests::system::Provider;

/// What is different when a platform is in between.
macro_rules! at {
    ($module:ident, $provider:expr) => {
        mod $module {
            use super::{Provider, claude_suite};

            crate::claude_suite_on! { $provider =>
                a_session_runs_where_it_was_asked_for_and_leaves_nothing_there,
                text_streams_and_is_counted,
                bash_writes_a_file_that_is_in_the_workspace,
                an_interrupt_ends_a_turn_that_streams,
                an_interrupt_ends_a_command_that_runs,
                a_stream_that_is_cut_on_the_way_goes_on_where_it_was,
                a_command_cannot_read_the_key,
            }
        }
    };
}

at!(fly_machines, Provider::FlyMachines);
at!(vercel, Provider::Vercel);
at!(cloudflare, Provider::Cloudflare);
