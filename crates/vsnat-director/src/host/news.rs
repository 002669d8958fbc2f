//! Which of the kernel's news matter to the next hops.
//!
//! A neighbour's state goes round between REACHABLE, STALE, DELAY and PROBE as
//! long as there is traffic, and each turn is told. Only another hardware
//! address, or none any more, makes a remembered next hop wrong. News of links,
//! addresses and routes are rare, and all of them count.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Place and size of what is read (linux/netlink.h, linux/neighbour.h,
/// linux/rtnetlink.h).
const HEADER: usize = 16;
const NEIGHBOUR: usize = 12;
const ATTRIBUTE: usize = 4;
const ALIGNMENT: usize = 4;

/// Attributes of a neighbour.
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;

/// States in which the hardware address means nothing.
const NUD_INCOMPLETE: u16 = 0x01;
const NUD_FAILED: u16 = 0x20;

/// Whether remembered next hops may be wrong now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Matters,
    Nothing,
}

/// A neighbour on an interface.
type Neighbour = (u32, IpAddr);

/// The neighbours as they were last told.
#[derive(Debug, Default)]
pub struct Neighbours {
    macs: BTreeMap<Neighbour, Vec<u8>>,
}

impl Neighbours {
    /// Takes in the messages of one datagram.
    pub fn hear(&mut self, datagram: &[u8]) -> News {
        let mut news = News::Nothing;
        let mut rest = datagram;
        while let Some((kind, body, next)) = message(rest) {
            if self.hear_one(kind, body) == News::Matters {
                news = News::Matters;
            }
            rest = next;
        }
        news
    }

    /// Messages were lost, so nothing that is known is certain.
    pub fn lost(&mut self) -> News {
        self.macs.clear();
        News::Matters
    }

    fn hear_one(&mut self, kind: u16, body: &[u8]) -> News {
        if kind != libc::RTM_NEWNEIGH && kind != libc::RTM_DELNEIGH {
            return News::Matters;
        }
        let Some((neighbour, mac)) = neighbour(body) else {
            return News::Nothing;
        };
        let mac = mac.filter(|_| kind == libc::RTM_NEWNEIGH);
        let before = match &mac {
            Some(mac) => self.macs.insert(neighbour, mac.clone()),
            None => self.macs.remove(&neighbour),
        };
        // The way to one that was never heard of is not remembered for longer
        // than a second, or is being looked up.
        match before {
            Some(before) if mac.as_ref() != Some(&before) => News::Matters,
            Some(_) | None => News::Nothing,
        }
    }
}

/// Type and body of the first message, and what follows it.
fn message(data: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes(data, 0)?) as usize;
    let kind = u16::from_ne_bytes(bytes(data, 4)?);
    // A long one may have been cut off; its beginning is enough.
    let body = data.get(HEADER..length.min(data.len()))?;
    let next = length.next_multiple_of(ALIGNMENT);
    Some((kind, body, data.get(next..).unwrap_or_default()))
}

/// A neighbour and its hardware address, if that is valid. Tables of bridges
/// come by the same message.
fn neighbour(body: &[u8]) -> Option<(Neighbour, Option<Vec<u8>>)> {
    let family = i32::from(*body.first()?);
    if family != libc::AF_INET && family != libc::AF_INET6 {
        return None;
    }
    let interface = u32::from_ne_bytes(bytes(body, 4)?);
    let state = u16::from_ne_bytes(bytes(body, 8)?);
    let mut address = None;
    let mut mac = None;
    let mut rest = body.get(NEIGHBOUR..)?;
    while let Some((kind, value, next)) = attribute(rest) {
        match kind {
            NDA_DST => address = destination(family, value),
            NDA_LLADDR => mac = Some(value.to_vec()),
            _ => {}
        }
        rest = next;
    }
    let is_valid = state & (NUD_INCOMPLETE | NUD_FAILED) == 0;
    Some(((interface, address?), mac.filter(|_| is_valid)))
}

fn destination(family: i32, value: &[u8]) -> Option<IpAddr> {
    match family == libc::AF_INET6 {
        true => bytes(value, 0).map(|octets: [u8; 16]| octets.into()),
        false => bytes(value, 0).map(|octets: [u8; 4]| octets.into()),
    }
}

fn attribute(data: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::from(u16::from_ne_bytes(bytes(data, 0)?));
    let kind = u16::from_ne_bytes(bytes(data, 2)?);
    let value = data.get(ATTRIBUTE..length)?;
    let next = length.next_multiple_of(ALIGNMENT);
    Some((kind, value, data.get(next..).unwrap_or_default()))
}

