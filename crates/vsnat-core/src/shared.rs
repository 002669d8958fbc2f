//! Values in memory that other CPUs and the daemon change.
//!
//! A reference would promise that nobody does. [`Shared`] promises nothing but
//! that the memory is there: fields are read and written one aligned word at a
//! time, and words that several write are changed atomically.

use vsnat_abi::destination::{Dest, DestCounts, DestStats};
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::hop::{ClientWay, Hop};
use vsnat_abi::locality::{LOCALITY_SERVERS, Locality};
use vsnat_abi::mark::MarkRule4;
use vsnat_abi::net::Be32;
use vsnat_abi::service::{Service, ServiceKey4, View};
use vsnat_abi::settings::Settings;
use vsnat_abi::slot::{Slot, SlotWord};
use vsnat_abi::table::{Shared as SharedWords, Stash};
use vsnat_abi::time::Coarse;

use crate::atomic;
use crate::hop::Way;

/// A pointer to a value in a table, valid as long as the program runs.
#[derive(Debug)]
pub struct Shared<T>(*mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// The pointer is aligned and stays valid as long as the result is used.
    #[inline(always)]
    pub unsafe fn new(pointer: *mut T) -> Self {
        Shared(pointer)
    }

    #[inline(always)]
    pub fn pointer(self) -> *mut T {
        self.0
    }
}

/// Reads one field, whatever others do to it.
macro_rules! read {
    ($shared:expr, $($field:tt)+) => {
        // SAFETY: `Shared::new` was promised a valid pointer; one aligned word.
        unsafe { (&raw const (*$shared.0).$($field)+).read_volatile() }
    };
}

/// Writes one field.
macro_rules! write {
    ($shared:expr, $field:ident, $value:expr) => {
        // SAFETY: `Shared::new` was promised a valid pointer; one aligned word.
        unsafe { (&raw mut (*$shared.0).$field).write_volatile($value) }
    };
}

/// Adds to a counter that only this CPU writes.
macro_rules! bump {
    ($shared:expr, $field:ident, $value:expr) => {
        // SAFETY: `Shared::new` was promised a valid pointer; one aligned word.
        unsafe {
            let field = &raw mut (*$shared.0).$field;
            field.write_volatile(field.read_volatile().wrapping_add($value));
        }
    };
}

impl Shared<u64> {
    #[inline(always)]
    pub fn load(self) -> u64 {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { self.0.read_volatile() }
    }

    #[inline(always)]
    pub fn fetch_add(self, value: u64) -> u64 {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::fetch_add(self.0, value) }
    }
}

impl Shared<Slot> {
    #[inline(always)]
    pub fn word(self) -> SlotWord {
        SlotWord::from_raw(read!(self, word))
    }

    #[inline(always)]
    pub fn set_word(self, word: SlotWord) {
        write!(self, word, word.raw());
    }

    /// Changes the word if nobody else has; otherwise answers what it is.
    #[inline(always)]
    pub fn change_word(self, from: SlotWord, to: SlotWord) -> Result<(), SlotWord> {
        // SAFETY: `Shared::new` was promised a valid pointer.
        let seen =
            unsafe { atomic::compare_exchange(&raw mut (*self.0).word, from.raw(), to.raw()) };
        if seen == from.raw() {
            Ok(())
        } else {
            Err(SlotWord::from_raw(seen))
        }
    }

    #[inline(always)]
    pub fn forward(self) -> FlowKey4 {
        read!(self, forward)
    }

    #[inline(always)]
    pub fn reply(self) -> FlowKey4 {
        read!(self, reply)
    }

    #[inline(always)]
    pub fn dest(self) -> u32 {
        read!(self, dest)
    }

    /// Next hop of a direction, and when it was asked.
    #[inline(always)]
    pub fn way(self, direction: Direction) -> Way {
        match direction {
            Direction::Forward => Way {
                hop: read!(self, hop_forward),
                asked: read!(self, asked_forward),
            },
            Direction::Reply => Way {
                hop: read!(self, hop_reply),
                asked: read!(self, asked_reply),
            },
        }
    }

    #[inline(always)]
    pub fn set_way(self, direction: Direction, way: Way) {
        match direction {
            Direction::Forward => {
                write!(self, hop_forward, way.hop);
                write!(self, asked_forward, way.asked);
            }
            Direction::Reply => {
                write!(self, hop_reply, way.hop);
                write!(self, asked_reply, way.asked);
            }
        }
    }

    #[inline(always)]
    pub fn set_forward(self, key: FlowKey4) {
        write!(self, forward, key);
    }

    #[inline(always)]
    pub fn set_reply(self, key: FlowKey4) {
        write!(self, reply, key);
    }

