//! Clients within: on the servers' side, servers among them, and the director
//! itself with all that runs on it.
//!
//! [`local`] stands at the ingress of the loopback interface, where what the
//! host sends to an address of its own arrives. [`within`] is the way that both
//! have to the steps of the clients' side; what opens a connection is marked, so
//! that the server will see the director's own address.

use vsnat_abi::counters::Reason;
use vsnat_abi::filter::FILTER_VIPS;
use vsnat_abi::mark::mark_list_len;
use vsnat_abi::settings::{Settings, deny};

use super::{Standing, Step, not_ours, other, sending, standing};
use crate::find::find;
use crate::parse::{Head, Part, parse};
use crate::target::is_nobodys;
use crate::{Packet, Shared, Tables};

/// A packet of the host to one of its own addresses.
#[inline(always)]
pub fn local<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    tables.count(Reason::Seen);
    let Some(head) = parse(packet) else {
        return other(packet, tables);
    };
    if !is_asked_for(packet, tables, &head) {
        return Step::Done(not_ours(tables));
    }
    match head.part {
        Part::Whole => Step::Within,
        // Nothing is too large for that interface.
        Part::First | Part::Later => Step::Done(not_ours(tables)),
    }
}

/// A packet to what may be a VIP, of a client on the servers' side or of the
/// host.
#[inline(always)]
pub fn within<P: Packet, T: Tables>(packet: &mut P, tables: &mut T) -> Step {
    let Some(head) = parse(packet) else {
        return Step::Done(not_ours(tables));
    };
    let (Some(settings), Some(decision)) = (tables.settings(), tables.decision()) else {
        return Step::Done(not_ours(tables));
    };
    match find(tables, settings, &head.key) {
        Some(found) => match standing(tables, settings, &head, &found) {
            Ok(Standing::Goes) => return Step::Send,
            Ok(Standing::Begins) => return sending(settings, &head),
            Ok(Standing::Reused | Standing::ServerGone) | Err(_) => {}
        },
        None if is_others(tables, settings, &head) => return Step::Done(not_ours(tables)),
        None => {}
    }
    decision.mark_within();
    Step::Choose
}

/// Whether a packet from within may be for a service.
#[inline(always)]
pub(super) fn is_asked_for<P: Packet, T: Tables>(packet: &P, tables: &T, head: &Head) -> bool {
    tables.filter(FILTER_VIPS, head.key.dst) && packet.is_for_host()
}

/// Rules of marks may match what servers send into the world, which is no
/// packet to a service: only the director's own addresses are.
#[inline(always)]
fn is_others<T: Tables>(tables: &T, settings: Shared<Settings>, head: &Head) -> bool {
    if mark_list_len(settings.marks()) != 0 {
        return tables.denied(head.key.dst) & deny::MARTIAN == 0;
    }
    is_nobodys(tables, settings, &head.key)
}
