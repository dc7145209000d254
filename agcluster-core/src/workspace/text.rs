//! Text from bytes that come in pieces.

/// Makes text of pieces of UTF-8, which may be cut within a character. What is no UTF-8 becomes replacement characters.
#[derive(Debug, Default)]
pub struct TextPieces {
    /// The beginning of a character.
    cut: Vec<u8>,
    /// The beginning of the stream was not seen, so that it may begin within a character.
    within: bool,
}

impl TextPieces {
    /// For a stream that is read from its beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that something is missing before the next piece.
    pub fn skip(&mut self) {
        self.cut.clear();
        self.within = true;
    }

    /// The text of the next piece, without a character at its end that is not there whole.
    pub fn push(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.cut);
        bytes.extend_from_slice(piece);
        if std::mem::take(&mut self.within) {
            // At most three bytes of a character are not its first.
            let whole = bytes.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
            bytes.drain(..whole);
        }
        let mut text = String::with_capacity(bytes.len());
        let mut rest = &bytes[..];
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    return text;
                }
                Err(error) => {
                    let (valid, broken) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(length) = error.error_len() else {
                        self.cut = broken.to_vec();
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &broken[length..];
                }
            }
        }
    }

    /// How many bytes wait for the rest of their character.
    pub fn waiting(&self) -> u64 {
        // Three at most.
        u64::try_from(self.cut.len()).unwrap_or_default()
    }

    /// What is left at the end of the stream.
    pub fn end(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.cut)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_character_that_is_cut_waits_for_its_rest() {
        let mut pieces = TextPieces::new();
        let text = "a€ü🦀".as_bytes();
        let made: String = text.chunks(1).map(|byte| pieces.push(byte)).collect();
        assert_eq!(made, "a€ü🦀");
        assert_eq!(pieces.push(b"x\xff\xe2y"), "x\u{fffd}\u{fffd}y");
        assert_eq!((pieces.push(b"\xe2\x82"), pieces.end()), (String::new(), "\u{fffd}".to_owned()));
    }

    #[test]
    fn what_begins_within_a_character_begins_with_the_next() {
        let mut pieces = TextPieces::new();
        pieces.push(b"\xf0\x9f");
        pieces.skip();
        assert_eq!(pieces.push(&"€a".as_bytes()[1..]), "a");
    }

    proptest! {
        #[test]
        fn text_is_the_same_however_it_is_cut(text in ".{0,40}", cuts in prop::collection::vec(0_usize..8, 0..20)) {
            let mut pieces = TextPieces::new();
            let (mut made, mut rest) = (String::new(), text.as_bytes());
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                made.push_str(&pieces.push(piece));
                rest = after;
            }
            made.push_str(&pieces.push(rest));
            made.push_str(&pieces.end());
            prop_assert_eq!(made, text);
        }

        #[test]
        fn any_bytes_become_the_text_they_would_be_at_once(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut pieces = TextPieces::new();
            let mut made: String = bytes.chunks(3).map(|piece| pieces.push(piece)).collect();
            made.push_str(&pieces.end());
            prop_assert_eq!(made, String::from_utf8_lossy(&bytes));
        }
    }
}
