//! Paths as the file system has them: bytes, which need not be text.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What must not stand in the text of a path as it is. Bytes beyond ASCII never do.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');
/// What need not be escaped in the path of a URL.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path or a name. In JSON it is text in which control characters, percent signs and all bytes beyond ASCII are written
/// as `%XX`, so that no name is lost.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Vec<u8>);

impl FilePath {
    /// The path of these bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The path that stands in a URL.
    pub fn from_url(text: &str) -> Self {
        Self(percent_decode_str(text).collect())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text, with a sign in place of what is none.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Whether [`text`](Self::text) is all of it.
    pub fn is_text(&self) -> bool {
        std::str::from_utf8(&self.0).is_ok()
    }

    /// As it stands in the path of a URL.
    pub fn to_url(&self) -> String {
        percent_encode(&self.0, IN_URL).to_string()
    }

    /// As a path from the workspace's root, which may be written as `/workspace` too: without slashes at its ends and in a row,
    /// and without `.` among its parts. What `..` would mean is for others to say.
    pub fn relative(&self) -> Self {
        let below =
            self.0.strip_prefix(b"/workspace").filter(|rest| matches!(rest.first(), None | Some(b'/')));
        let parts = below.unwrap_or(&self.0).split(|byte| *byte == b'/');
        let parts = parts.filter(|part| !part.is_empty() && *part != b".");
        Self(parts.collect::<Vec<_>>().join(&b'/'))
    }

    /// The part behind the last slash.
    pub fn name(&self) -> Self {
        let name = self.0.rsplit(|byte| *byte == b'/').find(|part| !part.is_empty());
        Self(name.unwrap_or_default().to_vec())
    }

    /// This path with a further part.
    pub fn join(&self, name: &Self) -> Self {
        match self.0.as_slice() {
            [] => name.clone(),
            above => Self([above, b"/", &name.0].concat()),
        }
    }
}

impl From<&str> for FilePath {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for FilePath {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&percent_encode(&self.0, ESCAPED))
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_url(&Cow::<str>::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_survive_json_and_urls(bytes: Vec<u8>) {
            let path = FilePath::from_bytes(bytes);
            let json = serde_json::to_string(&path).unwrap();
            prop_assert!(json.is_ascii());
            prop_assert_eq!(&serde_json::from_str::<FilePath>(&json).unwrap(), &path);
            prop_assert_eq!(&FilePath::from_url(&path.to_url()), &path);
        }
    }

    #[test]
    fn names_are_written_readably() {
        let json = |bytes: &[u8]| serde_json::to_string(&FilePath::from_bytes(bytes)).unwrap();
        assert_eq!(json(b"src/a b+c.rs"), r#""src/a b+c.rs""#);
        assert_eq!(json(b"two\nlines"), r#""two%0Alines""#);
        assert_eq!(json(b"caf\xe9 100%"), r#""caf%E9 100%25""#);
    }

    #[test]
    fn parts_are_taken_off_and_put_on() {
        let path = |text: &str| FilePath::from(text);
        assert_eq!(path("a/b.txt").name(), path("b.txt"));
        assert_eq!(path("a/").name(), path("a"));
        assert_eq!(path("/").name(), path(""));
        assert_eq!(path("/a//./b/").relative(), path("a/b"));
        assert_eq!(path("/workspace/a").relative(), path("a"));
        assert_eq!(path("/workspaces/a").relative(), path("workspaces/a"));
        assert_eq!(path("workspace/a").relative(), path("workspace/a"));
        assert_eq!(path("").join(&path("a")).join(&path("b")), path("a/b"));
    }
}
