//! The kernel's maps as the tables of a plane.

use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{HashMap, Map, MapData, MapError, PerCpuArray, Queue};
use ipnet::{Ipv4Net, Ipv6Net};
use std::ffi::CString;
use std::net::{Ipv4Addr, Ipv6Addr};
use vsnat_abi::counters::COUNTERS;
use vsnat_abi::expected::{Expected, ExpectedKey4};
use vsnat_abi::flow::{FlowKey4, FlowRef};
use vsnat_abi::link::LINKS;
use vsnat_abi::map;
use vsnat_abi::mark::MARK_ENTRIES;
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::stand_in::{Ip6, STAND_INS};
use vsnat_core::Inserted;

use crate::backend::Totals;
use crate::kernel::error::map_reason;
use crate::kernel::mapping::{Mapping, map_array};
use crate::{Backend, BackendError, Limits, Memory, OpenError, Region};

/// Do not replace (include/uapi/linux/bpf.h).
const BPF_NOEXIST: u64 = 1;

/// Tables in the kernel.
pub(super) struct KernelMaps {
    memory: Memory,
    service_keys: HashMap<MapData, [u8; 8], u64>,
    server_keys: HashMap<MapData, [u8; 8], u64>,
    flows: HashMap<MapData, [u64; 2], u64>,
    expected: HashMap<MapData, [u64; 2], [u64; 3]>,
    deny: LpmTrie<MapData, u32, u32>,
    deny6: LpmTrie<MapData, [u32; 4], u32>,
    places: HashMap<MapData, [u32; 4], u32>,
    free_places: Queue<MapData, u32>,
    dest_stats: PerCpuArray<MapData, Totals>,
    counters: PerCpuArray<MapData, [u64; COUNTERS]>,
    /// Keep the regions of `memory` valid.
    _mappings: Vec<Mapping>,
}

impl std::fmt::Debug for KernelMaps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KernelMaps").finish_non_exhaustive()
    }
}

impl KernelMaps {
    pub fn new(ebpf: &mut Ebpf, limits: &Limits) -> Result<Self, OpenError> {
        let mut mappings = Vec::new();
        let memory = Memory {
            slots: mapped(ebpf, &mut mappings, map::SLOTS, limits.connections)?,
            shared: mapped(ebpf, &mut mappings, map::SHARED, 1)?,
            services: mapped(ebpf, &mut mappings, map::SERVICES, limits.services)?,
            views: mapped(ebpf, &mut mappings, map::VIEWS, limits.views())?,
            cursors: mapped(ebpf, &mut mappings, map::CURSORS, limits.services)?,
            ring: mapped(ebpf, &mut mappings, map::RING, limits.ring_entries())?,
            dests: mapped(ebpf, &mut mappings, map::DESTS, limits.servers)?,
            dest_counts: mapped(ebpf, &mut mappings, map::DEST_COUNTS, limits.servers)?,
            marks: mapped(ebpf, &mut mappings, map::MARKS, MARK_ENTRIES)?,
            settings: mapped(ebpf, &mut mappings, map::SETTINGS, 1)?,
            filters: mapped(ebpf, &mut mappings, map::FILTERS, 2)?,
            sweep: mapped(ebpf, &mut mappings, map::SWEEP, 1)?,
            links: mapped(ebpf, &mut mappings, map::LINKS, LINKS)?,
            info: mapped(ebpf, &mut mappings, map::INFO, 1)?,
            stand_ins: mapped(ebpf, &mut mappings, map::STAND_INS, STAND_INS)?,
        };
        Ok(KernelMaps {
            memory,
            service_keys: taken(ebpf, map::SERVICE_KEYS)?,
            server_keys: taken(ebpf, map::SERVER_KEYS)?,
            flows: taken(ebpf, map::FLOWS4)?,
            expected: taken(ebpf, map::EXPECTED)?,
            deny: taken(ebpf, map::DENY)?,
            deny6: taken(ebpf, map::DENY6)?,
            places: taken(ebpf, map::ADDRESSES6)?,
            free_places: taken(ebpf, map::FREE6)?,
            dest_stats: taken(ebpf, map::DEST_STATS)?,
            counters: taken(ebpf, map::COUNTERS)?,
            _mappings: mappings,
        })
    }
}

