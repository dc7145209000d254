//! Connections to containers of this process.

use std::io;
use std::sync::Arc;

use agcluster_core::provider::{Dial, Io};
use async_trait::async_trait;

use super::world::World;

/// Dials one container.
pub(super) struct MemoryDial {
    pub(super) world: Arc<World>,
    pub(super) container: String,
}

#[async_trait]
impl Dial for MemoryDial {
    async fn dial(&self) -> io::Result<Box<dyn Io>> {
        self.world.connect(&self.container).ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }
}