    #[inline(always)]
    pub fn set_dest(self, dest: u32) {
        write!(self, dest, dest);
    }

    #[inline(always)]
    pub fn control(self) -> u32 {
        read!(self, control)
    }

    #[inline(always)]
    pub fn set_control(self, control: u32) {
        write!(self, control, control);
    }

    /// How long a template lives after its last new connection. It goes
    /// nowhere itself, so the moment when its way was asked for is free.
    #[inline(always)]
    pub fn timeout(self) -> Coarse {
        read!(self, asked_forward)
    }

    #[inline(always)]
    pub fn set_timeout(self, timeout: Coarse) {
        write!(self, asked_forward, timeout);
    }

    /// Adds to a template's connections; `u32::MAX` takes one away.
    #[inline(always)]
    pub fn add_control(self, value: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::add(&raw mut (*self.0).control, value) }
    }
}

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

impl Shared<Dest> {
    #[inline(always)]
    pub fn address(self) -> Be32 {
        read!(self, address)
    }

    #[inline(always)]
    pub fn port(self) -> vsnat_abi::net::Be16 {
        read!(self, port)
    }

    #[inline(always)]
    pub fn state(self) -> u32 {
        read!(self, state)
    }
}

impl Shared<Dest> {
    #[inline(always)]
    pub fn service(self) -> ServiceKey4 {
        read!(self, service)
    }

    #[inline(always)]
    pub fn weight(self) -> u32 {
        read!(self, weight)
    }

    #[inline(always)]
    pub fn upper(self) -> u32 {
        read!(self, upper)
    }

    #[inline(always)]
    pub fn lower(self) -> u32 {
        read!(self, lower)
    }

    #[inline(always)]
    pub fn overload_epoch(self) -> u32 {
        read!(self, overload_epoch)
    }
}

impl Shared<DestCounts> {
    #[inline(always)]
    pub fn active(self) -> u32 {
        read!(self, active)
    }

    #[inline(always)]
    pub fn inactive(self) -> u32 {
        read!(self, inactive)
    }

    /// Adds to one of the two counts; `u32::MAX` takes one away.
    #[inline(always)]
    pub fn add_active(self, value: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::add(&raw mut (*self.0).active, value) }
    }

    #[inline(always)]
    pub fn add_inactive(self, value: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::add(&raw mut (*self.0).inactive, value) }
    }

    #[inline(always)]
    pub fn add_persistent(self, value: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::add(&raw mut (*self.0).persistent, value) }
    }

    #[inline(always)]
    pub fn overloaded(self) -> u32 {
        read!(self, overloaded)
    }

    #[inline(always)]
    pub fn set_overloaded(self, epoch: u32) {
        write!(self, overloaded, epoch);
    }
}

impl Shared<DestCounts> {
    #[inline(always)]
    pub fn way(self) -> Way {
        Way {
            hop: read!(self, hop),
            asked: read!(self, asked),
        }
    }

    #[inline(always)]
    pub fn set_way(self, way: Way) {
        write!(self, hop, way.hop);
        write!(self, asked, way.asked);
    }
}

impl Shared<ClientWay> {
    /// The way to `client`, if the entry is its own.
    #[inline(always)]
    pub fn way(self, client: Be32) -> Option<Way> {
        let way = read!(self, way);
        if (way >> 32) as u32 != client.raw() {
            return None;
        }
        Some(Way {
            hop: way as u32,
            asked: read!(self, asked) as Coarse,
        })
    }

    #[inline(always)]
    pub fn set_way(self, client: Be32, way: Way) {
        write!(self, asked, u64::from(way.asked));
        write!(
            self,
            way,
            u64::from(client.raw()) << 32 | u64::from(way.hop)
        );
    }
}

impl Shared<DestStats> {
    #[inline(always)]
    pub fn count_connection(self) {
        bump!(self, connections, 1);
    }

    #[inline(always)]
    pub fn count_in(self, bytes: u64) {
        bump!(self, in_packets, 1);
        bump!(self, in_bytes, bytes);
    }

    #[inline(always)]
    pub fn count_out(self, bytes: u64) {
        bump!(self, out_packets, 1);
        bump!(self, out_bytes, bytes);
    }
}

impl Shared<Settings> {
    /// Timeout of a state of TCP, UDP or a template, in coarse units.
    #[inline(always)]
    pub fn timeout(self, state: u32) -> Coarse {
        read!(self, timeouts[(state & 0xf) as usize])
    }

    /// Timeout of a state of SCTP.
    #[inline(always)]
    pub fn sctp_timeout(self, state: u32) -> Coarse {
        read!(self, timeouts[(state & 0xf | 0x10) as usize])
    }

