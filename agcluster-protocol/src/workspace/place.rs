//! Places in streams of the workspace that can be gone on with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A place in a stream: behind it one can read on, for as long as what follows is kept. As text: `EPOCH-NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which stream: no other one has the same.
    pub epoch: u64,
    /// The number of a frame in it; 0 is before the first.
    pub number: u64,
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPlace;

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a place in a stream is two numbers and a dash between them")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (epoch, number) = text.split_once('-').ok_or(NoPlace)?;
        let [epoch, number] = [epoch, number].map(|part| {
            // A sign is no part of a number.
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten()
        });
        Ok(Self { epoch: epoch.ok_or(NoPlace)?, number: number.ok_or(NoPlace)? })
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A frame of a stream, with its place where it can be gone on behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed<T> {
    /// What is told.
    #[serde(flatten)]
    pub frame: T,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl<T> Placed<T> {
    /// A frame that nobody can go on behind.
    pub fn nowhere(frame: T) -> Self {
        Self { frame, place: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Data, ExecFrame, Exit};
    use super::*;

    #[test]
    fn a_place_is_two_numbers() {
        let place = Place { epoch: 17, number: u64::MAX };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "1", "-", "1-", "-1", "1-2-3", "+1-2", "1-+2", "a-1", "1-99999999999999999999"] {
            assert_eq!(bad.parse::<Place>(), Err(NoPlace), "{bad:?}");
        }
    }

    #[test]
    fn a_frame_has_its_place_beside_what_it_tells_and_may_have_none() {
        let data = Data(b"hi".to_vec());
        let placed = Placed { frame: ExecFrame::Stdout { data }, place: Some(Place { epoch: 7, number: 1 }) };
        let json = r#"{"type":"stdout","data":"aGk=","place":"7-1"}"#;
        assert_eq!(serde_json::to_string(&placed).unwrap(), json);
        assert_eq!(serde_json::from_str::<Placed<ExecFrame>>(json).unwrap(), placed);
        let exit = Exit { code: Some(0), signal: None };
        let end = Placed::nowhere(ExecFrame::Exited { exit, timed_out: false, duration_ms: 1 });
        let json = serde_json::to_string(&end).unwrap();
        assert!(!json.contains("place"), "{json}");
        assert_eq!(serde_json::from_str::<Placed<ExecFrame>>(&json).unwrap(), end);
        let newer = serde_json::from_str::<Placed<ExecFrame>>(r#"{"type":"newer","place":"7-2"}"#).unwrap();
        assert_eq!(newer.frame, ExecFrame::Other);
    }
}