fn bytes<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REACHABLE: u16 = 0x02;
    const STALE: u16 = 0x04;
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn told(kind: u16, family: i32, state: u16, mac: Option<[u8; 6]>) -> Vec<u8> {
        let mut body = vec![family as u8, 0, 0, 0];
        body.extend(7u32.to_ne_bytes());
        body.extend(state.to_ne_bytes());
        body.extend([0, 0]);
        let address: &[u8] = match family {
            libc::AF_INET6 => &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11],
            _ => &[10, 0, 100, 11],
        };
        body.extend((4 + address.len() as u16).to_ne_bytes());
        body.extend(NDA_DST.to_ne_bytes());
        body.extend(address);
        if let Some(mac) = mac {
            body.extend(10u16.to_ne_bytes());
            body.extend(NDA_LLADDR.to_ne_bytes());
            body.extend(mac);
            body.extend([0, 0]);
        }
        let mut message = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.resize(HEADER, 0);
        message.extend(body);
        message
    }

    fn new(state: u16, mac: Option<[u8; 6]>) -> Vec<u8> {
        told(libc::RTM_NEWNEIGH, libc::AF_INET, state, mac)
    }

    #[test]
    fn a_neighbour_that_is_checked_again_and_again_is_no_news() {
        let mut neighbours = Neighbours::default();
        let incomplete = new(NUD_INCOMPLETE, None);
        assert_eq!(neighbours.hear(&incomplete), News::Nothing);
        for state in [REACHABLE, STALE, 0x08, 0x10, REACHABLE] {
            assert_eq!(neighbours.hear(&new(state, Some(MAC))), News::Nothing);
        }
    }

    #[test]
    fn another_address_or_none_is_news() {
        let mut neighbours = Neighbours::default();
        neighbours.hear(&new(REACHABLE, Some(MAC)));
        assert_eq!(neighbours.hear(&new(STALE, Some(OTHER))), News::Matters);
        // The kernel still shows the address of one that failed.
        let failed = new(NUD_FAILED, Some(OTHER));
        assert_eq!(neighbours.hear(&failed), News::Matters);
        assert_eq!(neighbours.hear(&failed), News::Nothing);
        neighbours.hear(&new(REACHABLE, Some(OTHER)));
        let gone = told(libc::RTM_DELNEIGH, libc::AF_INET, STALE, Some(OTHER));
        assert_eq!(neighbours.hear(&gone), News::Matters);
        assert_eq!(neighbours.hear(&gone), News::Nothing);
    }

    #[test]
    fn neighbours_of_ipv6_are_heard_as_well() {
        let mut neighbours = Neighbours::default();
        let told = |mac| told(libc::RTM_NEWNEIGH, libc::AF_INET6, REACHABLE, Some(mac));
        assert_eq!(neighbours.hear(&told(MAC)), News::Nothing);
        assert_eq!(neighbours.hear(&told(MAC)), News::Nothing);
        assert_eq!(neighbours.hear(&told(OTHER)), News::Matters);
    }

    #[test]
    fn every_message_of_a_datagram_is_heard() {
        let mut neighbours = Neighbours::default();
        neighbours.hear(&new(REACHABLE, Some(MAC)));
        let both = [new(STALE, Some(MAC)), new(STALE, Some(OTHER))].concat();
        assert_eq!(neighbours.hear(&both), News::Matters);
    }

    #[test]
    fn links_and_routes_are_news_and_bridge_tables_are_not() {
        let mut neighbours = Neighbours::default();
        let mut link = new(0, None);
        link[4..6].copy_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
        assert_eq!(neighbours.hear(&link), News::Matters);
        for mac in [MAC, OTHER] {
            let learnt = told(libc::RTM_NEWNEIGH, libc::AF_BRIDGE, STALE, Some(mac));
            assert_eq!(neighbours.hear(&learnt), News::Nothing);
        }
    }

    #[test]
    fn nonsense_is_no_news() {
        let mut neighbours = Neighbours::default();
        let whole = new(REACHABLE, Some(MAC));
        for length in 0..HEADER + NEIGHBOUR {
            assert_eq!(neighbours.hear(&whole[..length]), News::Nothing, "{length}");
        }
        assert_eq!(neighbours.hear(&[0; 64]), News::Nothing);
    }
}
