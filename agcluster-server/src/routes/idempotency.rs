//! Requests that may be repeated: the same key means the same request.

use agcluster_core::session::Idempotency;
use axum::http::HeaderMap;

use crate::Problem;
use crate::cursor;

const HEADER: &str = "idempotency-key";
/// The longest key.
const MAX_LENGTH: usize = 255;

/// The key of a request, with the digest of what is asked for; none when it has no key.
pub(crate) fn of(headers: &HeaderMap, digest: String) -> Result<Option<Idempotency>, Problem> {
    let mut keys = headers.get_all(HEADER).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let is_usable = |key: &&str| (1..=MAX_LENGTH).contains(&key.len());
    // A header value that is a `str` is printable ASCII, or a tab.
    let key = key.to_str().ok().filter(|key| !key.contains('\t')).filter(is_usable);
    match (key, keys.next()) {
        (Some(key), None) => Ok(Some(Idempotency { key: key.to_owned(), fingerprint: digest })),
        _ => Err(Problem::bad_request(
            "idempotency_key_invalid",
            "Idempotency-Key must be sent once, with 1 to 255 printable ASCII characters",
        )),
    }
}

/// Where an answer goes on that a client asks for again: behind `Last-Event-ID`.
///
/// # Errors
/// Also without the key of the first request: who reconnects by sending a message again would have it done twice.
pub(crate) fn cursor<T: cursor::Id>(
    headers: &HeaderMap,
    key: Option<&Idempotency>,
) -> Result<Option<T>, Problem> {
    let cursor = cursor::from_headers(headers)?;
    if cursor.is_some() && key.is_none() {
        let detail = "Last-Event-ID goes on with an earlier request: send the Idempotency-Key of that one, or read the job's stream";
        return Err(Problem::bad_request("idempotency_key_missing", detail));
    }
    Ok(cursor)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn read(keys: &[&[u8]]) -> Result<Option<String>, &'static str> {
        let pair = |key: &&[u8]| (HeaderName::from_static(HEADER), HeaderValue::from_bytes(key).unwrap());
        let headers: HeaderMap = keys.iter().map(pair).collect();
        let key = of(&headers, "digest".to_owned()).map_err(|problem| problem.code)?;
        Ok(key.map(|key| key.key))
    }

    #[test]
    fn a_key_is_short_and_printable() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b"a b~!"]), Ok(Some("a b~!".to_owned())));
        assert_eq!(read(&[&[b'x'; 255]]), Ok(Some("x".repeat(255))));
        for bad in [&[b'x'; 256][..], b"", b"a\tb", "schlüssel".as_bytes()] {
            assert_eq!(read(&[bad]), Err("idempotency_key_invalid"), "{bad:?}");
        }
        assert_eq!(read(&[b"a", b"b"]), Err("idempotency_key_invalid"));
    }
}
