//! What configurations of all platforms have in common.

mod size;

pub use size::Size;
