//! What a message says.

use agcluster_core::protocol::PromptBlock;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::Problem;

/// A text, or parts of the kinds that an API has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Content<P> {
    Text(String),
    Parts(Vec<P>),
}

/// A part of what a message says.
pub(super) trait Part {
    /// What an agent gets of it; `param` is where it stands in the request.
    fn read(self, param: &str) -> Result<PromptBlock, Problem>;
}

impl<P: Part> Content<P> {
    /// What an agent gets of it; `param` is where it stands in the request.
    pub(super) fn read(self, param: &str) -> Result<Vec<PromptBlock>, Problem> {
        match self {
            Self::Text(text) => Ok(vec![PromptBlock::Text { text }]),
            Self::Parts(parts) => {
                let parts = parts.into_iter().enumerate();
                parts.map(|(nth, part)| part.read(&format!("{param}[{nth}]"))).collect()
            }
        }
    }
}
