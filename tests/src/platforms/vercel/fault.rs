//! What goes wrong on purpose.

use http::Method;

/// Something that goes wrong with calls that fit.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The method of the calls.
    pub method: Method,
    /// How their path ends.
    pub path: &'static str,
    /// How often.
    pub times: usize,
    /// What happens.
    pub what: What,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum What {
    /// The call is refused and nothing is done.
    Refused {
        /// The status.
        status: u16,
        /// The code of the error.
        code: &'static str,
        /// Its message.
        message: &'static str,
        /// The header `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// What was asked is done, and the connection breaks before the answer.
    AnswerLost,
}

impl Fault {
    /// A refusal of one call.
    pub fn refused(method: Method, path: &'static str, status: u16, code: &'static str) -> Self {
        let what = What::Refused { status, code, message: "injected", retry_after: None };
        Self { method, path, times: 1, what }
    }

    /// The answer of one call gets lost.
    pub fn answer_lost(method: Method, path: &'static str) -> Self {
        Self { method, path, times: 1, what: What::AnswerLost }
    }

    pub(super) fn fits(&self, method: &Method, path: &str) -> bool {
        self.times > 0 && self.method == *method && path.ends_with(self.path)
    }
}
