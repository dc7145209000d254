//! Keeps secrets out of what the program says about itself.

/// Shorter ones would hide half of every text, and are guessed anyway.
const SHORTEST: usize = 6;

/// Secrets that no text for people may hold.
#[derive(Default)]
pub(super) struct Scrub(Vec<String>);

impl Scrub {
    pub(super) fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
            // The longest first, so that none hides in a longer one.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    pub(super) fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
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
