//! An address of this machine that containers reach and the world does not.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result};

use crate::command;
use crate::docker::docker;

/// Where the scripted model API listens: the engine's own bridge, or loopback for agents outside containers.
///
/// # Errors
/// When the engine does not say how its bridge is numbered.
pub(super) fn address() -> Result<IpAddr> {
    if matches!(std::env::var("CONTAINER_PROVIDER").as_deref(), Ok("process" | "memory")) {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let format = "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}\n{{end}}";
    let text = command::output(docker().args(["network", "inspect", "--format", format, "bridge"]))?;
    bridge(&text).with_context(|| format!("the engine's bridge has no IPv4 gateway: {text}"))
}

/// The bridge's own address from lines of gateway, which older engines leave out, and subnet.
fn bridge(lines: &str) -> Option<IpAddr> {
    lines.lines().find_map(|line| {
        let (gateway, subnet) = line.rsplit_once(' ').unwrap_or(("", line));
        let first = || {
            let network: Ipv4Addr = subnet.split('/').next()?.parse().ok()?;
            Some(Ipv4Addr::from(u32::from(network).checked_add(1)?))
        };
        gateway.parse().ok().or_else(first).map(IpAddr::V4)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_the_bridge() {
        assert_eq!(bridge("10.1.0.254 10.1.0.0/16"), Some([10, 1, 0, 254].into()));
        assert_eq!(bridge("fd00::1 fd00::/64\n10.1.0.1 10.1.0.0/16\n"), Some([10, 1, 0, 1].into()));
    }

    #[test]
    fn without_a_gateway_it_is_the_first_address() {
        assert_eq!(bridge(" 172.17.0.0/16"), Some([172, 17, 0, 1].into()));
        assert_eq!(bridge("172.17.0.0/16"), Some([172, 17, 0, 1].into()));
    }

    #[test]
    fn no_ipv4_is_no_answer() {
        assert_eq!(bridge(""), None);
        assert_eq!(bridge("fd00::1 fd00::/64"), None);
    }
}
