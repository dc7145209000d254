//! Names as git quotes them, when they have characters that would be misread.

/// The bytes of a name: as it is, or between quotes with backslashes.
pub(super) fn unquoted(name: &[u8]) -> Vec<u8> {
    let Some(inner) = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")) else {
        return name.to_vec();
    };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let Some((escape, after)) = rest.split_first() else { break };
        rest = after;
        bytes.push(match escape {
            b'a' => 0x07,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'r' => b'\r',
            b'0'..=b'3' => {
                let (digits, after) = rest.split_at(rest.len().min(2));
                rest = after;
                digits.iter().fold(escape - b'0', |value, digit| {
                    value.wrapping_mul(8).wrapping_add(digit.wrapping_sub(b'0') & 7)
                })
            }
            other => *other,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_what_git_meant() {
        assert_eq!(unquoted(b"plain \\name"), b"plain \\name");
        assert_eq!(unquoted(br#""a\nb\t\"c\\ \303\251""#), "a\nb\t\"c\\ é".as_bytes());
        assert_eq!(unquoted(br#""\"#), br#""\"#);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(name: Vec<u8>) {
            let quoted = [b"\"", &*name, b"\""].concat();
            prop_assert!(unquoted(&quoted).len() <= name.len());
        }
    }
}
