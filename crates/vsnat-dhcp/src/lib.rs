//! The DHCP server of the private network, without sockets and clocks.
//!
//! [`Server`] is given decoded [`Request`]s, where each came from, and the
//! time; it gives back [`Action`]s: answers to send, addresses to probe, leases
//! to write. [`Store`] keeps the leases as a journal that can be read after a
//! crash at any byte. The wire format is `dhcproto`'s, behind a check of
//! lengths of our own: nothing a packet says may make it panic.

mod action;
mod answer;
mod book;
mod client;
mod counters;
mod crc32;
mod disk;
mod exchange;
mod host_name;
mod journal;
mod lease;
mod network;
mod options;
mod range;
mod relay;
mod request;
mod reservation;
mod scan;
mod store;
mod time;

pub use action::{Action, Event, Probe};
pub use answer::{Answer, Destination};
pub use client::{Client, ClientError, ClientId, Hardware};
pub use counters::Counters;
pub use disk::{Disk, Folder};
pub use exchange::{ProbeResult, Server};
pub use host_name::HostName;
pub use lease::{Lease, LeaseState};
pub use network::{Link, Network, Route};
pub use range::{Range, RangeError};
pub use relay::RelayInformation;
pub use request::{Arrival, Kind, Reply, Request, RequestError};
pub use reservation::{Owner, Reservation};
pub use store::{Loaded, Store, StoreError};
pub use time::UnixTime;

/// The wire format, for those who encode answers and read those of others.
pub use dhcproto::v4 as wire;
