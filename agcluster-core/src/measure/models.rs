//! The names of models, as labels.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use ::metrics::SharedString;

/// So many models are counted by name; further ones as `other`. A container says what its models are called.
pub const MODELS: usize = 64;

/// The longest name.
const LONGEST: usize = 64;

#[derive(Debug)]
struct Known(BTreeSet<String>);

static KNOWN: Mutex<Known> = Mutex::new(Known(BTreeSet::new()));

impl Known {
    fn name(&mut self, model: &str) -> SharedString {
        if self.0.contains(model) {
            return model.to_owned().into();
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/@[]".contains(&byte);
        let fits = !model.is_empty() && model.len() <= LONGEST && model.bytes().all(is_name);
        if !fits || self.0.len() >= MODELS {
            return "other".into();
        }
        self.0.insert(model.to_owned());
        model.to_owned().into()
    }
}

/// The label of a model.
pub(super) fn name(model: &str) -> SharedString {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).name(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_cannot_make_up_any_number_of_labels() {
        let mut known = Known(BTreeSet::new());
        assert_eq!(&*known.name("claude-sonnet-4-5[1m]"), "claude-sonnet-4-5[1m]");
        for bad in ["", "a b", "a\nb", "\"", &"x".repeat(65)] {
            assert_eq!(&*known.name(bad), "other", "{bad:?}");
        }
        for number in 0..2 * MODELS {
            known.name(&format!("model-{number}"));
        }
        assert_eq!(known.0.len(), MODELS);
        assert_eq!(&*known.name("model-0"), "model-0");
        assert_eq!(&*known.name("one-more"), "other");
    }
}
