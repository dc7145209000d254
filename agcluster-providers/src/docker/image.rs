//! What is known of images, so that a launch need not ask each time.

use std::collections::HashMap;
use std::sync::Mutex;

use super::AGENT_VERSION_LABEL;
use super::api::{Api, Failure};

/// What matters of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// The id of its content; a name may come to mean another one.
    pub(super) id: String,
    /// Whether it has an agent server of its own.
    pub(super) has_agent: bool,
}

/// Remembers images by the name they were asked for.
#[derive(Debug, Default)]
pub(super) struct Images {
    known: Mutex<HashMap<String, Image>>,
}

/// Names come from users, so there is an end to how many are remembered.
const MOST: usize = 256;

impl Images {
    /// The image of this name, asked for if it is not known; `None` when the engine has none.
    pub(super) async fn get(&self, api: &Api, name: &str) -> Result<Option<Image>, Failure> {
        if let Some(image) = self.known(name) {
            return Ok(Some(image));
        }
        let Some(seen) = api.image(name).await? else { return Ok(None) };
        let image = Image { id: seen.id, has_agent: seen.labels.contains_key(AGENT_VERSION_LABEL) };
        if let Ok(mut known) = self.known.lock() {
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(name.to_owned(), image.clone());
        }
        Ok(Some(image))
    }

    /// Forgets a name after a sign that it means something else now.
    pub(super) fn forget(&self, name: &str) {
        if let Ok(mut known) = self.known.lock() {
            known.remove(name);
        }
    }

    fn known(&self, name: &str) -> Option<Image> {
        self.known.lock().ok()?.get(name).cloned()
    }
}
