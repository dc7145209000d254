//! Holding a value to a schema of Swagger 2.0, as far as that description goes.

use serde_json::Value;

/// Adds a sentence for everything in a value that its schema does not have. An object without `properties` may hold anything.
pub(super) fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        match document["definitions"].get(name) {
            Some(schema) => check(document, schema, value, at, faults),
            None => faults.push(format!("{at} is of the unknown type {name}")),
        }
        return;
    }
    for schema in schema["allOf"].as_array().into_iter().flatten() {
        check(document, schema, value, at, faults);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = |schema: &Value| {
            let mut faults = Vec::new();
            check(document, schema, value, at, &mut faults);
            faults.is_empty()
        };
        if !choices.iter().any(fits) {
            faults.push(format!("{at} is {value}"));
        }
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        faults.push(format!("{at} is {value}, which is none of {allowed:?}"));
    }
    match schema["type"].as_str() {
        Some("object") => object(document, schema, value, at, faults),
        Some("array") => match value.as_array() {
            Some(items) => {
                for (number, item) in items.iter().enumerate() {
                    check(document, &schema["items"], item, &format!("{at}[{number}]"), faults);
                }
            }
            None => faults.push(format!("{at} is no list but {value}")),
        },
        Some("string") if !value.is_string() => faults.push(format!("{at} is no text but {value}")),
        Some("integer") if !value.is_i64() && !value.is_u64() => {
            faults.push(format!("{at} is no whole number but {value}"));
        }
        Some("number") if !value.is_number() => faults.push(format!("{at} is no number but {value}")),
        Some("boolean") if !value.is_boolean() => {
            faults.push(format!("{at} is neither true nor false but {value}"))
        }
        _ => {}
    }
}

fn object(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(fields) = value.as_object() else {
        faults.push(format!("{at} is no object but {value}"));
        return;
    };
    let properties = schema["properties"].as_object();
    let others = schema.get("additionalProperties");
    for (name, field) in fields {
        let at = format!("{at}.{name}");
        match (properties.and_then(|known| known.get(name)), others) {
            (Some(schema), _) | (None, Some(schema)) => check(document, schema, field, &at, faults),
            (None, None) if properties.is_some() => faults.push(format!("{at} is not in the description")),
            (None, None) => {}
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            faults.push(format!("{at} lacks {name}"));
        }
    }
}
