//! The shape of the workspace: who imports whom, how long a file is, and what no file may contain.
//!
//! Each rule is a function over plain values, so that it can be shown to fail.

mod files;
mod imports;
mod packages;
mod text;
