//! Whose a session is.

use std::fmt;

use agcluster_protocol::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The owner of a session, known by the digest of a key. The key itself is not kept.
#[derive(Clone, Copy)]
pub struct Owner([u8; 32]);

impl Owner {
    /// The owner who holds this key.
    pub fn of(key: &Secret) -> Self {
        Self(Sha256::digest(key.expose().as_bytes()).into())
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
}
