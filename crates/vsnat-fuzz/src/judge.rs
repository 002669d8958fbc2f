//! What must hold of a packet that has been dealt with.

use vsnat_abi::counters::Reason;
use vsnat_api::Side;
use vsnat_core::Verdict;

use crate::sums::{Sum, Sums};

/// How often each reason was given on a packet's way.
pub type Counted<'c> = &'c dyn Fn(Reason) -> u64;

/// The reasons of which a packet has one at least; one that passes, exactly one.
const FATES: [Reason; 22] = [
    Reason::Forwarded,
    Reason::Returned,
    Reason::NotOurs,
    Reason::NoConnection,
    Reason::Martian,
    Reason::Denied,
    Reason::Fragment,
    Reason::NoServer,
    Reason::ServerGone,
    Reason::TableFull,
    Reason::PortsExhausted,
    Reason::SourcePortsExhausted,
    Reason::TtlExceeded,
    Reason::FragmentationNeeded,
    Reason::TooBig,
    Reason::NoRoute,
    Reason::OpenRace,
    Reason::Kernel,
    Reason::DropPacket,
    Reason::SparedPort,
    Reason::UnknownToServer,
    Reason::ErrorTranslated,
];

/// Judges where a server's packet goes: the daemon's reach it by a mark.
pub fn handing(counted: Counted<'_>, side: Side, verdict: Verdict) -> Result<(), String> {
    let is_daemons = counted(Reason::Proxied) > 0 && side == Side::Inner;
    match (is_daemons, verdict) {
        (true, Verdict::Pass) => Err("the daemon's packet would be forwarded".to_owned()),
        (false, Verdict::ToHost) => Err("somebody's packet goes to the daemon".to_owned()),
        (_, _) => Ok(()),
    }
}

/// What a packet may be when it goes on to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    Untouched,
    /// Too large for the next link, it is translated here and divided there.
    MayBeTranslated,
}

/// Judges bytes alone.
pub fn bytes(
    before: &[u8],
    after: &[u8],
    verdict: Verdict,
    passing: Passing,
) -> Result<(), String> {
    match verdict {
        Verdict::Pass | Verdict::ToHost => match (before == after, passing) {
            (true, _) => Ok(()),
            (false, Passing::MayBeTranslated) => sums(before, after),
            (false, Passing::Untouched) => Err("a packet that passes has changed".to_owned()),
        },
        Verdict::Drop => Ok(()),
        Verdict::Redirect { .. } | Verdict::Neighbour { .. } | Verdict::Resolved { .. } => {
            sums(before, after)
        }
        Verdict::Six => Err("a step was answered as a verdict".to_owned()),
    }
}

/// Judges what was counted on the way of one packet.
pub fn counters(counted: Counted<'_>, verdict: Verdict) -> Result<(), String> {
    if counted(Reason::Seen) != 1 {
        return Err(format!("seen {} times", counted(Reason::Seen)));
    }
    let given = FATES.iter().map(|fate| counted(*fate)).sum::<u64>();
    let is_pass = match verdict {
        Verdict::Pass | Verdict::ToHost => true,
        Verdict::Drop
        | Verdict::Redirect { .. }
        | Verdict::Neighbour { .. }
        | Verdict::Resolved { .. }
        | Verdict::Six => false,
    };
    // A client's piece of what the daemon reads is counted as that alone.
    let is_counted = given > 0 || counted(Reason::Proxied) > 0;
    // What is too big is counted so, and as sent when the host divides it.
    let is_sent = counted(Reason::Forwarded) + counted(Reason::Returned) > 0;
    let most = match is_sent && counted(Reason::TooBig) > 0 {
        true => 2,
        false => 1,
    };
    if !is_counted || (is_pass && given > most) {
        return Err(format!("{verdict:?} for {given} reasons"));
    }
    Ok(())
}

/// Judges a packet that kept its length and became the other side's.
pub fn translation(before: &[u8], after: &[u8]) -> Result<(), String> {
    if before.len() != after.len() || before.get(12..14) != after.get(12..14) {
        return Ok(());
    }
    let first = Sums::of(before).rest;
    if first.is_some() && first != Sums::of(after).rest {
        return Err("the transport's sum is another after the translation".to_owned());
    }
    if after.get(12..15) != Some(&[0x08, 0x00, 0x45]) {
        return Ok(());
    }
    if after[22] != before[22].wrapping_sub(1) {
        return Err("time to live is not one less".to_owned());
    }
    let is_later = u16::from_be_bytes([after[20], after[21]]) & 0x1fff != 0;
    let checksum = match after[23] {
        6 => 50..52,
        17 => 40..42,
        132 => 42..46,
        _ => 0..0,
    };
    let may_change = |at: usize| {
        at < 12
            || (22..34).contains(&at) && at != 23
            || !is_later && ((34..38).contains(&at) || checksum.contains(&at))
    };
    let changed = (0..after.len()).find(|at| before[*at] != after[*at] && !may_change(*at));
    match changed {
        None => Ok(()),
        Some(at) => Err(format!("byte {at} has changed, which no translation does")),
    }
}

/// Judges a message of ours: an ICMP error or a reset. One to a packet whose
/// checksum a card fills in is right only when the card has done so.
pub fn answer(before: &[u8], after: &[u8]) -> Result<(), String> {
    if Sums::of(before).transport == Sum::Partial {
        return Ok(());
    }
    let sums = Sums::of(after);
    match (sums.ip, sums.transport) {
        (Sum::Right | Sum::None, Sum::Right) => Ok(()),
        (ip, transport) => Err(format!("an answer with sums {ip:?} and {transport:?}")),
    }
}

fn sums(before: &[u8], after: &[u8]) -> Result<(), String> {
    let (first, then) = (Sums::of(before), Sums::of(after));
    let pairs = [
        ("IP", first.ip, then.ip),
        ("transport", first.transport, then.transport),
        ("quoted IP", first.quoted_ip, then.quoted_ip),
        (
            "quoted transport",
            first.quoted_transport,
            then.quoted_transport,
        ),
    ];
    for (which, first, then) in pairs {
        if first == Sum::Right && then == Sum::Wrong {
            return Err(format!("the {which} checksum was right and is wrong"));
        }
    }
    Ok(())
}
