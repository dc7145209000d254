//! Where a store is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use super::StoreError;

/// Where a store is: `sqlite:///path/of/file`, `sqlite://relative/file`, `postgres://user:password@host/database`, or
/// `memory:`. Printed without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Place);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    Memory,
    Sqlite(SqliteFile),
    Postgres(Url),
}

/// A file with an SQLite database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqliteFile {
    /// The file, taken as it is written.
    pub(super) path: PathBuf,
    /// Whether each commit waits until it would outlive a power cut.
    pub(super) full: bool,
}

/// What PostgreSQL may be told in an address. Anything else is refused: it may be a misspelt password, which nobody should
/// then find in a log.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

const FORMS: &str = "write sqlite:///path/of/file, sqlite://relative/file, postgres://user:password@host/database, or memory:";

impl DatabaseUrl {
    /// A file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Place::Sqlite(SqliteFile { path: path.into(), full: false }))
    }

    /// Whether what is kept there outlives the process.
    pub fn is_lasting(&self) -> bool {
        self.0 != Place::Memory
    }

    pub(super) fn place(&self) -> &Place {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let refuse = |why: String| Err(StoreError::Open(format!("DATABASE_URL {why}")));
        if text == "memory:" {
            return Ok(Self(Place::Memory));
        }
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            let (path, synchronous) = rest.split_once("?synchronous=").unwrap_or((rest, "normal"));
            if path.is_empty() || path.starts_with(':') || path.contains('?') {
                return refuse(format!("names no file: {FORMS}"));
            }
            let full = match synchronous {
                "normal" => false,
                "full" => true,
                _ => return refuse("has a wrong value of synchronous: write normal or full".to_owned()),
            };
            return Ok(Self(Place::Sqlite(SqliteFile { path: PathBuf::from(path), full })));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let Ok(url) = Url::parse(text) else {
                return refuse("is no address of PostgreSQL: write postgres://user:password@host/database, with special characters of the password as %XX".to_owned());
            };
            let known = |name: &str| PARAMETERS.contains(&name) || name.starts_with("options[");
            if !url.query_pairs().all(|(name, _)| known(&name)) {
                return refuse(format!(
                    "has a parameter that is not known: known are {} and options[name]",
                    PARAMETERS.join(", ")
                ));
            }
            return Ok(Self(Place::Postgres(url)));
        }
        refuse(format!("is of no known kind: {FORMS}"))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Memory => f.write_str("memory:"),
            Place::Sqlite(file) => {
                write!(f, "sqlite://{}", file.path.display())?;
                if file.full { f.write_str("?synchronous=full") } else { Ok(()) }
            }
            Place::Postgres(url) => {
                // Parameters can hold a password too.
                let user =
                    if url.username().is_empty() { String::new() } else { format!("{}@", url.username()) };
                let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
                write!(f, "postgres://{user}{}{port}{}", url.host_str().unwrap_or_default(), url.path())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse::<DatabaseUrl>().unwrap().0
    }

    #[test]
    fn every_kind_is_known() {
        let file = |path: &str, full| Place::Sqlite(SqliteFile { path: PathBuf::from(path), full });
        assert!(place("memory:") == Place::Memory);
        assert!(place("sqlite:///var/lib/a b.db") == file("/var/lib/a b.db", false));
        assert!(place("sqlite://data/a.db") == file("data/a.db", false));
        assert!(place("sqlite:a.db") == file("a.db", false));
        assert!(place("sqlite:///a.db?synchronous=full") == file("/a.db", true));
        assert!(matches!(place("postgres://u:p@h/d"), Place::Postgres(_)));
        assert!(matches!(place("postgresql:///d?host=/run/postgresql"), Place::Postgres(_)));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for text in [
            "",
            "mysql://u:geheim@h/d",
            "sqlite://",
            "sqlite::memory:",
            "sqlite:///a?mode=ro",
            "postgres://u:geheim@h:port/d",
            "postgres://h/d?passwort=geheim",
            "/var/lib/geheim.db",
            "sqlite:///a?synchronous=geheim",
        ] {
            let StoreError::Open(message) = text.parse::<DatabaseUrl>().unwrap_err() else {
                panic!("{text}")
            };
            assert!(message.starts_with("DATABASE_URL ") && !message.contains("geheim"), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn the_password_is_not_printed() {
        for text in ["postgres://user:geheim@host:5433/d", "postgres://user@host:5433/d?password=geheim"] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), "postgres://user@host:5433/d");
            assert_eq!(format!("{url:?}"), "DatabaseUrl(postgres://user@host:5433/d)");
        }
        for text in ["memory:", "sqlite:///a.db", "sqlite:///a.db?synchronous=full", "sqlite://a.db"] {
            assert_eq!(text.parse::<DatabaseUrl>().unwrap().to_string(), text);
        }
    }
}
