//! The agent server as a process of its own, with the real Claude Code program, against the scripted model API.
//!
//! No container and no control plane: what is shown here holds wherever the agent server runs. `AGCLUSTER_AGENT_BINARY`
//! and `AGCLUSTER_CLAUDE` name the programs; `cargo xtask test` sets them.

mod asking;
mod binary;
mod crash;
mod harness;
mod key;
mod lasting;
mod people;
mod restoring;
mod steering;
mod talking;
mod tools;
