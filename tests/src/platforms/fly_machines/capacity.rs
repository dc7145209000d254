//! Regions without room, in every shape in which the platform says so.

use serde_json::{Value, json};

/// A refusal for want of room, as the platform was seen to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The host that was chosen has no memory left.
    HostMemory,
    /// The host that was chosen has no processor left.
    HostCpus,
    /// By the name of the refusal only.
    ByName,
    /// Where there is no room for a volume either.
    Placement,
    /// Without a name.
    Resources,
    /// In the fewest words.
    NoCapacity,
    /// The host takes nothing new.
    Disabled,
    /// The organisation's quota of memory in a region.
    Quota,
    /// The organisation's number of machines.
    MachineLimit,
}

impl Full {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::HostMemory,
        Self::HostCpus,
        Self::ByName,
        Self::Placement,
        Self::Resources,
        Self::NoCapacity,
        Self::Disabled,
        Self::Quota,
        Self::MachineLimit,
    ];

    /// Status and body.
    pub fn answer(self, region: &str) -> (u16, Value) {
        let plain = |status, text: &str| (status, json!({ "error": text }));
        match self {
            Self::HostMemory => plain(
                409,
                "aborted: could not reserve resource for machine: insufficient memory available to fulfill request",
            ),
            Self::HostCpus => plain(
                409,
                "aborted: could not reserve resource for machine: insufficient CPUs available to fulfill request on the current host",
            ),
            Self::ByName => (422, json!({ "error": "try again later", "status": "insufficient_capacity" })),
            Self::Placement => {
                (412, json!({ "error": "try again later", "status": "volume_placement_capacity" }))
            }
            Self::Resources => {
                plain(412, "insufficient resources to create new machine with existing volume")
            }
            Self::NoCapacity => plain(400, "no capacity"),
            Self::Disabled => plain(503, "deploys to this host are temporarily disabled"),
            Self::Quota => (
                403,
                json!({ "error": format!("organization \"Acme\" is using 102400 MB of memory in {region} which is over the allowed quota. please consider other regions") }),
            ),
            Self::MachineLimit => {
                plain(422, "Your organization has reached its machine limit. Please contact billing@fly.io")
            }
        }
    }
}
