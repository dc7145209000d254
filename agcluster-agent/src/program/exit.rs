//! How a program ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a program ended, and the last it wrote to its standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stderr: String,
}

impl Exit {
    pub(super) fn new(status: Option<ExitStatus>, stderr: String) -> Self {
        let code = status.and_then(|status| status.code());
        let signal = status.and_then(|status| status.signal());
        Self { code, signal, stderr }
    }

    /// How it ended, for a sentence: `ended with code 1`.
    pub(crate) fn describe(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("ended with code {code}"),
            (None, Some(9)) => "was killed (signal 9), perhaps for want of memory".to_owned(),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        }
    }
}
