//! The body of a request that is a configuration: JSON, or YAML.

use agcluster_core::config::{AgentConfig, ConfigError, ReadConfig};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use serde_json::Value;

use crate::Problem;

/// The largest document.
const MOST_BYTES: usize = 256 * 1024;

/// A document that was not read yet.
#[derive(Debug)]
pub(crate) enum Document {
    Json(Value),
    Yaml(String),
}

impl Document {
    /// The configuration, if it is one.
    pub(crate) fn read(self) -> Result<ReadConfig, ConfigError> {
        match self {
            Self::Json(document) => AgentConfig::from_json(document),
            Self::Yaml(text) => AgentConfig::from_yaml(&text),
        }
    }

    /// The same, with this id where a JSON document has none.
    pub(crate) fn named(mut self, id: &str) -> Self {
        if let Self::Json(Value::Object(fields)) = &mut self {
            fields.entry("id").or_insert_with(|| id.into());
        }
        self
    }
}

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let format = Format::of(request.headers())?;
        let bytes = Bytes::from_request(request, state).await?;
        if bytes.len() > MOST_BYTES {
            let detail = format!("a configuration has at most {} KiB: make it smaller", MOST_BYTES / 1024);
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
        }
        match format {
            Format::Json => serde_json::from_slice(&bytes).map(Self::Json).map_err(|error| {
                let detail =
                    format!("the body is no JSON (line {}, column {})", error.line(), error.column());
                Problem::bad_request("invalid_json", detail)
            }),
            Format::Yaml => String::from_utf8(bytes.into()).map(Self::Yaml).map_err(|_| {
                Problem::bad_request("invalid_request", "the body is not UTF-8: send a YAML text")
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Yaml,
}

impl Format {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let value =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/json" => Ok(Self::Json),
            "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => Ok(Self::Yaml),
            _ => {
                let detail =
                    "send the configuration with \"Content-Type: application/json\" or \"application/yaml\"";
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_says_what_the_body_is() {
        let of = |value: &str| {
            Format::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())])).ok()
        };
        assert_eq!(of("application/json; charset=utf-8"), Some(Format::Json));
        assert_eq!(of("Application/YAML"), Some(Format::Yaml));
        assert_eq!(of("text/x-yaml"), Some(Format::Yaml));
        assert_eq!(of("text/plain"), None);
        assert!(Format::of(&HeaderMap::new()).is_err());
    }
}
