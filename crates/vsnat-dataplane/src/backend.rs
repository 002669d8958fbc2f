//! Where the tables are: in the kernel or in plain memory.

use ipnet::{Ipv4Net, Ipv6Net};
use thiserror::Error;
use vsnat_abi::counters::COUNTERS;
use vsnat_abi::expected::{Expected, ExpectedKey4};
use vsnat_abi::flow::{FlowKey4, FlowRef};
use vsnat_abi::service::ServiceKey4;
use vsnat_abi::stand_in::Ip6;
use vsnat_core::Inserted;

use crate::Memory;

/// A table that is no array refused an access.
#[derive(Debug, Error)]
#[error("cannot {action} in the data plane's {table} table: {reason}")]
pub struct BackendError {
    pub action: &'static str,
    pub table: &'static str,
    pub reason: String,
}

/// Totals of a destination over all CPUs, in the order of
/// [`vsnat_abi::destination::DestStats`].
pub type Totals = [u64; 5];

/// Access to the tables.
pub trait Backend {
    fn memory(&self) -> &Memory;

    /// Monotonic time, the clock of the packet path.
    fn now_ns(&self) -> u64;

    fn put_service_key(&mut self, key: ServiceKey4, index: u32) -> Result<(), BackendError>;
    fn remove_service_key(&mut self, key: ServiceKey4) -> Result<(), BackendError>;

    /// Which destination a server's address and port stand for.
    fn put_server_key(&mut self, key: ServiceKey4, dest: u32) -> Result<(), BackendError>;
    fn remove_server_key(&mut self, key: ServiceKey4) -> Result<(), BackendError>;

    /// Where the flow table says that a connection is.
    fn connection_at(&self, key: &FlowKey4) -> Option<FlowRef>;

    /// Expects a connection, in the place of another one with the same key.
    fn put_expected(
        &mut self,
        key: ExpectedKey4,
        value: Expected,
    ) -> Result<Inserted, BackendError>;
    /// One that was used up is not there, which is as good.
    fn remove_expected(&mut self, key: ExpectedKey4) -> Result<(), BackendError>;
    fn expected(&self) -> Result<Vec<ExpectedKey4>, BackendError>;

    fn interface_index(&self, name: &str) -> Option<u32>;

    /// Sets the bits of a source prefix, or removes it where they are zero.
    fn put_deny(&mut self, prefix: Ipv4Net, bits: u32) -> Result<(), BackendError>;
    fn deny(&self) -> Result<Vec<(Ipv4Net, u32)>, BackendError>;

    /// The place of an address in the pool of stand-ins.
    fn place_of(&self, address: Ip6) -> Option<u32>;
    /// Gives an address a place, unless it has one.
    fn put_place(&mut self, address: Ip6, place: u32) -> Result<Inserted, BackendError>;
    fn remove_place(&mut self, address: Ip6) -> Result<(), BackendError>;
    /// Places that were used before and are free.
    fn pop_free_place(&mut self) -> Option<u32>;
    fn push_free_place(&mut self, place: u32) -> Result<(), BackendError>;

    /// As [`Backend::put_deny`].
    fn put_deny6(&mut self, prefix: Ipv6Net, bits: u32) -> Result<(), BackendError>;
    fn deny6(&self) -> Result<Vec<(Ipv6Net, u32)>, BackendError>;

    fn dest_totals(&self, dest: u32) -> Totals;
    fn counters(&self) -> [u64; COUNTERS];
}
