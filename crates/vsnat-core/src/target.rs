//! The service that a packet without a connection is sent to.
//!
//! IPVS's order: by mark, by address and port, the FTP service of the address
//! for ports that its data connections may use, the service on all ports.

use vsnat_abi::counters::Reason;
use vsnat_abi::flow::FlowKey4;
use vsnat_abi::mark::{MAX_MARKS, mark_list_first, mark_list_len};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::service::{ServiceKey4, service_flag};
use vsnat_abi::settings::{Settings, flag};
use vsnat_abi::time::Coarse;

use crate::parse::{FTP_CONTROL, FTP_DATA, TCP};
use crate::verdict::Stop;
use crate::{Loop, Packet, Round, Shared, Tables};

/// Ports below are for servers.
const UNPRIVILEGED: u16 = 1_024;

/// A service, and the key it was found by.
///
/// Numbers only, all of them written in every case: it is handed from function
/// to function, and the verifier sees neither a pointer where there is none nor
/// a field that nobody wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub came: Came,
    pub index: u32,
    pub key: ServiceKey4,
    /// Index of the view in force.
    pub view: u64,
    pub flags: u32,
    pub persistence: Coarse,
    pub netmask: Be32,
}

/// Where the flags of a target have the server's port.
const SERVER_PORT_SHIFT: u32 = 16;

/// What the search for a service came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Came {
    Found,
    Nobody,
    /// It is for a service on all ports, but to a port of the host's own.
    Spared,
}

impl Target {
    #[inline(always)]
    const fn none(came: Came) -> Self {
        Target {
            came,
            index: 0,
            key: ServiceKey4::of_mark(0),
            view: 0,
            flags: 0,
            persistence: 0,
            netmask: Be32::ZERO,
        }
    }

    /// A service whose server and its port are known. The port is where flags
    /// of services have nothing, for another field would be followed through
    /// every way that leads to a server.
    #[inline(always)]
    pub const fn expected(key: ServiceKey4, server_port: Be16) -> Self {
        Target {
            key,
            flags: (server_port.raw() as u32) << SERVER_PORT_SHIFT,
            ..Target::none(Came::Found)
        }
    }

    /// The server's port, where that is told and not found by the service; or
    /// zero.
    #[inline(always)]
    pub const fn server_port(&self) -> Be16 {
        Be16::from_raw((self.flags >> SERVER_PORT_SHIFT) as u16)
    }

    #[inline(always)]
    pub fn is_found(&self) -> bool {
        matches!(self.came, Came::Found)
    }

    #[inline(always)]
    pub fn is_persistent(&self) -> bool {
        self.flags & service_flag::PERSISTENT != 0
    }

    #[inline(always)]
    pub fn is_one_packet(&self) -> bool {
        self.flags & service_flag::ONE_PACKET != 0
    }

    /// Whether the daemon stands in between: on the service's own port, not on
    /// those that a template leads to as well.
    #[inline(always)]
    pub fn is_proxied(&self, key: &FlowKey4) -> bool {
        self.flags & (service_flag::FTP | service_flag::SOURCE) == service_flag::FTP
            && key.dst_port == self.key.port
    }

    /// Whether servers see the director's own address.
    #[inline(always)]
    pub fn hides_client(&self) -> bool {
        self.flags & service_flag::SOURCE != 0
    }

    /// Why a packet goes on untouched that has no service.
    #[inline(always)]
    pub fn stop(&self) -> Stop {
        Stop::pass(match self.came {
            Came::Spared => Reason::SparedPort,
            Came::Nobody | Came::Found => Reason::NotOurs,
        })
    }
}

/// Finds the service of a packet.
///
/// On the eBPF target a function of its own, with a stack frame of its own.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) fn target<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &mut T,
    settings: Shared<Settings>,
    key: &FlowKey4,
) -> Target {
    let list = settings.marks();
    if mark_list_len(list) != 0 {
        let found = by_mark(tables, list, key, packet.ingress());
        if found.is_found() {
            return found;
        }
    }
    let found = lookup(tables, key_of(key, key.dst_port));
    if found.is_found() {
        return found;
    }
    let port = key.dst_port.host();
    if settings.has(flag::HAS_FTP)
        && key.protocol == TCP
        && (port == FTP_DATA || port >= UNPRIVILEGED)
    {
        let found = lookup(tables, key_of(key, Be16::from_host(FTP_CONTROL)));
        // Only where clients stay with their server does another port than the
        // service's own find the right one.
        if found.is_found() && found.is_persistent() {
            return found;
        }
        if found.is_found() {
            return Target::none(Came::Nobody);
        }
    }
    if !settings.has(flag::HAS_PORT_ZERO) {
        return Target::none(Came::Nobody);
    }
    let found = lookup(tables, key_of(key, Be16::ZERO));
    if found.is_found()
        && settings.has(flag::PORT_ZERO_SPARES_LOCAL)
        && (settings.spares(port) || packet.has_socket(key))
    {
        return Target::none(Came::Spared);
    }
    found
}

/// Whether a packet without a connection is for no service at all, as far as
/// one look tells. "No" proves nothing.
#[inline(always)]
pub(crate) fn is_nobodys<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    key: &FlowKey4,
) -> bool {
    mark_list_len(settings.marks()) == 0
        && !settings.has(flag::HAS_FTP | flag::HAS_PORT_ZERO)
        && tables.find_service(&key_of(key, key.dst_port)).is_none()
}

#[inline(always)]
fn key_of(key: &FlowKey4, port: Be16) -> ServiceKey4 {
    ServiceKey4 {
        vip: key.dst,
        port,
        protocol: key.protocol,
        zero: 0,
    }
}

#[inline(always)]
fn lookup<T: Tables>(tables: &T, key: ServiceKey4) -> Target {
    let nobody = Target::none(Came::Nobody);
    let Some(index) = tables.find_service(&key) else {
        return nobody;
    };
    let Some(service) = tables.service(index) else {
        return nobody;
    };
    Target {
        came: Came::Found,
        index,
        key,
        view: service.view(),
        flags: service.flags(),
        persistence: service.persistence(),
        netmask: service.netmask(),
    }
}

#[inline(always)]
fn by_mark<T: Tables>(tables: &mut T, list: u32, key: &FlowKey4, ingress: u32) -> Target {
    let marking = Marking {
        key: *key,
        ingress,
        first: mark_list_first(list),
        mark: tables.zero(),
    };
    let marking = tables.repeat(mark_list_len(list).min(MAX_MARKS), marking);
    match marking.mark as u32 {
        0 => Target::none(Came::Nobody),
        mark => lookup(tables, ServiceKey4::of_mark(mark)),
    }
}

/// The search for the first rule that matches.
#[repr(C)]
struct Marking {
    key: FlowKey4,
    ingress: u32,
    first: u32,
    mark: u64,
}

impl<T: Tables> Loop<T> for Marking {
    #[inline(always)]
    fn round(&mut self, tables: &mut T, index: u32) -> Round {
        let Some(rule) = tables.mark_rule(self.first.wrapping_add(index)) else {
            return Round::Last;
        };
        if !rule.matches(&self.key, self.ingress) {
            return Round::Next;
        }
        self.mark = u64::from(rule.mark());
        Round::Last
    }
}
