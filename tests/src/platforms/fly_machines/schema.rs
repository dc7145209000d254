//! The published description of the API, and what has been added to it since: requests and answers are held to both.

mod additions;
mod check;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::aloud::not_checked;

/// The description of 2024 with the additions up to 2026. Without the file, nothing is held to it.
#[derive(Debug)]
pub(super) struct Schema {
    document: Value,
    has_file: bool,
}

/// The published description, beside the checkout.
const FILE: &str = "../shared/reference/specs/fly-machines-swagger2-2024-03.json";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE)
}

impl Schema {
    /// Reads the description.
    pub(super) fn load() -> anyhow::Result<Self> {
        let (mut document, has_file) = match std::fs::read_to_string(file()) {
            Ok(text) => (serde_json::from_str(&text)?, true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                not_checked(&format!("what Fly is asked and answers, against {FILE}"));
                (Value::Object(Map::new()), false)
            }
            Err(error) => return Err(error.into()),
        };
        merge(&mut document, additions::additions());
        Ok(Self { document, has_file })
    }

    /// What is wrong with a request, one sentence each. `path` has `{app_name}` and the like in place of names.
    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        query: &[(String, String)],
        body: Option<&Value>,
    ) -> Vec<String> {
        if !self.has_file {
            return Vec::new();
        }
        let Some(operation) = self.document["paths"][path][method.to_lowercase()].as_object() else {
            return vec![format!("{method} {path} is not in the description")];
        };
        let parameters: Vec<&Value> =
            operation.get("parameters").and_then(Value::as_array).into_iter().flatten().collect();
        let mut faults = Vec::new();
        for (name, value) in query {
            let known = parameters.iter().find(|parameter| {
                let known = parameter["name"].as_str().unwrap_or_default();
                parameter["in"] == "query"
                    && (known == name || known.strip_suffix('*').is_some_and(|start| name.starts_with(start)))
            });
            match known {
                None => faults.push(format!("{method} {path} has no parameter {name}")),
                Some(known) if !fits(value, known["type"].as_str()) => {
                    faults.push(format!("{method} {path}: {name} is {value:?}"));
                }
                Some(_) => {}
            }
        }
        for parameter in parameters.iter().filter(|parameter| parameter["required"] == true) {
            let name = parameter["name"].as_str().unwrap_or_default();
            let is_there = match parameter["in"].as_str() {
                Some("query") => query.iter().any(|(given, _)| given == name),
                Some("body") => body.is_some(),
                _ => true,
            };
            if !is_there {
                faults.push(format!("{method} {path} lacks {name}"));
            }
        }
        let schema =
            parameters.iter().find(|parameter| parameter["in"] == "body").map(|found| &found["schema"]);
        match (schema, body) {
            (Some(schema), Some(body)) => check::check(&self.document, schema, body, "body", &mut faults),
            (None, Some(_)) => faults.push(format!("{method} {path} takes no body")),
            _ => {}
        }
        faults
    }

    /// What is wrong with an answer of this type.
    pub(super) fn answer(&self, definition: &str, answer: &Value) -> Vec<String> {
        if !self.has_file {
            return Vec::new();
        }
        let mut faults = Vec::new();
        match self.document["definitions"].get(definition) {
            Some(schema) => check::check(&self.document, schema, answer, definition, &mut faults),
            None => faults.push(format!("{definition} is not in the description")),
        }
        faults
    }
}

fn fits(value: &str, kind: Option<&str>) -> bool {
    match kind {
        Some("boolean") => matches!(value, "true" | "false"),
        Some("integer") => value.parse::<i64>().is_ok(),
        _ => !value.is_empty(),
    }
}

/// Puts one document into another: objects join, lists grow, everything else is replaced.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(known) => merge(known, value),
                    None => drop(into.insert(key, value)),
                }
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MACHINES: &str = "/apps/{app_name}/machines";

    fn faults(path: &str, method: &str, query: &[(&str, &str)], body: Option<Value>) -> Vec<String> {
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Schema::load().unwrap().request(method, path, &query, body.as_ref())
    }

    #[test]
    fn what_is_described_is_taken() {
        let body = json!({"name": "a", "skip_secrets": true, "config": {"image": "i", "services": [{"autostop": "off"}]}});
        assert_eq!(faults(MACHINES, "POST", &[], Some(body)), Vec::<String>::new());
        assert_eq!(faults(MACHINES, "GET", &[("metadata.a", "b")], None), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_described_is_a_fault() {
        if !Schema::load().unwrap().has_file {
            return;
        }
        assert_eq!(faults("/apps/{app_name}/machine", "GET", &[], None).len(), 1);
        assert_eq!(faults(MACHINES, "PUT", &[], None).len(), 1);
        assert_eq!(faults(MACHINES, "GET", &[("labels", "b")], None).len(), 1);
        assert_eq!(faults(MACHINES, "POST", &[], None).len(), 1);
        for body in [
            json!({"config": {"image": "i"}, "nmae": "a"}),
            json!({"config": {}}),
            json!({"config": {"image": "i", "guest": {"cpus": "1"}}}),
            json!({"config": {"image": "i", "services": [{"autostop": "maybe"}]}}),
            json!({"config": {"image": "i", "restart": {"policy": "never"}}}),
            json!({"config": {"image": "i", "metadata": {"a": 1}}}),
        ] {
            let found = faults(MACHINES, "POST", &[], Some(body.clone()));
            assert_eq!(found.len(), 1, "{body} {found:?}");
        }
    }
}
