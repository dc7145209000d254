//! All terminals of a workspace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agcluster_protocol::codes;
use agcluster_protocol::workspace::{TERMINAL_NOT_FOUND, TOO_MANY_TERMINALS, Terminal as View, TerminalSize};

use super::scrollback::Scrollback;
use super::shell::Shell;
use super::terminal::Terminal;
use crate::http::Refusal;
use crate::program::ProcessTree;
use crate::workspace::WorkspaceConfig;

/// All terminals of a workspace, by name. One whose shell has ended stays until its name or its place is needed.
pub(super) struct Terminals {
    config: WorkspaceConfig,
    tree: Arc<ProcessTree>,
    open: Mutex<BTreeMap<String, Arc<Terminal>>>,
}

impl Terminals {
    pub(super) fn new(config: WorkspaceConfig, tree: Arc<ProcessTree>) -> Self {
        Self { config, tree, open: Mutex::default() }
    }

    /// The terminal of that name, with a shell that runs; and whether it was made now.
    pub(super) fn open(
        &self,
        name: &str,
        size: Option<TerminalSize>,
    ) -> Result<(Arc<Terminal>, bool), Refusal> {
        let mut open = self.all();
        let before = open.get(name);
        if let Some(terminal) = before.filter(|terminal| !terminal.has_ended()) {
            return Ok((terminal.clone(), false));
        }
        if self.config.closing.is_cancelled() {
            return Err(Refusal::new(codes::INTERNAL, "the workspace is ending"));
        }
        // Offsets go on under the same name, so that a viewer's cursor is never ahead.
        let oldest = before.map_or(0, |terminal| terminal.newest());
        let most = self.config.terminals.most;
        if before.is_none() && open.len() >= most {
            let ended = open.iter().find(|(_, terminal)| terminal.has_ended()).map(|(name, _)| name.clone());
            let ended = ended.ok_or_else(|| {
                let detail = format!("{most} terminals are open, which is the most: end one of them first");
                Refusal::new(TOO_MANY_TERMINALS, detail)
            })?;
            open.remove(&ended);
        }
        let size = size.unwrap_or_default();
        let shell = Shell::start(&self.config, &self.tree, size)?;
        let scrollback = Scrollback::new(oldest, self.config.terminals.scrollback_bytes);
        let close = self.config.closing.child_token();
        let (terminal, attended) = Terminal::new(name, &self.config.root, shell, (size, scrollback), close);
        self.config.tasks.spawn(attended.attend(self.tree.clone(), self.config.terminals.idle));
        open.insert(name.to_owned(), terminal.clone());
        Ok((terminal, true))
    }

    /// The terminal of that name.
    pub(super) fn get(&self, name: &str) -> Result<Arc<Terminal>, Refusal> {
        self.all().get(name).cloned().ok_or_else(|| {
            Refusal::new(TERMINAL_NOT_FOUND, "there is no terminal of that name: open it first")
        })
    }

    pub(super) fn list(&self) -> Vec<View> {
        self.all().values().map(|terminal| terminal.view(false)).collect()
    }

    /// Ends the terminal of that name and forgets it.
    pub(super) async fn end(&self, name: &str) -> Result<(), Refusal> {
        let terminal = self.get(name)?;
        terminal.end().await;
        let mut open = self.all();
        // Another one may have been opened under its name meanwhile.
        if open.get(name).is_some_and(|now| Arc::ptr_eq(now, &terminal)) {
            open.remove(name);
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Terminal>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
