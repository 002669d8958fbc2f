//! Settings, neighbours, and the bookkeeping of the tables.

use vsnat_abi::hop::{ClientWay, Hop};
use vsnat_abi::net::Be32;
use vsnat_abi::settings::Settings;
use vsnat_abi::stand_in::{Ip6, StandIn};
use vsnat_abi::table::{Shared as SharedWords, Stash};
use vsnat_abi::time::Coarse;

use crate::hop::Way;
use crate::{Shared, atomic};

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
    pub fn recent_mask(self) -> u32 {
        read!(self, recent_mask)
    }

    #[inline(always)]
    pub fn pool(self) -> u32 {
        read!(self, pool)
    }

    #[inline(always)]
    pub fn pool_mask(self) -> u32 {
        read!(self, pool_mask)
    }

    #[inline(always)]
    pub fn prefix6(self) -> [u32; 3] {
        [
            read!(self, prefix6[0]),
            read!(self, prefix6[1]),
            read!(self, prefix6[2]),
        ]
    }

    #[inline(always)]
    pub fn denied6(self) -> u32 {
        read!(self, denied6)
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
    pub fn now(self) -> Coarse {
        read!(self, now) as Coarse
    }

    #[inline(always)]
    pub fn set_now(self, now: Coarse) {
        write!(self, now, u64::from(now));
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
    pub fn fresh_stand_in(self) -> u64 {
        read!(self, fresh_stand_in)
    }

    #[inline(always)]
    pub fn take_fresh_stand_in(self) -> u64 {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::fetch_add(&raw mut (*self.0).fresh_stand_in, 1) }
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

impl Shared<StandIn> {
    #[inline(always)]
    pub fn address(self) -> Ip6 {
        Ip6 {
            words: [
                read!(self, address.words[0]),
                read!(self, address.words[1]),
                read!(self, address.words[2]),
                read!(self, address.words[3]),
            ],
        }
    }

    /// Takes the place for an address. To be called while nobody else knows it.
    #[inline(always)]
    pub fn take(self, address: &Ip6, now: Coarse) {
        write!(self, asked, 0);
        write!(self, touched, now);
        write!(self, taken, 1);
        let mut word = 0;
        while word < 4 {
            // SAFETY: `Shared::new` was promised a valid pointer; one of four
            // aligned words.
            unsafe {
                (&raw mut (*self.0).address.words[word]).write_volatile(address.words[word]);
            }
            word += 1;
        }
    }

    /// To be called before the place is free to be taken.
    #[inline(always)]
    pub fn leave(self) {
        write!(self, taken, 0);
    }

    #[inline(always)]
    pub fn is_taken(self) -> bool {
        read!(self, taken) != 0
    }

    #[inline(always)]
    pub fn touched(self) -> Coarse {
        read!(self, touched)
    }

    /// Most packets write nothing.
    #[inline(always)]
    pub fn touch(self, now: Coarse) {
        if read!(self, touched) != now {
            write!(self, touched, now);
        }
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

    #[inline(always)]
    pub fn set_way(self, dst_mac: u64, src_mac: u64, link: u64, asked: u64) {
        // Whoever reads meanwhile sees that it is none.
        write!(self, asked, 0);
        write!(self, dst_mac, dst_mac);
        write!(self, src_mac, src_mac);
        write!(self, link, link);
        write!(self, asked, asked);
    }
}
