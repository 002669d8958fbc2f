//! One-packet scheduling: each datagram finds its own server, and nothing
//! remembers it.
//!
//! An answer is known by the server's address and port alone. IPVS lets such
//! answers go out with the server's address; here they get the service's, by
//! the setting `one_packet_answers`.

use vsnat_abi::counters::Reason;
use vsnat_abi::flow::{Direction, FlowKey4};
use vsnat_abi::net::Be16;
use vsnat_abi::service::{ServiceKey4, service_flag};
use vsnat_abi::settings::{Settings, flag};

use crate::leave::Passage;
use crate::open::reply_key;
use crate::parse::{Head, UDP};
use crate::persist::Kept;
use crate::target::Target;
use crate::verdict::Stop;
use crate::{Shared, Tables, persist};

/// The way of a datagram to a one-packet service.
#[inline(always)]
pub(crate) fn forward<T: Tables>(
    tables: &mut T,
    target: &Target,
    head: &Head,
    kept: &Kept,
) -> Result<Passage, Stop> {
    // The connection that IPVS makes for it ends with it.
    persist::release(tables, kept.control);
    let Some(reply) = reply_key(tables, target, kept.dest, head) else {
        return Err(Stop::drop(Reason::OpenRace));
    };
    tables.count(Reason::OnePacket);
    if let Some(stats) = tables.dest_stats(kept.dest) {
        stats.count_connection();
    }
    Ok(Passage {
        dest: kept.dest,
        direction: Direction::Forward,
        to: reply.reversed(),
    })
}

/// The way of a server's datagram that answers one of them, if it is one.
#[inline(always)]
pub(crate) fn answer<T: Tables>(
    tables: &T,
    settings: Shared<Settings>,
    head: &Head,
) -> Option<Passage> {
    if head.key.protocol != UDP
        || !settings.has(flag::HAS_ONE_PACKET)
        || !settings.has(flag::ONE_PACKET_ANSWERS)
    {
        return None;
    }
    let dest = tables.find_server(&server_key(head))?;
    let service_key = tables.dest(dest)?.service();
    let service = tables.service(tables.find_service(&service_key)?)?;
    // What a service by mark was asked under, nothing tells any more.
    if service.flags() & service_flag::ONE_PACKET == 0 || service_key.is_mark() {
        return None;
    }
    let port = match service_key.port {
        Be16::ZERO => head.key.src_port,
        port => port,
    };
    Some(Passage {
        dest,
        direction: Direction::Reply,
        to: FlowKey4::new(UDP, service_key.vip, port, head.key.dst, head.key.dst_port),
    })
}

/// What a server is known by: the ends it speaks from.
#[inline(always)]
pub(crate) fn server_key(head: &Head) -> ServiceKey4 {
    ServiceKey4 {
        vip: head.key.src,
        port: head.key.src_port,
        protocol: head.key.protocol,
        zero: 0,
    }
}
