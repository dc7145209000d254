//! What is asked of the workspace: files, git, terminals, commands. Everything beneath `/workspace` on the agent server is
//! done as the agent's user, by a process that holds no secret.

mod data;
mod exec;
pub mod files;
pub mod git;
mod place;
mod terminals;

pub use data::Data;
pub use exec::{EXEC, Exec, ExecFrame, Exit, KeptExec};
pub use place::{NoPlace, Place, Placed};
pub use terminals::{
    OpenTerminal, TERMINALS, Terminal, TerminalFrame, TerminalList, TerminalSize, is_terminal_name,
};

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
    (NOT_EMPTY, 409),
    (RANGE, 416),
    (NO_SPACE, 507),
    (INVALID_REQUEST, 400),
    (CURSOR_EXPIRED, 410),
    (CURSOR_IN_FUTURE, 400),
    (GIT_NOT_A_REPOSITORY, 404),
    (GIT_REF_NOT_FOUND, 404),
    (GIT_REF_INVALID, 400),
    (GIT_BRANCH_EXISTS, 409),
    (GIT_NOTHING_TO_COMMIT, 409),
    (GIT_CONFLICT, 409),
    (GIT_REJECTED, 409),
    (GIT_URL_INVALID, 400),
    (GIT_AUTH_FAILED, 403),
    (GIT_REPO_NOT_FOUND, 404),
    (GIT_UNREACHABLE, 502),
    (GIT_FAILED, 422),
    (GIT_TIMEOUT, 504),
    (GIT_MISSING, 424),
    (COMMAND_NOT_FOUND, 422),
    (TOO_MANY_COMMANDS, 429),
    (KEY_REUSED, 422),
    (TERMINAL_NOT_FOUND, 404),
    (TERMINAL_ENDED, 409),
    (TERMINAL_BLOCKED, 409),
    (TOO_MANY_TERMINALS, 429),
    (TERMINAL_UNAVAILABLE, 501),
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
/// 409: the folder has something in it.
pub const NOT_EMPTY: &str = "folder_not_empty";
/// 416: the range lies behind the end of the file.
pub const RANGE: &str = "range_not_satisfiable";
/// 507: the disk is full.
pub const NO_SPACE: &str = "no_space";
/// 400: the body or a parameter is not what the route takes.
pub const INVALID_REQUEST: &str = "invalid_request";
/// 410: what follows the place in a stream is no longer kept, or the stream is not there any more.
pub const CURSOR_EXPIRED: &str = crate::codes::CURSOR_EXPIRED;
/// 400: the place in a stream is beyond its newest frame.
pub const CURSOR_IN_FUTURE: &str = crate::codes::CURSOR_IN_FUTURE;
/// 404: the folder is in no git repository.
pub const GIT_NOT_A_REPOSITORY: &str = "git_not_a_repository";
/// 404: there is no such branch, tag or commit.
pub const GIT_REF_NOT_FOUND: &str = "git_ref_not_found";
/// 400: that cannot be the name of a branch, tag or commit.
pub const GIT_REF_INVALID: &str = "git_ref_invalid";
/// 409: there is a branch of that name.
pub const GIT_BRANCH_EXISTS: &str = "git_branch_exists";
/// 409: nothing differs from the last commit.
pub const GIT_NOTHING_TO_COMMIT: &str = "git_nothing_to_commit";
/// 409: changes in the working tree, or commits of another line, are in the way.
pub const GIT_CONFLICT: &str = "git_conflict";
/// 409: the remote repository did not take it.
pub const GIT_REJECTED: &str = "git_rejected";
/// 400: not the URL of a repository that can be used here.
pub const GIT_URL_INVALID: &str = "git_url_invalid";
/// 403: the remote repository asks for credentials, or for others.
pub const GIT_AUTH_FAILED: &str = "git_auth_failed";
/// 404: there is no such remote repository, or not for these credentials.
pub const GIT_REPO_NOT_FOUND: &str = "git_repo_not_found";
/// 502: the host of the remote repository does not answer, or not as it should.
pub const GIT_UNREACHABLE: &str = "git_unreachable";
/// 422: git does not do it.
pub const GIT_FAILED: &str = "git_failed";
/// 504: it took too long.
pub const GIT_TIMEOUT: &str = "git_timeout";
/// 424: there is no git in the container.
pub const GIT_MISSING: &str = "git_missing";

/// 422: the program of a command is not there, or is no program.
pub const COMMAND_NOT_FOUND: &str = "command_not_found";
/// 429: as many commands run as may.
pub const TOO_MANY_COMMANDS: &str = "too_many_commands";
/// 422: the key of a command was used before with another one.
pub const KEY_REUSED: &str = "idempotency_key_reused";
/// 404: there is no terminal of that name.
pub const TERMINAL_NOT_FOUND: &str = "terminal_not_found";
/// 409: the terminal's shell has ended.
pub const TERMINAL_ENDED: &str = "terminal_ended";
/// 409: the program in the terminal does not read its input.
pub const TERMINAL_BLOCKED: &str = "terminal_blocked";
/// 429: as many terminals are open as may.
pub const TOO_MANY_TERMINALS: &str = "too_many_terminals";
/// 501: the container has no pseudo-terminals, or no shell.
pub const TERMINAL_UNAVAILABLE: &str = "terminal_unavailable";

/// A code of [`REFUSALS`] and its status.
pub fn refusal(code: &str) -> Option<(&'static str, u16)> {
    REFUSALS.iter().copied().find(|(known, _)| *known == code)
}
