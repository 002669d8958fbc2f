//! All arrays of the data plane.

use vsnat_abi::destination::{Dest, DestCounts};
use vsnat_abi::filter::Filter;
use vsnat_abi::link::Link;
use vsnat_abi::mark::MarkRule4;
use vsnat_abi::service::{Service, View};
use vsnat_abi::settings::Settings;
use vsnat_abi::slot::Slot;
use vsnat_abi::stand_in::StandIn;
use vsnat_abi::sweep::Sweep;
use vsnat_abi::table::{Info, Shared};

use crate::Region;

/// The arrays that the daemon reads and writes as memory.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub slots: Region<Slot>,
    pub shared: Region<Shared>,
    pub services: Region<Service>,
    pub views: Region<View>,
    pub cursors: Region<u64>,
    pub ring: Region<u64>,
    pub dests: Region<Dest>,
    pub dest_counts: Region<DestCounts>,
    pub marks: Region<MarkRule4>,
    pub settings: Region<Settings>,
    pub filters: Region<Filter>,
    pub sweep: Region<Sweep>,
    pub links: Region<Link>,
    pub info: Region<Info>,
    pub stand_ins: Region<StandIn>,
}
