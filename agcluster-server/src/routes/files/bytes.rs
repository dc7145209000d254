//! A file's bytes as an answer, in a way that lets no browser run what an agent made.

use agcluster_core::workspace::Workspace;
use agcluster_core::workspace::files::{Content, FilePath};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::names::image_type;
use crate::Problem;

/// Nothing is loaded and nothing runs, and the page is nobody's origin.
const POLICY: &str = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// How bytes are shown.
pub(super) enum Shown {
    /// A picture as such, everything else as bytes or plain text.
    Inline,
    /// To be stored by whoever fetches it.
    Attached,
}

/// The file, or the range of it that is asked for.
pub(super) async fn respond(
    workspace: &Workspace,
    path: &FilePath,
    asked: &HeaderMap,
    shown: Shown,
) -> Result<Response, Problem> {
    match workspace.read(path, asked).await {
        Ok(content) => Ok(render(content, path, asked, shown)),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.status != StatusCode::RANGE_NOT_SATISFIABLE {
                return Err(problem);
            }
            let size = workspace.stat(path).await?.size;
            Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], problem).into_response())
        }
    }
}

fn render(content: Content, path: &FilePath, asked: &HeaderMap, shown: Shown) -> Response {
    let Content { size, part, tag, modified, bytes } = content;
    if tag.is_some() && tag.as_ref() == asked.get(header::IF_NONE_MATCH) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        insert(&mut response, header::ETAG, tag);
        return response;
    }
    let (status, length) = match part {
        None => (StatusCode::OK, size),
        Some((first, last)) => (StatusCode::PARTIAL_CONTENT, last - first + 1),
    };
    let mut response = (status, Body::from_stream(bytes)).into_response();
    insert(&mut response, header::CONTENT_LENGTH, Some(HeaderValue::from(length)));
    insert(&mut response, header::ACCEPT_RANGES, Some(HeaderValue::from_static("bytes")));
    insert(&mut response, header::ETAG, tag);
    insert(&mut response, header::LAST_MODIFIED, modified);
    insert(&mut response, header::CACHE_CONTROL, Some(HeaderValue::from_static("private, no-cache")));
    if let Some((first, last)) = part {
        let range = HeaderValue::try_from(format!("bytes {first}-{last}/{size}"));
        insert(&mut response, header::CONTENT_RANGE, range.ok());
    }
    let kind = match shown {
        Shown::Inline => image_type(path).unwrap_or_else(|| plain_type(path)),
        Shown::Attached => {
            let name = path.name();
            insert(&mut response, header::CONTENT_DISPOSITION, Some(attachment(&name)));
            "application/octet-stream"
        }
    };
    insert(&mut response, header::CONTENT_TYPE, Some(HeaderValue::from_static(kind)));
    harmless(&mut response);
    response
}

/// What is text is shown as text, whatever language it is in.
fn plain_type(path: &FilePath) -> &'static str {
    let guessed = super::names::content_type(path);
    let is_text = guessed.starts_with("text/") || super::names::language(path) != "plaintext";
    if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" }
}

/// Keeps browsers from running an answer.
pub(super) fn harmless(response: &mut Response) {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-site"),
    ];
    for (name, value) in headers {
        insert(response, name, Some(HeaderValue::from_static(value)));
    }
}

/// A file name in a header: for old clients without what it cannot have, for all others as it is.
pub(super) fn attachment(name: &FilePath) -> HeaderValue {
    let plain: String = name
        .text()
        .chars()
        .map(|letter| match letter {
            '"' | '\\' => '_',
            letter if letter.is_ascii_graphic() || letter == ' ' => letter,
            _ => '_',
        })
        .collect();
    HeaderValue::try_from(format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", name.to_url()))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

fn insert(response: &mut Response, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        let named = |bytes: &[u8]| attachment(&FilePath::from_bytes(bytes));
        assert_eq!(named(b"a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        assert_eq!(
            named(b"\"x\"\r\nSet-Cookie: y"),
            "attachment; filename=\"_x___Set-Cookie: y\"; filename*=UTF-8''%22x%22%0D%0ASet-Cookie%3A%20y"
        );
    }
}
