//! Connections that a helper expects, and the one on which it learnt of them.
//!
//! The packet path uses an entry up and looks at its deadline; entries that
//! nobody used are taken away here. Which ports of a VIP a client was told is
//! kept in mind, so that two servers of one client never share one.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use thiserror::Error;
use vsnat_abi::counters::Reason;
use vsnat_abi::expected::{EXPECTED, Expected, ExpectedKey4};
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::net::{Be16, Be32};
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::time::{Coarse, coarse_span_from_ms};
use vsnat_api::{Protocol, ServiceKey};
use vsnat_core::{Inserted, Shared};

use crate::plane::Plane;
use crate::{Backend, BackendError};

/// How long a connection is expected. Servers wait for their clients, and
/// clients for their servers, no longer than a minute.
const EXPECTED_MS: u64 = 60_000;

/// Ports of a VIP that are tried for one data connection, the server's own
/// first: of one client the next one is free as a rule.
const PORT_TRIES: u16 = 64;

/// Ports below are for servers.
const LOWEST_PORT: u16 = 1_024;

/// A connection on which the daemon stands between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxied {
    pub client: SocketAddrV4,
    pub virtual_address: SocketAddrV4,
    pub server: SocketAddrV4,
    /// Where the server is to see it come from: the client's own address.
    pub source: SocketAddrV4,
    /// The service and the server's index, as the packet path knows them.
    service: ServiceKey4,
    dest: u32,
}

/// Why a connection is not expected.
#[derive(Debug, Error)]
pub enum ExpectError {
    #[error(
        "{EXPECTED} data connections are expected already, and none of them came; the client is \
         told to try again"
    )]
    Full,
    #[error("no port of {vip} is free for a data connection of {client}")]
    NoPort {
        client: SocketAddrV4,
        vip: SocketAddrV4,
    },
    #[error(transparent)]
    Table(#[from] BackendError),
}

/// What is expected, as far as is known here, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    known: BTreeMap<ExpectedKey4, Expected>,
    full: u64,
}

impl Expectations {
    /// What is counted here and not by the packet path.
    pub fn counted(&self, reason: Reason) -> u64 {
        match reason == Reason::ExpectedFull {
            true => self.full,
            false => 0,
        }
    }
}

impl<B: Backend> Plane<B> {
    /// The connection of a client to a service with a helper, if it was opened
    /// while that had one.
    pub fn proxied(&self, client: SocketAddrV4, virtual_address: SocketAddrV4) -> Option<Proxied> {
        let key = FlowKey4::new(
            Protocol::Tcp.number(),
            ip(client),
            port(client),
            ip(virtual_address),
            port(virtual_address),
        );
        let reference = self.backend.connection_at(&key)?;
        let memory = self.backend.memory();
        let slot = memory.slots.shared(reference.slot())?;
        let word = slot.word();
        if !word.is_live() || word.generation() != reference.generation() {
            return None;
        }
        let (forward, reply, dest) = (slot.forward(), slot.reply(), slot.dest());
        let is_proxied = slot.way(Direction::Forward).is_to_host();
        if !is_proxied || forward != key || !slot.word().same_tenancy(word) {
            return None;
        }
        let service = memory.dests.shared(dest).map(Shared::service)?;
        Some(Proxied {
            client,
            virtual_address,
            server: address(reply.src, reply.src_port),
            source: address(reply.dst, reply.dst_port),
            service,
            dest,
        })
    }

    /// Expects the client on a port of the VIP, for this port of its server.
    /// Answers the port of the VIP: the same, unless that is taken.
    pub fn expect_client(
        &mut self,
        control: &Proxied,
        server_port: u16,
    ) -> Result<u16, ExpectError> {
        let value = self.expectation(control, server_port);
        let (client, vip) = (control.client, control.virtual_address);
        let key = |port: u16| ExpectedKey4::new(TCP, ip(client), ip(vip), Be16::from_host(port));
        let mut ports = (0..PORT_TRIES).map(|step| port_after(server_port, step));
        let free = ports.find(|port| {
            let taken = self.expectations.known.get(&key(*port));
            !self.is_service(vip, *port) && taken.is_none_or(|taken| same(taken, &value))
        });
        let port = free.ok_or(ExpectError::NoPort { client, vip })?;
        self.expect(key(port), value)?;
        Ok(port)
    }

