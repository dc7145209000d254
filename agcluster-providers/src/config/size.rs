//! A number of bytes in a configuration.

use std::fmt;

use agcluster_core::provider::parse_size;
use serde::{Deserialize, Deserializer, Serialize, de};

/// A number of bytes, written as a number or as Docker writes sizes: `512m`, `4g` (powers of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many mebibytes.
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as 512m or 4g")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                self.visit_str(&bytes.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                parse_size(text).map(Size).map_err(|error| E::custom(format!("{text:?} {error}")))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// As a person would write it: the largest unit that leaves a whole number.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, "t"), (30, "g"), (20, "m"), (10, "k")] {
            if self.0 > 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_and_words() {
        assert_eq!(serde_json::from_str::<Size>("\"4g\"").unwrap(), Size::mib(4096));
        assert_eq!(serde_json::from_str::<Size>("1024").unwrap(), Size::bytes(1024));
        for bad in ["0", "\"0\"", "-1", "\"4x\"", "true", "1.5"] {
            assert!(serde_json::from_str::<Size>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn is_written_as_it_is_read() {
        for text in ["4g", "512m", "10k", "1t", "1025"] {
            let size: Size = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(size.to_string(), text);
        }
    }
}
