//! Reading a platform's configuration strictly, with errors that name the field.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Error, ErrorKind, Result};

/// Reads a configuration; `null` is the defaults. `T` must take a missing field for its default, at every depth.
///
/// # Errors
/// [`ErrorKind::Invalid`] with the path of the field that is unknown or malformed.
pub fn read_config<T: DeserializeOwned + Default>(platform: &'static str, config: Value) -> Result<T> {
    if config.is_null() {
        return Ok(T::default());
    }
    if !config.is_object() {
        // serde would read a list as the fields in their order.
        return Err(invalid_field(platform, "the configuration", "write it as names and values"));
    }
    serde_json::from_value(config.clone()).map_err(|error| {
        let field = culprit::<T>(&config).unwrap_or_else(|| "the configuration".to_owned());
        invalid_field(platform, &field, &error.to_string()).with_source(error)
    })
}

/// The error of a configuration field.
pub fn invalid_field(platform: &'static str, field: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Invalid, platform, "configure", format!("{field}: {reason}"))
}

/// The path of the first field that is refused also when it stands alone. serde says what is wrong with a value but
/// not where it stands.
fn culprit<T: DeserializeOwned>(config: &Value) -> Option<String> {
    fn search<T: DeserializeOwned>(value: &Value, path: &mut Vec<String>) -> bool {
        if let Value::Object(fields) = value {
            for (name, field) in fields {
                path.push(name.clone());
                if search::<T>(field, path) {
                    return true;
                }
                path.pop();
            }
        }
        !path.is_empty() && serde_json::from_value::<T>(alone(path, value)).is_err()
    }
    let mut path = Vec::new();
    search::<T>(config, &mut path).then(|| path.join("."))
}

/// A configuration with this one value at this path.
fn alone(path: &[String], value: &Value) -> Value {
    path.iter()
        .rev()
        .fold(value.clone(), |inner, name| Value::Object(Map::from_iter([(name.clone(), inner)])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Outer {
        name: String,
        limits: Inner,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        pids: u32,
        memory: Option<u16>,
    }

    fn message(config: Value) -> String {
        let error = read_config::<Outer>("test", config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.message().to_owned()
    }

    #[test]
    fn nothing_is_the_defaults() {
        assert_eq!(read_config::<Outer>("test", Value::Null).unwrap(), Outer::default());
    }

    #[test]
    fn an_error_names_the_field_at_every_depth() {
        assert!(message(json!({"name": "a", "limits": {"pids": "many"}})).starts_with("limits.pids: "));
        assert!(message(json!({"limits": {"memory": "lots"}})).starts_with("limits.memory: "));
        assert!(message(json!({"name": 1})).starts_with("name: "));
        assert!(message(json!({"name": "a", "naem": "b"})).starts_with("naem: unknown field `naem`"));
        assert!(message(json!({"limits": {"x": 1}})).starts_with("limits.x: unknown field"));
        assert!(message(json!([])).starts_with("the configuration: "));
    }
}
