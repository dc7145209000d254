//! What a container wrote, and places in it.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Error, ErrorKind, Result};

/// One piece of a container's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Which stream.
    pub source: LogSource,
    /// The bytes, as they were written.
    pub bytes: Bytes,
    /// Where it ends, where the platform says so: behind that one can read on.
    pub place: Option<LogPlace>,
    /// Whether it is [behind](super::LogOptions::after) nothing: who asks has it, and is told it again only because what follows
    /// may begin within a character.
    pub seen: bool,
}

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A place in a container's output. As text: `LOG-NUMBER`, or `LOG-NUMBER.PART`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    /// Which output: no other one has the same.
    pub log: u64,
    /// Bytes from its beginning, or a time in nanoseconds.
    pub number: u64,
    /// Which piece of that time, from 0.
    pub part: u32,
}

impl LogPlace {
    /// So many bytes, or nanoseconds, into the output of this name.
    pub fn in_log(name: &str, number: u64) -> Self {
        let digest = Sha256::digest(name);
        let log = digest.iter().take(6).fold(0, |log, byte| log << 8 | u64::from(*byte));
        Self { log, number, part: 0 }
    }

    /// Whether a piece that ends here has been seen by who has a later place.
    pub fn is_seen_from(&self, later: &Self) -> bool {
        (self.number, self.part) <= (later.number, later.part)
    }

    /// Refuses a place of another output than this one's.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`].
    pub fn check(&self, after: Option<Self>, platform: &'static str) -> Result<()> {
        match after {
            Some(after) if after.log != self.log => Err(self.gone(platform)),
            _ => Ok(()),
        }
    }

    /// That what follows a place is no longer kept.
    pub fn gone(&self, platform: &'static str) -> Error {
        let message = "what follows is no longer kept: read the log anew, without a place to go on from";
        Error::new(ErrorKind::Gone, platform, "logs", message)
    }

    /// That nothing was written at a place yet.
    pub fn in_future(&self, platform: &'static str) -> Error {
        let message = format!("nothing was written at {self} yet");
        Error::new(ErrorKind::Invalid, platform, "logs", message)
    }
}

impl fmt::Display for LogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, number, part } = self;
        match part {
            0 => write!(f, "{log}-{number}"),
            part => write!(f, "{log}-{number}.{part}"),
        }
    }
}

/// A text that is no place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a place in a log is a number, a dash, and a number that may have a part")]
pub struct NoLogPlace;

impl FromStr for LogPlace {
    type Err = NoLogPlace;

    fn from_str(text: &str) -> Result<Self, NoLogPlace> {
        // A sign is no part of a number.
        let read = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| text.parse::<u64>().ok()).flatten().ok_or(NoLogPlace)
        };
        let (log, number) = text.split_once('-').ok_or(NoLogPlace)?;
        let (number, part) = number.split_once('.').unwrap_or((number, "0"));
        let part = u32::try_from(read(part)?).map_err(|_| NoLogPlace)?;
        Ok(Self { log: read(log)?, number: read(number)?, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for part in [0, 3] {
            let place = LogPlace { part, ..LogPlace::in_log("agc-s-g1", 1_700_000_000_000_000_000) };
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        assert_ne!(LogPlace::in_log("agc-s-g1", 1).log, LogPlace::in_log("agc-s-g2", 1).log);
        for bad in [
            "",
            "1",
            "-",
            "1-",
            "-1",
            "1-2-3",
            "1-2.",
            "1-2.x",
            "+1-2",
            "1-+2",
            "1-2.3.4",
            "1-99999999999999999999",
        ] {
            assert_eq!(bad.parse::<LogPlace>(), Err(NoLogPlace), "{bad:?}");
        }
    }
}
