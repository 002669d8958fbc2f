//! What one program of the clients' side leaves to the next.
//!
//! Read back it is numbers that the verifier knows nothing of: the ways that
//! led to a decision are not followed once more behind it.

use vsnat_abi::decision::{Decision, decided, told};
use vsnat_abi::flow::{FlowKey4, FlowRef};
use vsnat_abi::net::Be32;
use vsnat_abi::service::service_flag;

use crate::Shared;
use crate::find::same;
use crate::icmp::{Answer, Kind};
use crate::open::Closed;
use crate::persist::Kept;
use crate::target::{Came, Target};

impl Shared<Decision> {
    /// The packet goes to a server.
    #[inline(always)]
    pub(crate) fn write(self, key: &FlowKey4, target: &Target, kept: &Kept, closed: Closed) {
        let place = self.place();
        place.key = *key;
        place.service_key = target.key;
        place.service_flags = target.flags | place.within;
        place.dest = kept.dest;
        place.control = kept.control;
        place.what = match closed {
            Closed::None => decided::OPEN,
            Closed::Reused => decided::REOPEN,
            Closed::ServerGone => decided::REPLACE,
        };
        place.opened = 0;
    }

    /// The connection that was opened for the packet.
    #[inline(always)]
    pub(crate) fn write_opened(self, reference: FlowRef) {
        self.place().opened = reference.raw();
    }

    /// Where the packet's connection was opened, if it was just now. Like the
    /// hint of the flow table it says where to look, not what is there.
    #[inline(always)]
    pub(crate) fn opened(self) -> u64 {
        self.place().opened
    }

    /// The packet is refused.
    #[inline(always)]
    pub(crate) fn write_answer(self, key: &FlowKey4, answer: Answer) {
        let place = self.place();
        place.key = *key;
        place.teller = answer.from;
        place.mtu = u32::from(answer.mtu);
        place.told = match answer.kind {
            Kind::PortUnreachable => told::PORT_UNREACHABLE,
            Kind::FragmentationNeeded => told::FRAGMENTATION_NEEDED,
            Kind::TimeExceeded => told::TIME_EXCEEDED,
        };
    }

    #[inline(always)]
    pub(crate) fn answer(self) -> Answer {
        let place = self.place();
        let kind = match place.told {
            told::FRAGMENTATION_NEEDED => Kind::FragmentationNeeded,
            told::TIME_EXCEEDED => Kind::TimeExceeded,
            _ => Kind::PortUnreachable,
        };
        Answer::new(kind, place.mtu as u16, place.teller)
    }

    /// The packet on its way to the choice of a server comes from within.
    #[inline(always)]
    pub(crate) fn mark_within(self) {
        self.place().within = service_flag::SOURCE;
    }

    #[inline(always)]
    pub(crate) fn is_within(self) -> bool {
        self.place().within != 0
    }

    /// The choice is made: the next packet tells of itself.
    #[inline(always)]
    pub(crate) fn forget_within(self) {
        self.place().within = 0;
    }

    /// Whether the server that was decided on sees the director's own address.
    #[inline(always)]
    pub(crate) fn hides_client(self) -> bool {
        self.place().service_flags & service_flag::SOURCE != 0
    }

    /// Whether it was decided about this packet.
    #[inline(always)]
    pub(crate) fn is_for(self, key: &FlowKey4) -> bool {
        same(&self.place().key, key)
    }

    #[inline(always)]
    pub(crate) fn closed(self) -> Closed {
        match self.place().what {
            decided::REOPEN => Closed::Reused,
            decided::REPLACE => Closed::ServerGone,
            _ => Closed::None,
        }
    }

    /// The service, as far as opening asks for it.
    #[inline(always)]
    pub(crate) fn target(self) -> Target {
        let place = self.place();
        Target {
            came: Came::Found,
            index: 0,
            key: place.service_key,
            view: 0,
            flags: place.service_flags,
            persistence: 0,
            netmask: Be32::ZERO,
        }
    }

    #[inline(always)]
    pub(crate) fn kept(self) -> Kept {
        let place = self.place();
        Kept::found(place.dest, place.control)
    }

    #[inline(always)]
    fn place<'a>(self) -> &'a mut Decision {
        // SAFETY: `Shared::new` was promised a valid pointer. No other CPU
        // knows this place, and each use ends before the next begins.
        unsafe { &mut *self.pointer() }
    }
}
