//! A platform's configuration: its file, and what the environment names besides.

use std::path::Path;

use agcluster_core::provider::{Error, Result};
use serde_json::{Map, Value};

use super::expand::expand;
use super::{Environment, invalid};

/// What was found for a platform.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its fields. They may hold credentials: nothing prints them.
    pub(super) fields: Map<String, Value>,
    /// Whether there is a file, or a variable of the platform's.
    pub(super) is_configured: bool,
}

/// Reads the platform's file, expands variables in it, and adds what the environment has under the platform's own names (`variables`:
/// a variable and the path of its field). The file says how; what the environment names wins.
///
/// # Errors
/// [`ErrorKind::Invalid`](agcluster_core::provider::ErrorKind::Invalid) with the file's name: it cannot be read, is no YAML, or needs a variable that is not set.
pub(super) fn find(
    folder: &Path,
    platform: &str,
    variables: &[(&str, &str)],
    environment: &Environment,
) -> Result<Found> {
    let path = folder.join(format!("{platform}.yaml"));
    // The file's name and not its path, and no piece of it: everybody may ask what a platform lacks.
    let in_file = |message: String| -> Error { invalid(format!("{platform}.yaml: {message}")) };
    let mut found = match std::fs::read_to_string(&path) {
        Ok(text) => {
            let options = serde_saphyr::options! { with_snippet: false };
            let read = serde_saphyr::from_str_with_options::<Option<Map<String, Value>>>(&text, options);
            let fields = read.map_err(|error| in_file(format!("it is not valid: {error}")))?;
            Found { fields: fields.unwrap_or_default(), is_configured: true }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::default(),
        Err(error) => return Err(in_file(format!("it cannot be read: {error}"))),
    };
    // The first one that says something about a field counts.
    for (variable, field) in variables.iter().rev() {
        if let Some(value) = environment.get(variable) {
            found.is_configured = true;
            put(&mut found.fields, field, value.into());
        }
    }
    // After that: what the environment says itself needs no variable of the file's.
    for (name, value) in &mut found.fields {
        expand(value, name, environment).map_err(in_file)?;
    }
    Ok(found)
}

/// Sets the field at a path like `limits.memory`.
fn put(fields: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            fields.insert(path.to_owned(), value);
        }
        Some((name, rest)) => {
            let inner = fields.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
