//! Pieces of IPv6 datagrams: whose they are.
//!
//! Inside they are pieces of IPv4 ones, with the low half of the number, and
//! are remembered there.

use vsnat_abi::flow::{Direction, FlowKey4, FlowRef};
use vsnat_abi::fragment::{FOREIGN, FragmentKey4};
use vsnat_abi::net::Be16;

use crate::Tables;
use crate::parse::Part;
use crate::six::NOBODY;
use crate::six::head::Head6;

/// Whose a packet is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    Ours,
    /// The host's own stack.
    Hosts,
    /// A piece that came before the first one.
    Nobodys,
}

/// A piece that is not the first. From a client whose address has no stand-in
/// it is of no connection.
#[inline(always)]
pub(super) fn piece<T: Tables>(
    tables: &T,
    head: &Head6,
    key: &FlowKey4,
    towards: Direction,
) -> Belongs {
    if key.src == NOBODY {
        return Belongs::Hosts;
    }
    match tables.fragment(&number(head, key)) {
        Some(FOREIGN) => Belongs::Hosts,
        Some(reference) if FlowRef::from_raw(reference).direction() == towards => Belongs::Ours,
        Some(_) => Belongs::Hosts,
        None => match towards {
            Direction::Forward => Belongs::Nobodys,
            Direction::Reply => Belongs::Hosts,
        },
    }
}

/// The pieces that follow are none of ours.
#[inline(always)]
pub(super) fn remember_foreign<T: Tables>(tables: &mut T, head: &Head6, key: &FlowKey4) {
    if head.part == Part::First && key.src != NOBODY {
        tables.put_fragment(&number(head, key), FOREIGN);
    }
}

#[inline(always)]
fn number(head: &Head6, key: &FlowKey4) -> FragmentKey4 {
    FragmentKey4 {
        src: key.src,
        dst: key.dst,
        id: Be16::from_host(head.id),
        protocol: head.protocol,
        zero: 0,
    }
}
