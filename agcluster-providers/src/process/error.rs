//! What the operating system refuses, said in the words of the one error type.

use std::io;
use std::path::Path;

use agcluster_core::provider::{CapacityScope, Error, ErrorKind};

use super::PLATFORM;

/// An error of this platform.
pub(super) fn error(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(kind, PLATFORM, operation, message)
}

/// There is no such container.
pub(super) fn not_found(id: &str, operation: &'static str) -> Error {
    error(ErrorKind::NotFound, operation, format!("there is no container {id}"))
}

/// A container that must run does not.
pub(super) fn not_running(operation: &'static str) -> Error {
    error(ErrorKind::Gone, operation, "the container does not run: start it, or make another one")
}

/// A file or folder that could not be used.
pub(super) fn file(source: io::Error, operation: &'static str, path: &Path) -> Error {
    let path = path.display();
    let (kind, message) = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Capacity(CapacityScope::Host), format!("the disk is full at {path}: make room"))
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            ErrorKind::Precondition,
            format!("{path} cannot be written: set state_dir to a folder that this user may write"),
        ),
        _ => (ErrorKind::Unavailable, format!("{path} cannot be used: check the folder and its disk")),
    };
    error(kind, operation, message).with_source(source)
}

/// The agent server could not be started.
pub(super) fn spawn(source: io::Error, operation: &'static str, binary: &Path) -> Error {
    let binary = binary.display();
    let (kind, message) = match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => (
            ErrorKind::Precondition,
            format!("{binary} cannot be run: set agent_binary to the path that `cargo xtask agent` prints"),
        ),
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => (
            ErrorKind::Capacity(CapacityScope::Host),
            "this machine starts no more processes: end some, or raise the limit".to_owned(),
        ),
        _ => (
            ErrorKind::Precondition,
            format!("{binary} does not start: check that it is an agent server for this machine"),
        ),
    };
    error(kind, operation, message).with_source(source)
}
