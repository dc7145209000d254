//! Commands that are kept by a name, so that they can be gone on with.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use agcluster_protocol::workspace::{ExecFrame, KEY_REUSED, KeptExec, TOO_MANY_COMMANDS};

use super::super::kept::Kept;
use crate::http::Refusal;

/// The most that are kept, running or ended.
const MOST: usize = 64;
/// About so many bytes of output are kept of each. It waits when half of them were read by nobody.
const KEPT: usize = 2 << 20;

/// Commands by their names, oldest first.
#[derive(Default)]
pub(super) struct Registry(Mutex<VecDeque<Named>>);

struct Named {
    name: String,
    fingerprint: String,
    kept: Arc<Kept<ExecFrame>>,
}

impl Registry {
    /// The command of this name. Where there is none, it is started.
    pub(super) fn find(
        &self,
        wanted: &KeptExec,
        start: impl FnOnce(&Arc<Kept<ExecFrame>>) -> Result<(), Refusal>,
    ) -> Result<Arc<Kept<ExecFrame>>, Refusal> {
        let KeptExec { name, fingerprint, .. } = wanted;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|known| known.name == *name) {
            if known.fingerprint != *fingerprint {
                let detail = "this key was used for another command: use a new key for a new command";
                return Err(Refusal::new(KEY_REUSED, detail));
            }
            return Ok(known.kept.clone());
        }
        if all.len() >= MOST {
            let ended = all.iter().position(|known| known.kept.is_over() && !known.kept.is_read());
            let ended = ended.ok_or_else(|| {
                let detail =
                    format!("{MOST} commands with a key run, which is the most: wait for one of them");
                Refusal::new(TOO_MANY_COMMANDS, detail)
            })?;
            all.remove(ended);
        }
        let kept = Arc::new(Kept::new(KEPT));
        start(&kept)?;
        all.push_back(Named { name: name.clone(), fingerprint: fingerprint.clone(), kept: kept.clone() });
        Ok(kept)
    }
}