    #[inline(always)]
    pub fn marks(self) -> u32 {
        read!(self, marks)
    }

    /// Whether a bit of [`vsnat_abi::settings::flag`] is set.
    #[inline(always)]
    pub fn has(self, flag: u32) -> bool {
        read!(self, flags) & flag != 0
    }

    /// One of the numbers of [`vsnat_abi::settings::mode`].
    #[inline(always)]
    pub fn mode(self, shift: u32) -> u32 {
        read!(self, modes) >> shift & vsnat_abi::settings::mode::MASK
    }

    #[inline(always)]
    pub fn am_droprate(self) -> u32 {
        read!(self, am_droprate)
    }

    #[inline(always)]
    pub fn lblc_expiration(self) -> Coarse {
        read!(self, lblc_expiration)
    }

    #[inline(always)]
    pub fn lblcr_expiration(self) -> Coarse {
        read!(self, lblcr_expiration)
    }

    #[inline(always)]
    pub fn spares(self, port: u16) -> bool {
        port >= read!(self, first_spared) && port <= read!(self, last_spared)
    }

    #[inline(always)]
    pub fn denied(self) -> u32 {
        read!(self, denied)
    }

    #[inline(always)]
    pub fn hop_generation(self) -> u16 {
        read!(self, hop_generation) as u16
    }

    #[inline(always)]
    pub fn icmp_interval_ns(self) -> u64 {
        read!(self, icmp_interval_ns)
    }

    #[inline(always)]
    pub fn icmp_burst_ns(self) -> u64 {
        read!(self, icmp_burst_ns)
    }

    #[inline(always)]
    pub fn stash_refill(self) -> u32 {
        read!(self, stash_refill)
    }

    #[inline(always)]
    pub fn embryonic(self) -> Coarse {
        read!(self, embryonic)
    }
}

impl Shared<Hop> {
    #[inline(always)]
    pub fn identity(self) -> u64 {
        read!(self, identity)
    }

    #[inline(always)]
    pub fn dst_mac(self) -> u64 {
        read!(self, dst_mac)
    }

    #[inline(always)]
    pub fn src_mac(self) -> u64 {
        read!(self, src_mac)
    }

    #[inline(always)]
    pub fn link(self) -> u64 {
        read!(self, link)
    }

    #[inline(always)]
    pub fn asked(self) -> u64 {
        read!(self, asked)
    }

    /// Takes the entry for another neighbour if nobody else has.
    #[inline(always)]
    pub fn claim(self, from: u64, to: u64) -> bool {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::compare_exchange(&raw mut (*self.0).identity, from, to) == from }
    }

    #[inline(always)]
    pub fn set(self, dst_mac: u64, src_mac: u64, link: u64, asked: u64) {
        write!(self, dst_mac, dst_mac);
        write!(self, src_mac, src_mac);
        write!(self, link, link);
        write!(self, asked, asked);
    }
}

impl Shared<SharedWords> {
    /// A word that nobody ever writes.
    #[inline(always)]
    pub fn zero(self) -> u64 {
        read!(self, zero[0])
    }

    #[inline(always)]
    pub fn fresh(self) -> u64 {
        read!(self, fresh)
    }

    #[inline(always)]
    pub fn take_fresh(self) -> u64 {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::fetch_add(&raw mut (*self.0).fresh, 1) }
    }

    #[inline(always)]
    pub fn count_drop(self) -> u64 {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::fetch_add(&raw mut (*self.0).drop_count, 1) }
    }

    #[inline(always)]
    pub fn drop_rate(self) -> u64 {
        read!(self, drop_rate)
    }

    #[inline(always)]
    pub fn set_drop_rate(self, rate: u64) {
        write!(self, drop_rate, rate);
    }

    #[inline(always)]
    pub fn icmp_due_ns(self) -> u64 {
        read!(self, icmp_due_ns)
    }

    #[inline(always)]
    pub fn change_icmp_due(self, from: u64, to: u64) -> bool {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::compare_exchange(&raw mut (*self.0).icmp_due_ns, from, to) == from }
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

impl Shared<Stash> {
    #[inline(always)]
    pub fn count(self) -> u32 {
        read!(self, count)
    }

    #[inline(always)]
    pub fn set_count(self, count: u32) {
        write!(self, count, count);
    }

    #[inline(always)]
    pub fn slot(self, place: u32) -> u32 {
        read!(self, slots[(place & 15) as usize])
    }

    #[inline(always)]
    pub fn set_slot(self, place: u32, slot: u32) {
        // SAFETY: `Shared::new` was promised a valid pointer; the mask keeps
        // the place within the sixteen.
        unsafe {
            (&raw mut (*self.0).slots[(place & 15) as usize]).write_volatile(slot);
        }
    }
}
