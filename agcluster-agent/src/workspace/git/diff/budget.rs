//! How much of a difference is shown.

use std::io;

use serde::Serialize;

/// The most bytes of JSON: with the rest of the answer below what the control plane reads.
const JSON: usize = 3 << 20;
/// The most bytes of a patch that are looked at.
const PATCH: usize = 256 << 20;

/// What is left to be shown.
#[derive(Debug)]
pub(super) struct Budget {
    json: usize,
    patch: usize,
}

impl Budget {
    pub(super) fn whole() -> Self {
        Self { json: JSON, patch: PATCH }
    }

    /// Takes room for something; nothing is taken when there is not enough.
    pub(super) fn take(&mut self, value: &impl Serialize) -> bool {
        let mut count = Count(0);
        let counted = serde_json::to_writer(&mut count, value).is_ok();
        let left = self.json.checked_sub(count.0 + 1).filter(|_| counted);
        self.json = left.unwrap_or(self.json);
        left.is_some()
    }

    /// Says that so many bytes were looked at.
    pub(super) fn seen(&mut self, bytes: usize) {
        self.patch = self.patch.saturating_sub(bytes);
    }

    pub(super) fn is_seen_enough(&self) -> bool {
        self.patch == 0
    }
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
