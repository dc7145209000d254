//! JSON Schema, as far as the schemas here use it.

use serde_json::Value;

/// What a value has that its schema does not allow, one sentence each with the place.
pub(super) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, value, "$", &mut faults);
    faults
}

fn check(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(kinds) = schema.get("type")
        && !is_one_of(kinds, value)
    {
        faults.push(format!("{at} is {value} and not of type {kinds}"));
        return;
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        faults.push(format!("{at} is {value} and not {constant}"));
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        faults.push(format!("{at} is {value} and none of {allowed:?}"));
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(number) = value.as_f64()
        && (bound("minimum").is_some_and(|least| number < least)
            || bound("maximum").is_some_and(|most| number > most))
    {
        faults.push(format!("{at} is {number} and out of bounds"));
    }
    if let Some(choices) = schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array) {
        let fits = choices.iter().any(|choice| self::faults(choice, value).is_empty());
        if !fits {
            faults.push(format!("{at} is {value}, which none of {} shapes allows", choices.len()));
        }
    }
    match value {
        Value::Object(fields) => object(schema, fields, at, faults),
        Value::Array(items) => {
            let most = schema.get("maxItems").and_then(Value::as_u64);
            if most.is_some_and(|most| items.len() as u64 > most) {
                faults.push(format!("{at} has {} items", items.len()));
            }
            if let Some(schema) = schema.get("items") {
                for (number, item) in items.iter().enumerate() {
                    check(schema, item, &format!("{at}[{number}]"), faults);
                }
            }
        }
        _ => {}
    }
}

fn object(schema: &Value, fields: &serde_json::Map<String, Value>, at: &str, faults: &mut Vec<String>) {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str).filter(|name| !fields.contains_key(*name)) {
        faults.push(format!("{at} has no {name}"));
    }
    let most = schema.get("maxProperties").and_then(Value::as_u64);
    if most.is_some_and(|most| fields.len() as u64 > most) {
        faults.push(format!("{at} has {} fields", fields.len()));
    }
    let known = schema.get("properties");
    for (name, field) in fields {
        let at = format!("{at}.{name}");
        match (known.and_then(|known| known.get(name)), schema.get("additionalProperties")) {
            (Some(schema), _) => check(schema, field, &at, faults),
            (None, Some(Value::Bool(false))) => faults.push(format!("{at} is not known")),
            (None, Some(schema)) => check(schema, field, &at, faults),
            (None, None) => {}
        }
    }
}

fn is_one_of(kinds: &Value, value: &Value) -> bool {
    match kinds {
        Value::Array(kinds) => kinds.iter().any(|kind| is_one_of(kind, value)),
        Value::String(kind) => match kind.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_fit_is_found_with_its_place() {
        let schema = json!({
            "type": "object",
            "required": ["a"],
            "properties": {
                "a": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                "b": {"anyOf": [{"const": "x"}, {"type": ["number", "null"]}]},
            },
            "additionalProperties": false,
        });
        assert_eq!(faults(&schema, &json!({"a": [1, 2], "b": null})), Vec::<String>::new());
        for (value, place) in [
            (json!([]), "$ is"),
            (json!({}), "$ has no a"),
            (json!({"a": [0]}), "$.a[0]"),
            (json!({"a": [1.5]}), "$.a[0]"),
            (json!({"a": [], "b": "y"}), "$.b"),
            (json!({"a": [], "c": 1}), "$.c is not known"),
        ] {
            let found = faults(&schema, &value);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(place), "{found:?}");
        }
    }
}
