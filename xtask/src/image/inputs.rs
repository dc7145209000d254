//! What an image is made of, as one short text that changes when any of it does.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Everything that an agent image depends on.
#[derive(Hash)]
pub(super) struct Inputs {
    /// Text of the Dockerfile.
    pub(super) dockerfile: Vec<u8>,
    /// The agent server's binary.
    pub(super) agent: Vec<u8>,
    /// Version of the agent server, which becomes a label.
    pub(super) agent_version: String,
    /// Version of the Claude program. One version is one file.
    pub(super) claude_version: &'static str,
    /// Id, not name, of the base image.
    pub(super) base: String,
    /// Name of the variant.
    pub(super) variant: &'static str,
}

impl Inputs {
    /// The hash. It notices change and is no defence; another compiler release may compute another one,
    /// which costs one build.
    pub(super) fn hash(&self) -> String {
        let mut hasher = DefaultHasher::new();
        Hash::hash(self, &mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            dockerfile: b"FROM base".to_vec(),
            agent: b"ELF".to_vec(),
            agent_version: "1.0.0".to_owned(),
            claude_version: "2.0.0",
            base: "sha256:0".to_owned(),
            variant: "default",
        }
    }

    #[test]
    fn every_input_counts() {
        let all = [
            inputs(),
            Inputs { dockerfile: b"FROM another".to_vec(), ..inputs() },
            Inputs { agent: b"ELF2".to_vec(), ..inputs() },
            Inputs { agent_version: "1.0.1".to_owned(), ..inputs() },
            Inputs { claude_version: "2.0.1", ..inputs() },
            Inputs { base: "sha256:1".to_owned(), ..inputs() },
            Inputs { variant: "data", ..inputs() },
        ];
        let hashes: std::collections::BTreeSet<_> = all.iter().map(Inputs::hash).collect();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn the_same_inputs_have_the_same_hash() {
        assert_eq!(inputs().hash(), inputs().hash());
    }
}
