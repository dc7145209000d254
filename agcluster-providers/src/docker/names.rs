//! Names of things on the engine.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The volume of an agent server with this digest.
pub(super) fn agent_volume(digest: &[u8]) -> String {
    format!("agcluster-agent-{}", hex(&digest[..digest.len().min(6)]))
}

/// The device of a network: at most 15 characters, the same for the same name each time. Docker and Podman on one machine
/// must not take each other's, for they remove it.
pub(super) fn bridge_device(network: &str, podman: bool) -> String {
    let engine = if podman { "agp" } else { "agc" };
    format!("{engine}{}", hex(&Sha256::digest(network.as_bytes())[..6]))
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_name_fits_the_kernel() {
        assert_eq!(bridge_device("agcluster", false).len(), 15);
        assert_ne!(bridge_device("agcluster", false), bridge_device("agcluster2", false));
        assert_ne!(bridge_device("agcluster", false), bridge_device("agcluster", true));
    }

    #[test]
    fn an_agent_volume_is_named_after_twelve_digits() {
        assert_eq!(agent_volume(&[0xab; 32]), "agcluster-agent-abababababab");
    }
}
