//! What is asked for, as the part of a URL behind the path.

use serde::Serialize;
use serde_json::Value;
use url::form_urlencoded;

use crate::agent::{self, AgentError};

/// A flat structure with a question mark before it; nothing when it has no fields.
pub(super) fn query_string(query: &impl Serialize) -> agent::Result<String> {
    let query = serde_json::to_value(query).map_err(|error| AgentError::Protocol(error.to_string()))?;
    let Value::Object(fields) = query else { return Ok(String::new()) };
    let mut written = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::String(text) => drop(written.append_pair(&name, &text)),
            other => drop(written.append_pair(&name, &other.to_string())),
        }
    }
    Ok(written.finish())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_for_stands_in_the_url_whatever_it_is() {
        let query = json!({ "path": "a b&c=\u{fc}", "base": "x\n", "head": null, "staged": false });
        assert_eq!(query_string(&query).unwrap(), "?path=a+b%26c%3D%C3%BC&base=x%0A&staged=false");
        assert_eq!(query_string(&Value::Null).unwrap(), "");
    }
}
