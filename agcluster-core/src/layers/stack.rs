//! Layers in their order.

use std::sync::Arc;

use super::Layer;
use crate::provider::ContainerProvider;

/// A provider and the layers around it, from the inside outwards.
#[derive(Debug, Clone)]
pub struct Stack {
    provider: Arc<dyn ContainerProvider>,
}

impl Stack {
    /// A provider without layers.
    pub fn of(provider: Arc<dyn ContainerProvider>) -> Self {
        Self { provider }
    }

    /// Puts a layer around all that is there.
    pub fn with(self, layer: impl Layer) -> Self {
        Self { provider: layer.on(self.provider) }
    }

    /// The whole as one provider.
    pub fn build(self) -> Arc<dyn ContainerProvider> {
        self.provider
    }
}
