//! What the daemon says of services, and what schedulers remember.

use vsnat_abi::flow::FlowKey4;
use vsnat_abi::locality::{LOCALITY_SERVERS, Locality};
use vsnat_abi::mark::MarkRule4;
use vsnat_abi::net::Be32;
use vsnat_abi::service::{Service, View};
use vsnat_abi::time::Coarse;

use crate::Shared;

impl Shared<Service> {
    #[inline(always)]
    pub fn view(self) -> u64 {
        read!(self, view)
    }

    /// Bits of [`vsnat_abi::service::service_flag`].
    #[inline(always)]
    pub fn flags(self) -> u32 {
        read!(self, flags)
    }

    #[inline(always)]
    pub fn persistence(self) -> Coarse {
        read!(self, persistence)
    }

    #[inline(always)]
    pub fn netmask(self) -> Be32 {
        read!(self, netmask)
    }

    /// The largest segment that a SYN may announce.
    #[inline(always)]
    pub fn segment(self) -> u32 {
        read!(self, segment)
    }
}

impl Shared<View> {
    #[inline(always)]
    pub fn scheduler(self) -> u32 {
        read!(self, scheduler)
    }

    #[inline(always)]
    pub fn ring(self) -> u32 {
        read!(self, ring)
    }

    #[inline(always)]
    pub fn servers(self) -> u32 {
        read!(self, servers)
    }

    #[inline(always)]
    pub fn levels(self) -> u32 {
        read!(self, levels)
    }

    #[inline(always)]
    pub fn flags(self) -> u32 {
        read!(self, flags)
    }

    #[inline(always)]
    pub fn period(self) -> u64 {
        read!(self, period)
    }

    #[inline(always)]
    pub fn cursor_base(self) -> u64 {
        read!(self, cursor_base)
    }

    #[inline(always)]
    pub fn start(self) -> u64 {
        read!(self, start)
    }

    #[inline(always)]
    pub fn anchor(self) -> u64 {
        read!(self, anchor)
    }
}

impl Shared<MarkRule4> {
    #[inline(always)]
    pub fn mark(self) -> u32 {
        read!(self, mark)
    }

    /// Whether a packet of these ends is meant.
    #[inline(always)]
    pub fn matches(self, key: &FlowKey4, ifindex: u32) -> bool {
        let within =
            |address: Be32, net: Be32, mask: Be32| (address.raw() ^ net.raw()) & mask.raw() == 0;
        let (protocol, interface) = (read!(self, protocol), read!(self, ifindex));
        let port = key.dst_port.host();
        (protocol == 0 || protocol == key.protocol)
            && within(key.src, read!(self, source), read!(self, source_mask))
            && within(
                key.dst,
                read!(self, destination),
                read!(self, destination_mask),
            )
            && port >= read!(self, first_port)
            && port <= read!(self, last_port)
            && (interface == 0 || interface == ifindex)
    }
}

impl Shared<Locality> {
    #[inline(always)]
    pub fn used(self) -> Coarse {
        read!(self, used)
    }

    #[inline(always)]
    pub fn set_used(self, now: Coarse) {
        write!(self, used, now);
    }

    #[inline(always)]
    pub fn changed(self) -> Coarse {
        read!(self, changed)
    }

    #[inline(always)]
    pub fn set_changed(self, now: Coarse) {
        write!(self, changed, now);
    }

    #[inline(always)]
    pub fn bound(self) -> u64 {
        read!(self, bound)
    }

    #[inline(always)]
    pub fn server(self, place: u32) -> u32 {
        read!(self, servers[(place as usize) & (LOCALITY_SERVERS - 1)])
    }

    #[inline(always)]
    pub fn set_server(self, place: u32, dest: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer; the mask keeps
        // the place within the array.
        unsafe {
            let place = (place as usize) & (LOCALITY_SERVERS - 1);
            (&raw mut (*self.0).servers[place]).write_volatile(dest);
        }
    }
}

const _: () = assert!(LOCALITY_SERVERS.is_power_of_two());
