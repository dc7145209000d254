//! Ports for servers that are told theirs before they start.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use anyhow::bail;

use crate::seeded::Seeded;

/// Below the ports that the system gives to connections: one of those could take a server's while it is down.
const PORTS: Range<u16> = 15_000..32_000;

/// A port that nobody listens on.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let span = u64::from(PORTS.end - PORTS.start);
    let mut seeded = Seeded::new(uuid::Uuid::new_v4().as_u64_pair().0);
    for _ in 0..100 {
        let port = PORTS.start + u16::try_from(seeded.below(span))?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
