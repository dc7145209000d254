//! Keeps secrets out of what the program says about itself.

use secrecy::{ExposeSecret, SecretString};

/// Shorter ones would hide half of every text, and are guessed anyway.
const SHORTEST: usize = 6;

/// Secrets that no text for people may hold.
#[derive(Default)]
pub(super) struct Scrub(Vec<SecretString>);

impl Scrub {
    pub(super) fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST && !self.0.iter().any(|known| known.expose_secret() == secret) {
            self.0.push(SecretString::from(secret));
            // The longest first, so that none hides in a longer one.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        }
    }

    pub(super) fn clean(&self, text: &str) -> String {
        let redact = |text: String, secret: &SecretString| text.replace(secret.expose_secret(), "[redacted]");
        self.0.iter().fold(text.to_owned(), redact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_and_short_words_are_left() {
        let mut scrub = Scrub::default();
        for secret in ["token-1", "token-1-long", "true", ""] {
            scrub.add(secret);
        }
        assert_eq!(scrub.clean("a token-1-long, token-1, true"), "a [redacted], [redacted], true");
    }
}
