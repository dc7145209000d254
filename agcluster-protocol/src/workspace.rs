//! What is asked of the workspace: files, git, terminals, commands. Everything beneath `/workspace` on the agent server is
//! done as the agent's user, by a process that holds no secret.

/// The routes of the workspace begin with this.
pub const PREFIX: &str = "/workspace";

/// Why the workspace refuses. Each code stands with the HTTP status that both the agent server and the control plane answer
/// with. The control plane takes no other code from a container.
pub const REFUSALS: &[(&str, u16)] = &[
    (INVALID_PATH, 400),
    (NOT_FOUND, 404),
    (ALREADY_EXISTS, 409),
    (WRONG_TYPE, 409),
    (FORBIDDEN, 403),
    (TOO_LARGE, 413),
    (TOO_MANY, 413),
    (NO_SPACE, 507),
    (INVALID_REQUEST, 400),
];

/// 400: the path leaves the workspace, or is none.
pub const INVALID_PATH: &str = "invalid_path";
/// 404: there is nothing there.
pub const NOT_FOUND: &str = "file_not_found";
/// 409: something is there already.
pub const ALREADY_EXISTS: &str = "file_exists";
/// 409: it is not what it would have to be: a folder where a file is needed, a device, a socket.
pub const WRONG_TYPE: &str = "wrong_file_type";
/// 403: the agent's user may not.
pub const FORBIDDEN: &str = "forbidden";
/// 413: more bytes than are taken.
pub const TOO_LARGE: &str = "too_large";
/// 413: more things than are taken.
pub const TOO_MANY: &str = "too_many";
/// 507: the disk is full.
pub const NO_SPACE: &str = "no_space";
/// 400: the body or a parameter is not what the route takes.
pub const INVALID_REQUEST: &str = "invalid_request";

/// A code of [`REFUSALS`] and its status.
pub fn refusal(code: &str) -> Option<(&'static str, u16)> {
    REFUSALS.iter().copied().find(|(known, _)| *known == code)
}
