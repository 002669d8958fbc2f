//! What the path asks of the tables, of the clock and of chance.

use vsnat_abi::counters::Reason;
use vsnat_abi::decision::Decision;
use vsnat_abi::destination::{Dest, DestCounts, DestStats};
use vsnat_abi::expected::{Expected, ExpectedKey4};
use vsnat_abi::flow::{FlowKey4, FlowRef};
use vsnat_abi::fragment::FragmentKey4;
use vsnat_abi::hop::{ClientWay, Hop};
use vsnat_abi::locality::{Locality, LocalityKey};
use vsnat_abi::mark::MarkRule4;
use vsnat_abi::net::Be32;
use vsnat_abi::service::{Service, ServiceKey4, View};
use vsnat_abi::settings::Settings;
use vsnat_abi::slot::Slot;
use vsnat_abi::stand_in::{Ip6, StandIn};
use vsnat_abi::table::{Shared as SharedWords, Stash};
use vsnat_abi::time::Coarse;

use crate::Shared;

/// Answer to an insertion that must not replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    Yes,
    /// The key is there already.
    Exists,
    /// The table has no room.
    Full,
}

/// Whether a loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    Next,
    Last,
}

/// The body of a loop too long to be unrolled: the kernel runs it, and the
/// verifier follows it once.
pub trait Loop<T: ?Sized> {
    fn round(&mut self, tables: &mut T, index: u32) -> Round;
}

/// The state of the director. A `None` where an index should have been valid
/// is treated as an empty table, never as a reason to stop.
pub trait Tables {
    /// Monotonic time, to a few milliseconds.
    fn now_ns(&mut self) -> u64;

    /// The same in coarse units, to about a tick of the sweeper.
    fn now(&mut self) -> Coarse;

    fn random(&mut self) -> u32;

    /// Counts a reason that is known when the program is compiled.
    fn count(&mut self, reason: Reason);

    /// Counts a reason that depends on the packet.
    fn count_one_of(&mut self, reason: Reason);

    /// Counts one less: what was counted begins once more.
    fn take_back(&mut self, reason: Reason);

    fn settings(&self) -> Option<Shared<Settings>>;

    /// Whether the bitmap (one of [`vsnat_abi::filter`]) has this address.
    fn filter(&self, filter: u32, address: Be32) -> bool;

    /// Bits of [`vsnat_abi::settings::deny`] for a source.
    fn denied(&self, source: Be32) -> u32;

    /// The same for an IPv6 source.
    fn denied6(&self, source: &Ip6) -> u32;
    /// The place of an address in the pool of stand-ins.
    fn place_of(&self, address: &Ip6) -> Option<u32>;
    fn put_place(&mut self, address: &Ip6, place: u32) -> Inserted;
    fn stand_in(&self, place: u32) -> Option<Shared<StandIn>>;
    fn pop_free_place(&mut self) -> Option<u32>;
    /// `None`: the queue did not take it.
    fn push_free_place(&mut self, place: u32) -> Option<()>;

    fn flow(&self, key: &FlowKey4) -> Option<FlowRef>;
    fn insert_flow(&mut self, key: &FlowKey4, value: FlowRef) -> Inserted;
    fn remove_flow(&mut self, key: &FlowKey4);
    /// Takes an expected connection out of the table, if it is there and nobody
    /// else was first.
    fn take_expected(&mut self, key: &ExpectedKey4) -> Option<Expected>;
    /// A cell of the map of recent flows.
    fn recent(&self, place: u32) -> Option<Shared<u64>>;

    /// Where the first piece of a datagram went.
    fn fragment(&self, key: &FragmentKey4) -> Option<u64>;
    fn put_fragment(&mut self, key: &FragmentKey4, value: u64);

    /// Zero, but the verifier must not know: what it knows of a loop's sums it
    /// would follow apart, round by round.
    fn zero(&self) -> u64;

    fn slot(&self, index: u32) -> Option<Shared<Slot>>;
    fn shared(&self) -> Option<Shared<SharedWords>>;
    /// What this CPU's programs leave to one another.
    fn decision(&self) -> Option<Shared<Decision>>;
    /// Free slots of this CPU.
    fn stash(&self) -> Option<Shared<Stash>>;
    fn pop_free(&mut self) -> Option<u32>;
    /// `None`: the queue did not take it.
    fn push_free(&mut self, slot: u32) -> Option<()>;

    fn find_service(&self, key: &ServiceKey4) -> Option<u32>;
    /// The destination that a server's address and port stand for, if one is
    /// known.
    fn find_server(&self, key: &ServiceKey4) -> Option<u32>;
    fn mark_rule(&self, index: u32) -> Option<Shared<MarkRule4>>;
    fn locality(&self, key: &LocalityKey) -> Option<Shared<Locality>>;
    /// `None`: there was no room.
    fn put_locality(&mut self, key: &LocalityKey, value: &Locality) -> Option<()>;
    fn service(&self, index: u32) -> Option<Shared<Service>>;
    fn view(&self, index: u32) -> Option<Shared<View>>;
    /// Picks that a service made since it was made.
    fn cursor(&self, service: u32) -> Option<Shared<u64>>;
    fn ring(&self, index: u32) -> Option<u64>;
    /// Runs at most `count` rounds, and gives the body back.
    fn repeat<L: Loop<Self>>(&mut self, count: u32, body: L) -> L;

    fn dest(&self, index: u32) -> Option<Shared<Dest>>;
    fn dest_counts(&self, index: u32) -> Option<Shared<DestCounts>>;
    /// This CPU's totals of a destination.
    fn dest_stats(&self, index: u32) -> Option<Shared<DestStats>>;

    fn hop(&self, index: u32) -> Option<Shared<Hop>>;
    fn client_way(&self, index: u32) -> Option<Shared<ClientWay>>;
}