impl Backend for KernelMaps {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn now_ns(&self) -> u64 {
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the kernel fills in the time; the clock always exists.
        unsafe {
            libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now);
        }
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }

    fn put_service_key(&mut self, key: ServiceKey4, index: u32) -> Result<(), BackendError> {
        let put = self.service_keys.insert(bytes(key), u64::from(index), 0);
        put.map_err(|error| refused("add a service", map::SERVICE_KEYS, &error))
    }

    fn remove_service_key(&mut self, key: ServiceKey4) -> Result<(), BackendError> {
        match self.service_keys.remove(&bytes(key)) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(refused("remove a service", map::SERVICE_KEYS, &error)),
        }
    }

    fn put_server_key(&mut self, key: ServiceKey4, dest: u32) -> Result<(), BackendError> {
        let put = self.server_keys.insert(bytes(key), u64::from(dest), 0);
        put.map_err(|error| refused("add a server", map::SERVER_KEYS, &error))
    }

    fn remove_server_key(&mut self, key: ServiceKey4) -> Result<(), BackendError> {
        match self.server_keys.remove(&bytes(key)) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(refused("remove a server", map::SERVER_KEYS, &error)),
        }
    }

    fn connection_at(&self, key: &FlowKey4) -> Option<FlowRef> {
        self.flows.get(&key.words(), 0).ok().map(FlowRef::from_raw)
    }

    fn put_expected(
        &mut self,
        key: ExpectedKey4,
        value: Expected,
    ) -> Result<Inserted, BackendError> {
        match self.expected.insert(key.words(), value.words(), 0) {
            Ok(()) => Ok(Inserted::Yes),
            Err(MapError::SyscallError(error))
                if error.io_error.raw_os_error() == Some(libc::E2BIG) =>
            {
                Ok(Inserted::Full)
            }
            Err(error) => Err(refused("expect a connection", map::EXPECTED, &error)),
        }
    }

    fn remove_expected(&mut self, key: ExpectedKey4) -> Result<(), BackendError> {
        match self.expected.remove(&key.words()) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(refused("forget a connection", map::EXPECTED, &error)),
        }
    }

    fn expected(&self) -> Result<Vec<ExpectedKey4>, BackendError> {
        let mut found = Vec::new();
        for key in self.expected.keys() {
            let key = key.map_err(|error| refused("list", map::EXPECTED, &error))?;
            found.push(ExpectedKey4::from_words(key));
        }
        Ok(found)
    }

    fn interface_index(&self, name: &str) -> Option<u32> {
        let name = CString::new(name).ok()?;
        // SAFETY: a valid C string; 0 means that there is no such interface.
        match unsafe { libc::if_nametoindex(name.as_ptr()) } {
            0 => None,
            index => Some(index),
        }
    }

    fn put_deny(&mut self, prefix: Ipv4Net, bits: u32) -> Result<(), BackendError> {
        let key = deny_key(prefix);
        let put = match bits {
            0 => match self.deny.remove(&key) {
                Err(MapError::KeyNotFound) => Ok(()),
                removed => removed,
            },
            bits => self.deny.insert(&key, bits, 0),
        };
        put.map_err(|error| refused("change a prefix", map::DENY, &error))
    }

    fn deny(&self) -> Result<Vec<(Ipv4Net, u32)>, BackendError> {
        let mut found = Vec::new();
        for entry in self.deny.iter() {
            let (key, bits) = entry.map_err(|error| refused("list", map::DENY, &error))?;
            found.extend(prefix_of(&key).map(|prefix| (prefix, bits)));
        }
        Ok(found)
    }

    fn place_of(&self, address: Ip6) -> Option<u32> {
        self.places.get(&address.words, 0).ok()
    }

    fn put_place(&mut self, address: Ip6, place: u32) -> Result<Inserted, BackendError> {
        let errno = |error: &MapError| match error {
            MapError::SyscallError(error) => error.io_error.raw_os_error(),
            _ => None,
        };
        match self.places.insert(address.words, place, BPF_NOEXIST) {
            Ok(()) => Ok(Inserted::Yes),
            Err(error) if errno(&error) == Some(libc::EEXIST) => Ok(Inserted::Exists),
            Err(error) if errno(&error) == Some(libc::E2BIG) => Ok(Inserted::Full),
            Err(error) => Err(refused("stand in for an address", map::ADDRESSES6, &error)),
        }
    }

    fn remove_place(&mut self, address: Ip6) -> Result<(), BackendError> {
        match self.places.remove(&address.words) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(refused("forget an address", map::ADDRESSES6, &error)),
        }
    }

    fn pop_free_place(&mut self) -> Option<u32> {
        self.free_places.pop(0).ok()
    }

    fn push_free_place(&mut self, place: u32) -> Result<(), BackendError> {
        let pushed = self.free_places.push(place, 0);
        pushed.map_err(|error| refused("give a place back", map::FREE6, &error))
    }

    fn put_deny6(&mut self, prefix: Ipv6Net, bits: u32) -> Result<(), BackendError> {
        let address = Ip6::from_bytes(prefix.network().octets());
        let key = Key::new(u32::from(prefix.prefix_len()), address.words);
        let put = match bits {
            0 => match self.deny6.remove(&key) {
                Err(MapError::KeyNotFound) => Ok(()),
                removed => removed,
            },
            bits => self.deny6.insert(&key, bits, 0),
        };
        put.map_err(|error| refused("change a prefix", map::DENY6, &error))
    }

    fn deny6(&self) -> Result<Vec<(Ipv6Net, u32)>, BackendError> {
        let mut found = Vec::new();
        for entry in self.deny6.iter() {
            let (key, bits) = entry.map_err(|error| refused("list", map::DENY6, &error))?;
            let words = key.data();
            let address = Ipv6Addr::from(Ip6 { words }.bytes());
            let length = u8::try_from(key.prefix_len()).unwrap_or(u8::MAX);
            found.extend(Ipv6Net::new(address, length).map(|prefix| (prefix, bits)));
        }
        Ok(found)
    }

    fn dest_totals(&self, dest: u32) -> Totals {
        let mut sum = Totals::default();
        if let Ok(values) = self.dest_stats.get(&dest, 0) {
            for value in values.iter() {
                for (sum, value) in sum.iter_mut().zip(value) {
                    *sum += value;
                }
            }
        }
        sum
    }

    fn counters(&self) -> [u64; COUNTERS] {
        let mut sum = [0; COUNTERS];
        if let Ok(values) = self.counters.get(&0, 0) {
            for value in values.iter() {
                for (sum, value) in sum.iter_mut().zip(value) {
                    *sum += value;
                }
            }
        }
        sum
    }
}

