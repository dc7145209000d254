//! What every command is told, so that a repository's own configuration has no say in what is run.

use std::path::Path;

use tokio::process::Command;

/// No program of the repository's choice, no question, no other format than the one that is read here.
pub(super) const ALWAYS: &[&str] = &[
    "--no-pager",
    "--literal-pathspecs",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.alternateRefsCommand=true",
    "-c",
    "core.askPass=",
    "-c",
    "core.sshCommand=false",
    "-c",
    "core.quotePath=true",
    "-c",
    "credential.helper=",
    "-c",
    "submodule.recurse=false",
    "-c",
    "commit.gpgSign=false",
    "-c",
    "tag.gpgSign=false",
    "-c",
    "push.gpgSign=false",
    "-c",
    "log.showSignature=false",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "diff.suppressBlankEmpty=false",
    "-c",
    "color.ui=false",
    "-c",
    "advice.statusHints=false",
    "-c",
    "safe.bareRepository=explicit",
    // Whose files these are does not matter to who may only do what the agent may.
    "-c",
    "safe.directory=*",
];

/// The whole environment: nothing is inherited but where programs are.
pub(super) fn environment(command: &mut Command, root: &Path) {
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "")
        .env("GIT_EDITOR", "true")
        .env("GIT_NO_LAZY_FETCH", "1")
        // No way to another repository but the one that a command opens for itself.
        .env("GIT_ALLOW_PROTOCOL", "")
        .env("GIT_PROTOCOL_FROM_USER", "0");
    // A folder of the workspace that is in no repository is in none, whatever the workspace itself lies in.
    if let Some(above) = root.parent() {
        command.env("GIT_CEILING_DIRECTORIES", above);
    }
}
