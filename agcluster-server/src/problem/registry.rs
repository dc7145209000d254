//! Every code that a problem can have. `/openapi.json` is made from this, and a test holds the code against it.

/// A code with the status it comes with and what it means. A code that comes with two statuses has two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// The stable name.
    pub(crate) code: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What it means, as half a sentence.
    pub(crate) meaning: &'static str,
}

const fn known(code: &'static str, status: u16, meaning: &'static str) -> Known {
    Known { code, status, meaning }
}

/// All of them, by subject.
pub(crate) const PROBLEMS: &[Known] = &[
    // The request itself.
    known("invalid_json", 400, "the body is no JSON"),
    known("invalid_request", 400, "the body or a parameter cannot be read"),
    known("invalid_request", 422, "the body is JSON, but not what the route takes"),
    known("invalid_path", 400, "the path in the URL or in the workspace is none"),
    known("invalid_query", 400, "the query string is not what the route takes"),
    known("invalid_cursor", 400, "the cursor is no id of a frame"),
    known("unsupported_media_type", 415, "the Content-Type is not what the route takes"),
    known("too_large", 413, "more bytes than are taken"),
    known("unauthorized", 401, "there is no key in the request"),
    known("route_not_found", 404, "there is no such route"),
    known("method_not_allowed", 405, "the route takes another method"),
    known(
        "idempotency_key_invalid",
        400,
        "the Idempotency-Key is empty, too long, not printable, or sent twice",
    ),
    known("idempotency_key_missing", 400, "only a request with an Idempotency-Key can be gone on with"),
    known("idempotency_key_reused", 422, "the Idempotency-Key was used for another request"),
    known("internal", 500, "the server made a mistake"),
    known("metrics_off", 404, "the server shows no numbers"),
    known("metrics_token_required", 401, "the server's numbers need a token"),
    // Launching.
    known("api_key_missing", 422, "a launch needs the key of the model API"),
    known("base_url_invalid", 400, "the base URL of the model API is none"),
    known("config_ambiguous", 400, "both config_id and config were sent"),
    known("config_missing", 400, "neither config_id nor config was sent"),
    known("config_invalid", 400, "the configuration has mistakes, which `errors` lists"),
    known("config_not_found", 404, "there is no configuration of that id"),
    known("config_exists", 409, "the caller has a configuration of that id"),
    known("config_reserved", 409, "the id is a preset's, the operator's, or has another meaning"),
    known("config_changed", 412, "the configuration has no longer the revision of `If-Match`"),
    known("config_id_differs", 400, "the document has another id than the route"),
    known("config_secret", 400, "the configuration has what looks like secrets, which are never kept"),
    known("config_quota", 429, "there is no room for more configurations"),
    known("config_differs", 409, "it is not the configuration that the session was launched with"),
    known("provider_unknown", 400, "there is no provider of that name, or it is not configured"),
    // Sessions and jobs.
    known("session_id_missing", 400, "neither the body nor a header names a session"),
    known("session_exists", 409, "there is a session of that name"),
    known("invalid_session_id", 400, "the name of a session is no UUID"),
    known("agent_unknown", 400, "there is no such agent program"),
    known("session_not_found", 404, "the caller has no session of that id"),
    known("session_busy", 409, "a turn is running"),
    known("session_idle", 409, "no turn is running"),
    known("session_idle", 404, "no turn is running, where clients of the earlier agent server ask for it"),
    known("session_not_running", 409, "the session's state does not allow it"),
    known("session_removed", 409, "the session was removed meanwhile"),
    known("session_unreachable", 503, "the session runs, but cannot be reached now"),
    known("credentials_required", 409, "only the owner has what is needed to start the agent"),
    known("container_ended", 502, "the container ended before its agent server answered"),
    known("steering_unsupported", 409, "this agent takes no message into a running turn"),
    known("queue_full", 429, "as many messages wait as may"),
    known("queue_and_steer", 400, "a message can be queued or steered, not both"),
    known("no_user_message", 400, "there is no message with content in the request"),
    // Requests in the shape of a model API.
    known("model_not_found", 404, "there is no model of that name; the message lists those there are"),
    known("messages_empty", 400, "there is no message in the request"),
    known("last_message_not_user", 400, "the last message is not the user's"),
    known("system_too_long", 400, "the system message is too long"),
    known("unsupported_parameter", 400, "an agent cannot do what `param` asks for"),
    known("content_type_unsupported", 400, "an agent does not take content of that type"),
    known("item_unsupported", 400, "an agent does not take input of that type"),
    known("image_url_unsupported", 400, "the picture is not in the request itself"),
    known("image_type_unsupported", 400, "models do not look at pictures of that type"),
    known("image_invalid", 400, "the picture is no picture of the type that it is said to be"),
    known("file_id_unsupported", 400, "the file is not in the request itself"),
    known("file_invalid", 400, "the file is not valid base64"),
    known("file_type_unsupported", 400, "the file is no text and no picture"),
    known("source_unsupported", 400, "what is shown is not in the request itself"),
    known(
        "conversation_id_invalid",
        400,
        "the header that names the conversation is too long or not printable",
    ),
    known("user_invalid", 400, "the user's name is too long or not printable"),
    known(
        "previous_response_not_found",
        404,
        "the caller has no response of that id, or its session is gone",
    ),
    known("response_not_found", 404, "the caller has no response of that id, or its session is gone"),
    known("count_tokens_unsupported", 404, "tokens cannot be counted beforehand"),
    known("model_auth", 401, "the model API refuses the key"),
    known("model_overloaded", 503, "the model API has no room"),
    known("model_api", 502, "the model API failed"),
    known("request_not_found", 404, "no request of that id waits for an answer"),
    known("answer_invalid", 400, "a question is not allowed, and a tool is not answered"),
    known("approval_not_found", 404, "the caller has no approval of that id"),
    known("approval_answered", 409, "the approval was decided otherwise; the detail says how"),
    known("approval_expired", 410, "nobody decided in time, so it was denied"),
    known("approval_withdrawn", 410, "the agent took it back, or its turn is over"),
    known("job_not_found", 404, "the caller has no job of that id"),
    known("job_ended", 409, "the job is over"),
    known("turn_failed", 502, "the turn began and failed"),
    known("cursor_expired", 410, "the events after the cursor are no longer kept; `earliest` is the oldest"),
    known("cursor_in_future", 400, "the cursor is beyond the newest event"),
    known("store_unavailable", 503, "the database does not work"),
    known("not_ready", 503, "no default provider answers"),
    known("shutting_down", 503, "the server is about to end"),
    // Platforms.
    known("provider_auth", 502, "the platform refuses the server's credentials"),
    known("provider_not_found", 404, "the platform does not know what was asked for"),
    known("provider_gone", 410, "what was asked for is gone from the platform"),
    known("provider_already_exists", 409, "the platform has something of that name"),
    known("provider_capacity", 503, "the platform has no room"),
    known("provider_rate_limited", 429, "the platform wants to be asked less often"),
    known("provider_quota", 429, "the account's quota is used up"),
    known("provider_precondition", 424, "the platform lacks something, such as the image"),
    known("provider_invalid", 400, "the platform cannot do it as it was asked for"),
    known("provider_timeout", 504, "the platform did not answer in time"),
    known("provider_unavailable", 503, "the platform does not work"),
    known("provider_unsupported", 400, "the platform cannot do it at all"),
    known("provider_protocol", 502, "the platform answered something that makes no sense"),
    // Agent servers.
    known("agent_invalid_request", 400, "the agent cannot take the request as it is"),
    known("agent_unsupported", 400, "the agent cannot do it at all"),
    known("agent_not_found", 424, "the agent program is not in the image"),
    known("agent_start_failed", 502, "the agent program did not start"),
    known("agent_timeout", 504, "the agent did not answer in time"),
    known("agent_refused", 409, "the agent understood and declined"),
    known("agent_error", 502, "the agent server failed"),
    // The workspace.
    known("file_not_found", 404, "there is nothing at that path"),
    known("file_exists", 409, "there is something at that path"),
    known("wrong_file_type", 409, "it is not what it would have to be, such as a folder in place of a file"),
    known("forbidden", 403, "the agent's user may not"),
    known("too_many", 413, "more things than are taken"),
    known("too_many_files", 400, "more files than are taken at once"),
    known("file_type_not_allowed", 400, "files of that type are not taken"),
    known("folder_not_empty", 409, "there is something in the folder"),
    known("range_not_satisfiable", 416, "the range lies behind the end of the file"),
    known("no_space", 507, "the disk is full"),
    // Git.
    known("repo_missing", 400, "branch, repo_path or git_credentials were sent without repo"),
    known("git_not_a_repository", 404, "the folder is in no git repository"),
    known("git_ref_not_found", 404, "there is no such branch, tag or commit"),
    known("git_ref_invalid", 400, "that cannot be the name of a branch, tag or commit"),
    known("git_branch_exists", 409, "there is a branch of that name"),
    known("git_nothing_to_commit", 409, "nothing differs from the last commit"),
    known("git_conflict", 409, "changes that are not committed, or other commits, are in the way"),
    known("git_rejected", 409, "the remote repository did not take it"),
    known("git_url_invalid", 400, "not the URL of a repository that can be used here"),
    known("git_auth_failed", 403, "the remote repository asks for credentials, or for others"),
    known("git_repo_not_found", 404, "there is no such remote repository, or not for these credentials"),
    known("git_unreachable", 502, "the host of the remote repository does not answer as it should"),
    known("git_failed", 422, "git does not do it"),
    known("git_timeout", 504, "git took too long"),
    known("git_missing", 424, "there is no git in the container"),
    // Terminals, commands and what is measured.
    known("environment_name_invalid", 400, "that is no name of a variable, or there are too many"),
    known("command_not_found", 422, "the program is not there, or is none"),
    known("too_many_commands", 429, "as many commands run as may"),
    known("terminal_not_found", 404, "there is no terminal of that name"),
    known("terminal_ended", 409, "the shell of the terminal has ended"),
    known("terminal_blocked", 409, "the program in the terminal does not read its input"),
    known("too_many_terminals", 429, "as many terminals are open as may"),
    known("terminal_unavailable", 501, "the container has no pseudo-terminals, or no shell"),
    known("terminal_name_invalid", 400, "that cannot be the name of a terminal"),
    known("terminal_size_invalid", 400, "a window cannot have that size"),
    known("terminal_token_missing", 401, "there is no terminal token in the headers"),
    known("terminal_token_invalid", 401, "that is no terminal token, or one from long ago"),
    known("terminal_token_used", 401, "the terminal token was used before"),
    known("terminal_token_expired", 401, "the terminal token is more than a minute old"),
    known("terminal_token_wrong_session", 403, "the terminal token is for another session"),
    known("origin_not_allowed", 403, "pages of that origin may not open terminals"),
    known("websocket_expected", 426, "the route is a WebSocket"),
];

/// The rows of a code.
pub(crate) fn of(code: &str) -> impl Iterator<Item = &'static Known> {
    PROBLEMS.iter().filter(move |known| known.code == code)
}

/// Whether all of them are known: asked while compiling, of what an operation says it refuses.
pub(crate) const fn knows_all(codes: &[&str]) -> bool {
    let mut at = 0;
    while at < codes.len() {
        if !knows(codes[at]) {
            return false;
        }
        at += 1;
    }
    true
}

const fn knows(code: &str) -> bool {
    let mut at = 0;
    while at < PROBLEMS.len() {
        if is_same(PROBLEMS[at].code.as_bytes(), code.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}
