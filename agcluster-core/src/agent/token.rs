//! The bearer token of each container.

use std::fmt;

use agcluster_protocol::Secret;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};

use crate::hex;

/// The key from which every container's token follows, so that no token needs to be stored: whoever has the key can reach
/// the containers again after a restart.
pub struct TokenKey(SecretBox<[u8; 32]>);

impl TokenKey {
    /// A random key, for a control plane that remembers nothing.
    ///
    /// # Errors
    /// Those of the operating system's random source.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(SecretBox::new(Box::new(bytes))))
    }

    /// The key that follows from a secret text of the operator's.
    pub fn from_secret(secret: &Secret) -> Self {
        Self(SecretBox::new(Box::new(Sha256::digest(secret.expose().as_bytes()).into())))
    }

    /// The token of one container.
    pub fn token(&self, session: &str, generation: u32) -> AgentToken {
        let mut mac = match Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes keys of any length"),
        };
        mac.update(b"agent token\0");
        mac.update(session.as_bytes());
        mac.update(&generation.to_be_bytes());
        AgentToken(Secret::new(hex(&mac.finalize().into_bytes())))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey([redacted])")
    }
}

/// The bearer token of one container's agent server.
#[derive(Clone, Debug)]
pub struct AgentToken(Secret);

impl AgentToken {
    /// The token itself, for the `Authorization` header.
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// Its SHA-256 digest in lower-case hex: all that the container is started with.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.0.expose().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_by_session_and_generation_and_follow_from_the_key() {
        let key = TokenKey::from_secret(&Secret::new("s"));
        let token = |session, generation| key.token(session, generation).secret().expose().to_owned();
        assert_eq!(token("a", 1), token("a", 1));
        assert_ne!(token("a", 1), token("a", 2));
        assert_ne!(token("a", 1), token("b", 1));
        let other = TokenKey::random().unwrap();
        assert_ne!(token("a", 1), *other.token("a", 1).secret().expose());
    }

    #[test]
    fn a_token_is_not_printed() {
        let key = TokenKey::random().unwrap();
        let token = key.token("a", 1);
        let printed = format!("{key:?} {token:?}");
        assert!(!printed.contains(token.secret().expose()));
    }
}
