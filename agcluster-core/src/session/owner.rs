//! Whose a session is.

use std::fmt;

use agcluster_protocol::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::hex;

/// The owner of a session, known by the digest of a key. The key itself is not kept.
#[derive(Clone, Copy)]
pub struct Owner([u8; 32]);

impl Owner {
    /// The owner who holds this key.
    pub fn of(key: &Secret) -> Self {
        Self(Sha256::digest(key.expose().as_bytes()).into())
    }
}

impl Owner {
    /// The digest in lower-case hex, for a store.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// Back from [`to_hex`](Self::to_hex).
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(digest))
    }
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("not the digest of a key"))
    }
}

/// Takes the same time whether or not they are the same.
impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Owner {}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_is_the_same_owner() {
        assert_eq!(Owner::of(&Secret::new("a")), Owner::of(&Secret::new("a")));
        assert_ne!(Owner::of(&Secret::new("a")), Owner::of(&Secret::new("b")));
    }

    #[test]
    fn an_owner_is_read_back_from_its_digest() {
        let owner = Owner::of(&Secret::new("a"));
        assert_eq!(Owner::from_hex(&owner.to_hex()), Some(owner));
        assert_eq!(Owner::from_hex("+1"), None);
        assert_eq!(Owner::from_hex(&"+1".repeat(32)), None);
    }
}