    /// Expects the server at a port of the client, which is to see it come from
    /// the port below the service's own (RFC 959: from 20 to a control
    /// connection on 21).
    pub fn expect_server(
        &mut self,
        control: &Proxied,
        client_port: u16,
    ) -> Result<(), ExpectError> {
        let shown = control.virtual_address.port().wrapping_sub(1).max(1);
        let value = self.expectation(control, shown);
        let key = ExpectedKey4::new(
            TCP,
            ip(control.server),
            ip(control.client),
            Be16::from_host(client_port),
        );
        self.expect(key, value)
    }

    /// Forgets what nobody came for.
    pub(super) fn forget_overdue(&mut self) {
        let now = self.now() as Coarse;
        let overdue = |value: &Expected| value.deadline.wrapping_sub(now) >= 1 << 31;
        let keys: Vec<ExpectedKey4> = self
            .expectations
            .known
            .extract_if(.., |_, value| overdue(value))
            .map(|(key, _)| key)
            .collect();
        keys.into_iter().for_each(|key| self.forget(key));
    }

    /// What a daemon before this one expected, whose control connections ended
    /// with it.
    pub(super) fn forget_expected(&mut self) {
        match self.backend.expected() {
            Ok(keys) => keys.into_iter().for_each(|key| self.forget(key)),
            Err(error) => tracing::warn!(%error, "expected connections of old times remain"),
        }
    }

    fn forget(&mut self, key: ExpectedKey4) {
        if let Err(error) = self.backend.remove_expected(key) {
            tracing::warn!(%error, "an expected connection remains until its deadline");
        }
    }

    fn expect(&mut self, key: ExpectedKey4, value: Expected) -> Result<(), ExpectError> {
        let mut inserted = self.backend.put_expected(key, value)?;
        if inserted == Inserted::Full {
            self.forget_overdue();
            inserted = self.backend.put_expected(key, value)?;
        }
        if inserted == Inserted::Full {
            self.expectations.full += 1;
            return Err(ExpectError::Full);
        }
        self.expectations.known.insert(key, value);
        Ok(())
    }

    fn expectation(&self, control: &Proxied, port: u16) -> Expected {
        Expected {
            service: control.service,
            dest: control.dest,
            deadline: (self.now() as Coarse).wrapping_add(coarse_span_from_ms(EXPECTED_MS)),
            vip: ip(control.virtual_address),
            port: Be16::from_host(port),
            zero: 0,
        }
    }

    fn is_service(&self, vip: SocketAddrV4, port: u16) -> bool {
        let key = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: SocketAddrV4::new(*vip.ip(), port).into(),
        };
        self.services.contains_key(&key)
    }
}

const TCP: u8 = Protocol::Tcp.number();

/// Whether one says again what the other says, but for the time.
fn same(a: &Expected, b: &Expected) -> bool {
    (a.dest, a.port) == (b.dest, b.port)
}

/// The ports behind one, and after the last the first that a client may ask for.
fn port_after(first: u16, step: u16) -> u16 {
    first.checked_add(step).unwrap_or_else(|| {
        let beyond = u32::from(first) + u32::from(step) - u32::from(u16::MAX) - 1;
        LOWEST_PORT + beyond as u16
    })
}

fn address(ip: Be32, port: Be16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(ip.bytes()), port.host())
}

fn ip(address: SocketAddrV4) -> Be32 {
    Be32::from_bytes(address.ip().octets())
}

fn port(address: SocketAddrV4) -> Be16 {
    Be16::from_host(address.port())
}
