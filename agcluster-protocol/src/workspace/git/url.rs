//! Where a repository is.

use std::fmt;

/// The longest URL.
const LONGEST: usize = 2048;

/// A URL of a repository that can be used here: `https://host/path`, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUrl(String);

/// Why it cannot. One sentence, which repeats nothing of the URL: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidUrl(&'static str);

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidUrl {}

impl RepositoryUrl {
    /// Reads a URL; `plain_http` allows one whose connection is not encrypted.
    ///
    /// # Errors
    /// When it is not of that kind.
    pub fn parse(text: &str, plain_http: bool) -> Result<Self, InvalidUrl> {
        let invalid = |why| Err(InvalidUrl(why));
        let Some((scheme, rest)) = text.split_once("://") else {
            return invalid("a repository is named by a URL that begins with https://");
        };
        match scheme {
            "https" => {}
            "http" if plain_http => {}
            "http" => return invalid("http:// is not encrypted: use https://"),
            _ => return invalid("only repositories at https:// can be used: not ssh, git, or files"),
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return invalid("credentials do not belong into the URL: send them as credentials");
        }
        let is_plain = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'?' | b'#'))
        };
        if authority.is_empty() || !is_plain(rest) || text.len() > LONGEST {
            return invalid("the URL has no host, or characters that no URL of a repository has");
        }
        let url = Self(text.to_owned());
        if matches!(url.name(), "" | "." | "..") || path.split('/').any(|part| part == "..") {
            return invalid("the URL names no repository: it is like https://host/owner/name");
        }
        Ok(url)
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The repository's own name, as a clone's folder is called.
    pub fn name(&self) -> &str {
        let path = self.0.splitn(4, '/').nth(3).unwrap_or_default().trim_end_matches('/');
        let name = path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".git").unwrap_or(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_url_without_secrets_and_tricks_is_taken() {
        for (url, name) in [
            ("https://github.com/owner/name", "name"),
            ("https://github.com/owner/name.git", "name"),
            ("https://host:8443/a/b/c/", "c"),
        ] {
            assert_eq!(RepositoryUrl::parse(url, false).unwrap().name(), name, "{url}");
        }
        for (url, says) in [
            ("git@github.com:owner/name", "begins with https"),
            ("ssh://git@github.com/owner/name", "only repositories at https"),
            ("file:///etc", "only repositories at https"),
            ("ext::sh -c x", "begins with https"),
            ("--upload-pack=x", "begins with https"),
            ("https://user:hush@github.com/o/n", "credentials do not belong"),
            ("https://token@github.com/o/n", "credentials do not belong"),
            ("http://github.com/o/n", "not encrypted"),
            ("https:///o/n", "no host"),
            ("https://host/a b", "characters"),
            ("https://host\\@evil/a", "credentials do not belong"),
            ("https://host\\evil/a", "characters"),
            ("https://host/a?b", "characters"),
            ("https://host/", "names no repository"),
            ("https://host/.git", "names no repository"),
            ("https://host/../a", "names no repository"),
        ] {
            let error = RepositoryUrl::parse(url, false).unwrap_err().to_string();
            assert!(error.contains(says), "{url}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
        assert!(RepositoryUrl::parse("http://127.0.0.1:1/o/n", true).is_ok());
    }
}
