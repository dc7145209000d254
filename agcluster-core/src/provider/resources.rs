//! How much of a machine a container may use.

use serde::{Deserialize, Serialize};

/// How much of a machine a container may use. `None` means the provider's default, never "no limit".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_millis: Option<u64>,
    /// Bytes of memory, swap included.
    pub memory_bytes: Option<u64>,
    /// Bytes of workspace.
    pub storage_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// Why a size could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no size: write a whole number of bytes with an optional k, m, g or t behind it (1k is 1024), such as 512m or 4g"
)]
pub struct ParseSizeError;

/// Reads a size as Docker does: `512m`, `4g`, `1024`; `k`, `kb`, `m`, `mb`, `g`, `gb`, `t`, `tb` in either case, each a power of 1024.
///
/// # Errors
/// [`ParseSizeError`] for anything else, zero and what does not fit into 63 bits included.
pub fn parse_size(text: &str) -> Result<u64, ParseSizeError> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return Err(ParseSizeError),
    };
    let number: u64 = number.parse().map_err(|_| ParseSizeError)?;
    match number.checked_mul(1 << shift) {
        Some(bytes) if bytes > 0 && i64::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err(ParseSizeError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gigabyte_is_two_to_the_thirty() {
        assert_eq!(parse_size("4g"), Ok(4 << 30));
        assert_eq!(parse_size("512m"), Ok(512 << 20));
        assert_eq!(parse_size("1 GB"), Ok(1 << 30));
        assert_eq!(parse_size("4096"), Ok(4096));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for bad in ["", "g", "-1g", "1.5g", "4x", "0", "0m", "99999999999t", "4 g b", "٤g"] {
            assert_eq!(parse_size(bad), Err(ParseSizeError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_gives_zero(text in ".*") {
            if let Ok(size) = parse_size(&text) {
                prop_assert!(size > 0);
            }
        }
    }
}
