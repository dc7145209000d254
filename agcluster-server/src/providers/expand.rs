//! Variables in configuration files.

use serde_json::Value;

use super::Environment;

/// Puts the values of variables into every string of a configuration: `${NAME}`, `${NAME:-default}`, and `$${` for a `${` that is meant. What a
/// variable holds is not looked through again, and is never anything but text: a variable cannot become a list or a number.
///
/// # Errors
/// A sentence with the field's path: a variable is not set or empty, or the brackets hold none.
pub(super) fn expand(value: &mut Value, path: &str, environment: &Environment) -> Result<(), String> {
    match value {
        Value::String(text) => {
            *text = expanded(text, environment).map_err(|why| format!("{path} {why}"))?;
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand(item, &format!("{path}[{index}]"), environment)?;
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                expand(field, &format!("{path}.{name}"), environment)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn expanded(text: &str, environment: &Environment) -> Result<String, String> {
    let (mut done, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            done.push_str(before);
            done.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        done.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let Some(end) = inside.find('}') else {
            return Err("has a ${ without a }: close it, or write $${".to_owned());
        };
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err("has something in ${} that is no variable's name: write ${NAME} or ${NAME:-default}"
                .to_owned());
        }
        match environment.get(name).or(default) {
            Some(value) => done.push_str(value),
            None => return Err(format!("needs the environment variable {name}, which is not set")),
        }
        rest = &inside[end + 1..];
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn environment() -> Environment {
        [("TOKEN", "s3cret"), ("EMPTY", ""), ("NESTED", "${TOKEN}")].into_iter().collect()
    }

    fn of(text: &str) -> Result<String, String> {
        expanded(text, &environment())
    }

    #[test]
    fn variables_are_put_in_wherever_they_stand() {
        let mut value = json!({ "a": ["${TOKEN}", 3], "b": { "c": "x-${TOKEN}-${TOKEN}" }, "d": null });
        expand(&mut value, "all", &environment()).unwrap();
        assert_eq!(value, json!({ "a": ["s3cret", 3], "b": { "c": "x-s3cret-s3cret" }, "d": null }));
    }

    #[test]
    fn a_default_stands_in_for_what_is_not_set_or_empty() {
        assert_eq!(of("${NONE:-https://x/y:-z}").unwrap(), "https://x/y:-z");
        assert_eq!((of("${EMPTY:-e}").unwrap(), of("${NONE:-}").unwrap()), ("e".into(), String::new()));
        assert_eq!(of("${TOKEN:-other}").unwrap(), "s3cret");
    }

    #[test]
    fn nothing_is_expanded_twice_and_what_is_meant_can_be_written() {
        assert_eq!(of("${NESTED}").unwrap(), "${TOKEN}");
        assert_eq!(of("$${TOKEN} $5 $ {x}").unwrap(), "${TOKEN} $5 $ {x}");
    }

    #[test]
    fn what_is_missing_is_named_with_its_field() {
        for text in ["${NONE}", "${EMPTY}"] {
            let mut value = json!({ "inner": [text] });
            let error = expand(&mut value, "outer", &environment()).unwrap_err();
            let name = &text[2..text.len() - 1];
            assert_eq!(
                error,
                format!("outer.inner[0] needs the environment variable {name}, which is not set")
            );
        }
        for text in ["${", "${}", "${a b}", "${:-x}"] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
