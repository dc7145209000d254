//! MCP servers.

use std::collections::BTreeMap;

use agcluster_protocol::{McpServer, Secret};
use http::{HeaderName, HeaderValue};
use url::Url;

use super::document::{variable, warn_of_literal_secret};
use super::names;
use super::placeholder;
use super::read::{Field, Object, Reader};

const FIELDS: [&str; 6] = ["type", "command", "args", "env", "url", "headers"];

#[derive(Clone, Copy)]
enum Transport {
    Stdio,
    Sse,
    Http,
}

const TRANSPORTS: [(&str, Transport); 3] =
    [("stdio", Transport::Stdio), ("sse", Transport::Sse), ("http", Transport::Http)];

/// Reads MCP servers by name.
pub(super) fn servers(reader: &mut Reader, field: &Field<'_>) -> BTreeMap<String, McpServer> {
    reader.map(field, |reader, name, field| {
        if let Some(fault) = names::server_name_fault(name) {
            reader.problem(field, fault);
        }
        let object = reader.object(field)?;
        reader.unknown(&object, &FIELDS);
        match transport(reader, &object)? {
            Transport::Stdio => {
                unused(reader, &object, "stdio", &["url", "headers"]);
                local(reader, &object)
            }
            Transport::Sse => {
                unused(reader, &object, "sse", &["command", "args", "env"]);
                let (url, headers) = remote(reader, &object)?;
                Some(McpServer::Sse { url, headers })
            }
            Transport::Http => {
                unused(reader, &object, "http", &["command", "args", "env"]);
                let (url, headers) = remote(reader, &object)?;
                Some(McpServer::Http { url, headers })
            }
        }
    })
}

fn transport(reader: &mut Reader, object: &Object<'_>) -> Option<Transport> {
    match object.get("type") {
        Some(field) => reader.word(&field, &TRANSPORTS),
        None if object.get("command").is_none() && object.get("url").is_some() => {
            reader.missing(object, "type", "a server with a url needs `type: http` or `type: sse`");
            None
        }
        None => Some(Transport::Stdio),
    }
}

fn unused(reader: &mut Reader, object: &Object<'_>, transport: &str, fields: &[&str]) {
    for field in fields.iter().filter_map(|name| object.get(name)) {
        reader.warning(&field, format_args!("has no effect on a server of type {transport}"));
    }
}

fn local(reader: &mut Reader, object: &Object<'_>) -> Option<McpServer> {
    let command = reader.required(object, "command", "name the program that is the server, or give a url");
    if let Some(field) = object.get("command")
        && command.is_some_and(|command| command.trim().is_empty())
    {
        reader.problem(&field, "must not be empty; name the program that is the server");
    }
    let args = object.get("args").map(|field| reader.texts(&field)).unwrap_or_default();
    if let Some(field) = object.get("args")
        && args.iter().any(|arg| placeholder::names(arg).next().is_some())
    {
        // Arguments are public in the container, so no credential is ever put there.
        reader.warning(
            &field,
            "is passed on as written: placeholders are filled in in env, headers and url only",
        );
    }
    let env = object.get("env").map(|field| reader.map(&field, variable)).unwrap_or_default();
    Some(McpServer::Stdio { command: command?.to_owned(), args, env })
}

fn remote(reader: &mut Reader, object: &Object<'_>) -> Option<(String, BTreeMap<String, Secret>)> {
    let url = reader.required(object, "url", "say where the server is, such as https://example.com/mcp");
    if let Some(field) = object.get("url")
        && let Some(fault) = url.and_then(url_fault)
    {
        reader.problem(&field, fault);
    }
    let headers = object.get("headers").map(|field| reader.map(&field, header)).unwrap_or_default();
    Some((url?.to_owned(), headers))
}

/// What is wrong with the address of a server, as the rest of a sentence. Placeholders may stand anywhere but in the scheme.
fn url_fault(text: &str) -> Option<&'static str> {
    let filled = placeholder::expand(text, |_| Some("x")).unwrap_or_default();
    let fits = is_http(&filled) && (text.starts_with("http://") || text.starts_with("https://"));
    // The address is not repeated: it may hold a credential.
    (!fits).then_some("must be a full http or https address, such as https://example.com/mcp")
}

/// Whether this is an address an MCP server can have.
pub(super) fn is_http(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Whether this can be sent as the value of a header.
pub(super) fn is_header_value(text: &str) -> bool {
    HeaderValue::from_bytes(text.as_bytes()).is_ok()
}

fn header(reader: &mut Reader, name: &str, field: &Field<'_>) -> Option<Secret> {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        reader.problem(field, "is not a name for a header: use letters, digits and -");
    }
    let text = reader.text(field)?;
    if !is_header_value(text) {
        reader.problem(field, "cannot be sent as a header: remove line breaks and control characters");
    }
    warn_of_literal_secret(reader, name, field, text);
    Some(Secret::new(text))
}
