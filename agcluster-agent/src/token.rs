//! The bearer token, of which only the digest is known.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 digest of the bearer token that opens an agent server.
///
/// It is no secret: the token is random and long, so that nothing can be learnt from its digest.
#[derive(Debug, Clone, Copy)]
pub struct TokenDigest([u8; 32]);

/// The text is not the lower- or upper-case hex of a SHA-256 digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token digest is 64 hexadecimal digits: the SHA-256 of the token")]
pub struct InvalidDigest;

impl TokenDigest {
    /// The digest of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Reads a digest from hex, as it stands in [`agcluster_protocol::TOKEN_DIGEST_ENV`].
    ///
    /// # Errors
    ///
    /// When it is not 64 hexadecimal digits.
    pub fn from_hex(hex: &str) -> Result<Self, InvalidDigest> {
        let hex = hex.as_bytes();
        let mut digest = [0; 32];
        if hex.len() != 2 * digest.len() {
            return Err(InvalidDigest);
        }
        for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = 16 * digit(pair[0])? + digit(pair[1])?;
        }
        Ok(Self(digest))
    }

    /// Whether this is the digest of `token`, in a time that does not depend on how much of it is right.
    pub(crate) fn matches(&self, token: &str) -> bool {
        self.0.ct_eq(&Self::of(token).0).into()
    }
}

fn digit(byte: u8) -> Result<u8, InvalidDigest> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(InvalidDigest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_digest_in_hex_opens_for_its_token_alone() {
        let digest = TokenDigest::from_hex(OF_ABC).unwrap();
        assert!(digest.matches("abc"));
        assert!(!digest.matches("abd"));
        assert!(!digest.matches(""));
        assert!(TokenDigest::from_hex(&OF_ABC.to_uppercase()).unwrap().matches("abc"));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        assert_eq!(TokenDigest::from_hex("").unwrap_err(), InvalidDigest);
        assert_eq!(TokenDigest::from_hex(&OF_ABC[1..]).unwrap_err(), InvalidDigest);
        assert_eq!(TokenDigest::from_hex(&OF_ABC.replace('b', "g")).unwrap_err(), InvalidDigest);
        assert_eq!(TokenDigest::from_hex(&"é".repeat(32)).unwrap_err(), InvalidDigest);
    }
}
