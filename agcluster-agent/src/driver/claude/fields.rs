//! Taking a JSON object apart without losing what nobody asked for.

use serde_json::{Map, Value};

/// The fields of an object that nobody has taken yet.
///
/// A field is taken only in the type that is asked for: what does not fit stays, and ends up with the rest.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn new(object: Map<String, Value>) -> Self {
        Self(object)
    }

    /// What is left.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.0
    }

    pub(super) fn str(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Removes a field that says nothing by being null.
    pub(super) fn remove_null(&mut self, name: &str) {
        self.take_if(name, Value::is_null);
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    pub(super) fn take_string(&mut self, name: &str) -> Option<String> {
        match self.take_if(name, Value::is_string)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn take_bool(&mut self, name: &str) -> Option<bool> {
        self.take_if(name, Value::is_boolean)?.as_bool()
    }

    pub(super) fn take_u64(&mut self, name: &str) -> Option<u64> {
        self.take_if(name, Value::is_u64)?.as_u64()
    }

    pub(super) fn take_u32(&mut self, name: &str) -> Option<u32> {
        let fits = |value: &Value| value.as_u64().is_some_and(|number| u32::try_from(number).is_ok());
        self.take_if(name, fits)?.as_u64().and_then(|number| u32::try_from(number).ok())
    }

    pub(super) fn take_array(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take_if(name, Value::is_array)? {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// A list of which every item is a string.
    pub(super) fn take_strings(&mut self, name: &str) -> Option<Vec<String>> {
        let all_strings =
            |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        let items = self.take_if(name, all_strings)?;
        Some(strings(&items))
    }

    pub(super) fn take_object(&mut self, name: &str) -> Option<Fields> {
        match self.take_if(name, Value::is_object)? {
            Value::Object(object) => Some(Fields(object)),
            _ => None,
        }
    }

    /// Puts back what is left of an object that was taken.
    pub(super) fn put_back(&mut self, name: &str, rest: Fields) {
        if !rest.0.is_empty() {
            self.0.insert(name.to_owned(), Value::Object(rest.0));
        }
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn take_if(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        if self.0.get(name).is_some_and(fits) { self.0.remove(name) } else { None }
    }
}

/// The strings in a list; none in anything else.
pub(super) fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