fn deny_key(prefix: Ipv4Net) -> Key<u32> {
    let address = u32::from_ne_bytes(prefix.network().octets());
    Key::new(u32::from(prefix.prefix_len()), address)
}

fn prefix_of(key: &Key<u32>) -> Option<Ipv4Net> {
    let address = Ipv4Addr::from(key.data().to_ne_bytes());
    Ipv4Net::new(address, u8::try_from(key.prefix_len()).ok()?).ok()
}

fn mapped<T>(
    ebpf: &Ebpf,
    mappings: &mut Vec<Mapping>,
    name: &'static str,
    len: u32,
) -> Result<Region<T>, OpenError> {
    let missing = |reason: String| OpenError::Map { map: name, reason };
    let Some(Map::Array(data)) = ebpf.map(name) else {
        return Err(missing("the eBPF object has no such array".to_owned()));
    };
    let (mapping, region) = map_array(data, len).map_err(|error| missing(error.to_string()))?;
    mappings.push(mapping);
    Ok(region)
}

fn taken<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, OpenError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let missing = |reason: String| OpenError::Map { map: name, reason };
    let Some(taken) = ebpf.take_map(name) else {
        return Err(missing("the eBPF object has no such map".to_owned()));
    };
    M::try_from(taken).map_err(|error| missing(map_reason(&error)))
}

fn refused(action: &'static str, table: &'static str, error: &MapError) -> BackendError {
    BackendError {
        action,
        table,
        reason: map_reason(error),
    }
}

/// The key as it lies in memory.
fn bytes(key: ServiceKey4) -> [u8; 8] {
    let (vip, port) = (key.vip.bytes(), key.port.bytes());
    [
        vip[0],
        vip[1],
        vip[2],
        vip[3],
        port[0],
        port[1],
        key.protocol,
        key.zero,
    ]
}
