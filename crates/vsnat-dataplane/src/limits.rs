//! Sizes of the tables, fixed when the data plane is made.

use vsnat_abi::service::VIEWS_PER_SERVICE;
use vsnat_abi::table::Info;
use vsnat_api::Protocol;

/// How much the data plane can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connections: u32,
    pub services: u32,
    /// Real servers of all services together, deleted ones included until
    /// their last connection is gone.
    pub servers: u32,
}

impl Default for Limits {
    /// About 93 MB of kernel memory, 72 of them for the connections: a slot of
    /// 64 bytes, two hash entries and four hints for each.
    fn default() -> Self {
        Limits {
            connections: 262_144,
            services: 1_024,
            servers: 8_192,
        }
    }
}

/// Ring entries for each server: an old and a new order of a service stand
/// side by side for a moment, and `wrr` lists a server once for each level.
const RING_ENTRIES_PER_SERVER: u32 = 16;
/// A table of `mh` takes 4,093 entries whatever its servers: 8 MB hold 250.
const RING_ENTRIES_MIN: u32 = 1 << 20;

impl Limits {
    pub(crate) fn ring_entries(&self) -> u32 {
        let entries = self.servers.saturating_mul(RING_ENTRIES_PER_SERVER);
        entries.max(RING_ENTRIES_MIN)
    }

    pub(crate) fn views(&self) -> u32 {
        self.services.saturating_mul(VIEWS_PER_SERVICE)
    }

    /// A server of a service by mark has a key for each protocol.
    pub(crate) fn server_keys(&self) -> u32 {
        self.servers.saturating_mul(Protocol::ALL.len() as u32)
    }

    pub(crate) fn recent_cells(&self) -> u32 {
        vsnat_abi::flow::recent_cells(self.connections)
    }

    /// Two keys for each connection.
    pub(crate) fn flows(&self) -> u32 {
        self.connections.saturating_mul(2)
    }

    pub(crate) fn info(&self) -> Info {
        Info {
            abi_version: vsnat_abi::ABI_VERSION,
            connections: self.connections,
            services: self.services,
            servers: self.servers,
            ring_entries: self.ring_entries(),
            zero: 0,
        }
    }
}
