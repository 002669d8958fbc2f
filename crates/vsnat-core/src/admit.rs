//! Who may open a connection.
//!
//! Asked of packets to a service that no connection carries, and behind the
//! finding of the service: what is not for us is not judged.

use vsnat_abi::counters::Reason;
use vsnat_abi::settings::{Settings, deny, flag, mode};

use crate::parse::{FTP_DATA, Head, RST, SCTP, SYN, TCP};
use crate::verdict::Stop;
use crate::{Shared, Tables, sctp, source};

/// Sources that the administrator refuses, and sources that cannot be.
#[inline(always)]
pub(crate) fn admit<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    head: &Head,
) -> Result<(), Stop> {
    // IPVS never schedules active FTP data: its connection must exist already.
    if head.key.src_port.host() == FTP_DATA || !may_open(settings, head) {
        return Err(Stop::pass(Reason::NoConnection));
    }
    let denied = tables.denied(head.key.src);
    if denied & deny::MARTIAN != 0 && !source::is_within(tables) {
        return Err(Stop::drop(Reason::Martian));
    }
    if denied & deny::DENIED != 0 {
        return Err(Stop::drop(Reason::Denied));
    }
    Ok(())
}

/// Whether a packet without a connection may start one.
#[inline(always)]
pub(crate) fn may_open(settings: Shared<Settings>, head: &Head) -> bool {
    match head.key.protocol {
        TCP => opens(head) || (settings.has(flag::SLOPPY_TCP) && head.flags & RST == 0),
        SCTP => opens(head) || settings.has(flag::SLOPPY_SCTP),
        _ => true,
    }
}

/// Whether a packet is the first of a connection by its own account.
#[inline(always)]
pub(crate) fn opens(head: &Head) -> bool {
    match head.key.protocol {
        TCP => head.flags & SYN != 0 && head.flags & RST == 0,
        SCTP => head.chunk == sctp::Event::Init,
        _ => false,
    }
}

/// `drop_packet`: one of so many new connections is too many, always or while
/// the table is short of room.
#[inline(always)]
pub(crate) fn spare<T: Tables>(tables: &T, settings: Shared<Settings>) -> Result<(), Stop> {
    let mode = settings.mode(mode::DROP_PACKET);
    if mode == 0 {
        return Ok(());
    }
    let Some(shared) = tables.shared() else {
        return Ok(());
    };
    let rate = match mode {
        mode::ALWAYS => u64::from(settings.am_droprate()),
        _ => shared.drop_rate(),
    };
    if rate != 0 && shared.count_drop().checked_rem(rate) == Some(0) {
        return Err(Stop::drop(Reason::DropPacket));
    }
    Ok(())
}
