//! From which web pages a WebSocket may be opened: browsers ask nobody before they do.

use axum::http::{HeaderMap, StatusCode, header};

use crate::Problem;

/// Refuses a page that is neither of this server itself nor of an origin that may call. What is no browser sends no origin.
pub(super) fn check(headers: &HeaderMap, allowed: &[String]) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_own = || {
        let (_, authority) = origin.split_once("://")?;
        Some(host? == authority)
    };
    if allowed.iter().any(|allowed| allowed == origin) || is_own() == Some(true) {
        return Ok(());
    }
    let detail = "pages of this origin may not open terminals: add it to ALLOWED_ORIGINS";
    Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_strangers_are_refused() {
        let allowed = ["http://localhost:3000".to_owned()];
        let check = |origin: &str| {
            let headers = [(header::HOST, "agents.example:8000"), (header::ORIGIN, origin)];
            let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
            check(&HeaderMap::from_iter(headers), &allowed).is_ok()
        };
        assert!(check("http://localhost:3000") && check("https://agents.example:8000"));
        for stranger in
            ["https://evil.example", "null", "http://localhost:3001", "https://agents.example", ""]
        {
            assert!(!check(stranger), "{stranger}");
        }
        assert!(super::check(&HeaderMap::new(), &allowed).is_ok());
    }
}
