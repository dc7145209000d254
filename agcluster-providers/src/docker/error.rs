//! The engine's refusals, said in the words of the one error type.

use std::io;

use agcluster_core::provider::{CapacityScope, Error, ErrorKind};

use super::PLATFORM;
use super::api::Failure;

/// What a call was about, so that an error can name it.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// The engine as a whole.
    Engine,
    /// A container, by its id.
    Container(&'a str),
    /// A container that is being made from an image.
    Image(&'a str),
    /// A path in a container.
    Path(&'a str),
}

/// Turns a failure into an error. `address` is the engine's.
pub(super) fn explain(failure: Failure, operation: &'static str, address: &str, about: About<'_>) -> Error {
    let (kind, message) = match &failure {
        Failure::Refused { status, message } => refusal(*status, &message.to_ascii_lowercase(), about),
        Failure::Unreachable { kind, .. } => unreachable(*kind, address),
        Failure::Timeout => (
            ErrorKind::Timeout,
            format!("the engine at {address} did not answer in time: see whether it is overloaded"),
        ),
        Failure::Setup(reason) => (ErrorKind::Precondition, reason.clone()),
        Failure::Nonsense(_) => (
            ErrorKind::Protocol,
            format!(
                "what answers at {address} does not speak as a Docker engine does: check its address and version"
            ),
        ),
    };
    let error = Error::new(kind, PLATFORM, operation, message);
    let error = match failure.status() {
        0 => error,
        status => error.with_code(status.to_string()),
    };
    error.with_source(failure)
}

fn unreachable(kind: io::ErrorKind, address: &str) -> (ErrorKind, String) {
    match kind {
        io::ErrorKind::PermissionDenied => (
            ErrorKind::Auth,
            format!(
                "this user may not use the Docker engine at {address}: add the user to the group docker and log in again, or set DOCKER_HOST to an engine of its own"
            ),
        ),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => (
            ErrorKind::Unavailable,
            format!("no Docker engine answers at {address}: start it, or set DOCKER_HOST"),
        ),
        _ => (
            ErrorKind::Unavailable,
            format!("the connection to the Docker engine at {address} failed: see whether it still runs"),
        ),
    }
}

/// Every refusal that is known, most telling first. `says` is in lower case.
fn refusal(status: u16, says: &str, about: About<'_>) -> (ErrorKind, String) {
    let has = |part: &str| says.contains(part);
    let host = ErrorKind::Capacity(CapacityScope::Host);
    let fixed = |kind, sentence: &str| (kind, sentence.to_owned());

    if status == 401 || status == 403 && !has("network") && !has("marked read-only") {
        return fixed(
            ErrorKind::Auth,
            "the Docker engine refuses this client: check its certificates and rights",
        );
    }
    if has("client version") && (has("too old") || has("too new")) {
        return fixed(
            ErrorKind::Precondition,
            "the engine was replaced by one of another version: try again",
        );
    }
    if has("no space left on device") || has("disk quota exceeded") {
        return fixed(
            host,
            "the engine's disk is full: remove unused images and volumes, or give it more space",
        );
    }
    if has("cannot allocate memory") || has("out of memory") {
        return fixed(host, "the engine's machine has no memory left: stop containers, or give it more");
    }
    if has("available, non-overlapping") && has("address pool") {
        return fixed(
            host,
            "the engine has no address range left for another network: remove unused networks, or set default-address-pools",
        );
    }
    if has("no available ipv4 addresses") || has("exchange full") || has("no more ip") {
        return fixed(
            host,
            "the network has no room for another container: use a network with a larger subnet",
        );
    }
    if has("could not find bridge") {
        return fixed(
            ErrorKind::Precondition,
            "the network's device was removed on the engine's machine: remove the network, and it is made anew",
        );
    }
    if has("port is already allocated") || has("address already in use") {
        return fixed(host, "no port could be published: free some, or reach containers by container_ip");
    }
    if has("too many open files") || has("resource temporarily unavailable") {
        return fixed(
            host,
            "the engine's machine has reached a limit of its own: stop containers, or raise it",
        );
    }
    if has("marked read-only") {
        return fixed(
            ErrorKind::Precondition,
            "the container's root is read-only: files go into /workspace only",
        );
    }
    if has("exec format error") {
        return fixed(
            ErrorKind::Precondition,
            "the image or the agent server is built for another processor: use one for the engine's",
        );
    }
    if has("executable file not found") || has("oci runtime") && has("no such file or directory") {
        return fixed(
            ErrorKind::Precondition,
            "the image has no program to start: use the agent image, or set agent_binary",
        );
    }
    if has("invalid reference format") {
        return fixed(ErrorKind::Invalid, "the image's name is malformed: write name:tag");
    }
    match about {
        About::Image(image) if status == 404 && has("image") => (ErrorKind::Precondition, no_image(image)),
        About::Image(_) if status == 404 && has("network") => {
            fixed(ErrorKind::Precondition, "the network was removed while the container started: try again")
        }
        About::Path(path) if status == 404 && !has("no such container") => {
            (ErrorKind::NotFound, format!("there is no {path} in the container"))
        }
        About::Container(id) | About::Path(id) | About::Image(id) if status == 404 => {
            (ErrorKind::NotFound, format!("there is no container {id}"))
        }
        _ if status == 409 && has("is paused") => {
            fixed(ErrorKind::Precondition, "the container is paused: resume it first")
        }
        _ if (status == 409 || status == 500)
            && (has("is not running") || has("container state improper")) =>
        {
            fixed(ErrorKind::Gone, "the container does not run: start it, or make another one")
        }
        _ if status == 409 => {
            fixed(ErrorKind::Unavailable, "the engine is changing this container already: try again")
        }
        _ if status == 429 => {
            fixed(ErrorKind::RateLimited { retry_after: None }, "the engine is busy: try again")
        }
        _ if status == 400 => fixed(
            ErrorKind::Invalid,
            "the engine does not take this container's settings: its log says which",
        ),
        _ if status == 404 || status == 501 => fixed(
            ErrorKind::Protocol,
            "the engine does not know this operation: check that it is Docker 20.10, Podman 4 or newer",
        ),
        _ => fixed(ErrorKind::Unavailable, "the engine failed: its log says why"),
    }
}

/// What to do about an image that is not there.
pub(super) fn no_image(image: &str) -> String {
    if image.starts_with("agcluster/agent") {
        format!("the image {image} is not on the engine: `cargo xtask image` builds it")
    } else {
        format!("the image {image} is not on the engine: build or pull it there first")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: io::ErrorKind) -> Failure {
        bollard::errors::Error::IOError { err: kind.into() }.into()
    }

    #[test]
    fn a_closed_socket_names_the_group() {
        let address = "unix:///var/run/docker.sock";
        let error = explain(io(io::ErrorKind::PermissionDenied), "probe", address, About::Engine);
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.message().contains("add the user to the group docker"), "{error}");
        assert!(error.message().contains(address), "{error}");
    }

    #[test]
    fn a_connection_that_breaks_is_worth_a_retry() {
        let error = explain(io(io::ErrorKind::ConnectionReset), "list", "a", About::Engine);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.is_retryable());
    }

    #[test]
    fn a_missing_path_is_told_from_a_missing_container() {
        let refused = |message: &str| Failure::Refused { status: 404, message: message.to_owned() };
        let path = explain(refused("Could not find the file /x"), "read_archive", "a", About::Path("/x"));
        assert_eq!(path.message(), "there is no /x in the container");
        let about = About::Container("agc-s-g1");
        let container = explain(refused("No such container: agc-s-g1"), "read_archive", "a", about);
        assert_eq!(container.message(), "there is no container agc-s-g1");
    }
}
