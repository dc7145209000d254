//! One provider's name, or several.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};

/// More than any server has.
const MOST: usize = 16;

/// What a launch may say where it wants to run: `"docker"`, or `["docker", "fly_machines"]`. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderNames(Vec<String>);

impl ProviderNames {
    /// The names in their order.
    pub(crate) fn into_list(self) -> Vec<String> {
        self.0
    }
}

/// For the description of a field that may be absent.
pub(super) fn schema() -> impl Into<RefOr<Schema>> {
    let kind = |kind| ObjectBuilder::new().schema_type(SchemaType::Type(kind));
    let list = ArrayBuilder::new().items(kind(Type::String)).min_items(Some(1)).max_items(Some(MOST));
    OneOfBuilder::new().item(kind(Type::Null)).item(kind(Type::String)).item(list)
}

impl<'de> Deserialize<'de> for ProviderNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = ProviderNames;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a provider, or a list of names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ProviderNames, E> {
                Ok(ProviderNames(vec![name.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<ProviderNames, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element::<String>()? {
                    all.push(name);
                    if all.len() > MOST {
                        return Err(A::Error::custom("the list of providers is too long"));
                    }
                }
                if all.is_empty() {
                    let why = "the list of providers is empty: name one, or leave it out for the default";
                    return Err(A::Error::custom(why));
                }
                Ok(ProviderNames(all))
            }
        }

        deserializer.deserialize_any(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<Vec<String>, String> {
        let names: Option<ProviderNames> =
            serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(names.map(ProviderNames::into_list).unwrap_or_default())
    }

    #[test]
    fn a_name_a_list_or_nothing() {
        assert_eq!(read(json!("docker")).unwrap(), ["docker"]);
        assert_eq!(read(json!(["docker", "vercel"])).unwrap(), ["docker", "vercel"]);
        assert_eq!(read(Value::Null).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(read(json!([])).unwrap_err().contains("is empty"));
        assert!(read(json!(3)).unwrap_err().contains("the name of a provider, or a list of names"));
        assert!(read(json!(["docker", 3])).is_err());
        assert!(read(json!(vec!["x"; 17])).unwrap_err().contains("too long"));
    }
}
