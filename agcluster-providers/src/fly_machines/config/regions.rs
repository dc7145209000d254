//! Regions in a configuration.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// Region codes in the order in which they are tried: a list, or a text with commas (`fra,ams`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Regions(Vec<String>);

impl Regions {
    /// These regions.
    pub fn new<S: Into<String>>(codes: impl IntoIterator<Item = S>) -> Self {
        Self(codes.into_iter().map(Into::into).collect())
    }

    /// Their codes.
    pub fn codes(&self) -> &[String] {
        &self.0
    }

    fn read<E: de::Error>(codes: impl IntoIterator<Item = String>) -> Result<Self, E> {
        let mut regions = Vec::new();
        for code in codes {
            let code = code.trim();
            if code.is_empty() {
                continue;
            }
            if !code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
                return Err(E::custom(format!("{code:?} is no region: write codes such as fra or iad")));
            }
            if !regions.iter().any(|known| known == code) {
                regions.push(code.to_owned());
            }
        }
        Ok(Self(regions))
    }
}

impl<'de> Deserialize<'de> for Regions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Regions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("region codes such as [fra, ams]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Regions, E> {
                Regions::read(text.split(',').map(str::to_owned))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Regions, A::Error> {
                let mut codes = Vec::new();
                while let Some(code) = list.next_element::<String>()? {
                    codes.push(code);
                }
                Regions::read(codes)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_a_text_say_the_same() {
        let expected = Regions::new(["fra", "ams"]);
        for text in [r#"["fra","ams"]"#, r#""fra,ams""#, r#"" fra , ams,,fra ""#] {
            assert_eq!(serde_json::from_str::<Regions>(text).unwrap(), expected, "{text}");
        }
        assert_eq!(serde_json::from_str::<Regions>("\"\"").unwrap(), Regions::default());
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in [r#"["Frankfurt"]"#, r#""fra ams""#, "7", r#"[1]"#] {
            assert!(serde_json::from_str::<Regions>(text).is_err(), "{text}");
        }
    }
}
