//! ARP on the outer link: does somebody else have a VIP, and it is here now.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use super::link::Link;

/// Probes for one address and the pause after each: a neighbour on a link
/// answers within milliseconds; three tries survive a lost frame.
const PROBES: u32 = 3;
const PROBE_PAUSE: Duration = Duration::from_millis(250);

const BROADCAST: [u8; 6] = [0xff; 6];
const FRAME_LENGTH: usize = 42;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Request = 1,
    Reply = 2,
}

/// The VIPs that a neighbour answers for or is about to take itself, with its
/// hardware address.
pub fn probe(link: &Link, addresses: &[Ipv4Addr]) -> io::Result<BTreeMap<Ipv4Addr, [u8; 6]>> {
    let mut owners = BTreeMap::new();
    let Some(mac) = link.mac() else {
        return Ok(owners);
    };
    let mut socket = open(link)?;
    for _ in 0..PROBES {
        for address in addresses {
            // Sender 0.0.0.0 (RFC 5227): a question that teaches nobody.
            let frame = frame(Operation::Request, mac, Ipv4Addr::UNSPECIFIED, *address);
            socket.send(&frame)?;
        }
        listen(&mut socket, mac, addresses, &mut owners)?;
    }
    Ok(owners)
}

/// Tells every neighbour that the address is at this interface.
pub fn announce(link: &Link, address: Ipv4Addr) -> io::Result<()> {
    let Some(mac) = link.mac() else {
        return Ok(());
    };
    let socket = open(link)?;
    // Some systems learn from requests only, some from replies only.
    for operation in [Operation::Request, Operation::Reply] {
        socket.send(&frame(operation, mac, address, address))?;
    }
    Ok(())
}

fn listen(
    socket: &mut Socket,
    own_mac: [u8; 6],
    addresses: &[Ipv4Addr],
    owners: &mut BTreeMap<Ipv4Addr, [u8; 6]>,
) -> io::Result<()> {
    let deadline = Instant::now() + PROBE_PAUSE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        socket.set_read_timeout(Some(left))?;
        let mut buffer = [0; 128];
        let length = match socket.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if is_timeout(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some((mac, claimed)) = claim(&buffer[..length]) else {
            continue;
        };
        if mac != own_mac && addresses.contains(&claimed) {
            owners.insert(claimed, mac);
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Who claims which address by an ARP frame: its sender has it, or asks without
/// an address whether another one has it, since he wants it (RFC 5227, 2.1.1).
fn claim(frame: &[u8]) -> Option<([u8; 6], Ipv4Addr)> {
    let mac: [u8; 6] = frame.get(22..28)?.try_into().ok()?;
    let address = |at: usize| -> Option<Ipv4Addr> {
        let octets: [u8; 4] = frame.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    let (sender, target) = (address(28)?, address(38)?);
    let claimed = match sender.is_unspecified() {
        true => target,
        false => sender,
    };
    Some((mac, claimed))
}

/// Ethernet and ARP (RFC 826) for IPv4.
fn frame(
    operation: Operation,
    mac: [u8; 6],
    sender: Ipv4Addr,
    target: Ipv4Addr,
) -> [u8; FRAME_LENGTH] {
    let mut frame = [0; FRAME_LENGTH];
    frame[0..6].copy_from_slice(&BROADCAST);
    frame[6..12].copy_from_slice(&mac);
    frame[12..14].copy_from_slice(&0x0806u16.to_be_bytes());
    frame[14..16].copy_from_slice(&1u16.to_be_bytes());
    frame[16..18].copy_from_slice(&0x0800u16.to_be_bytes());
    frame[18] = 6;
    frame[19] = 4;
    frame[20..22].copy_from_slice(&(operation as u16).to_be_bytes());
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&sender.octets());
    frame[38..42].copy_from_slice(&target.octets());
    if operation == Operation::Reply {
        frame[32..38].copy_from_slice(&BROADCAST);
    }
    frame
}

/// A socket for ARP frames of one interface.
fn open(link: &Link) -> io::Result<Socket> {
    let arp = (libc::ETH_P_ARP as u16).to_be();
    let protocol = Protocol::from(i32::from(arp));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: a sockaddr_ll is smaller than the storage, has no stricter
    // alignment, and all zeroes is a valid value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = arp;
    address.sll_ifindex = link.index as i32;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a sockaddr_ll with its family, of that length.
    let address = unsafe { SockAddr::new(storage, length) };
    socket.bind(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_claims_the_address_of_its_sender() {
        let mac = [2, 0, 0, 0, 0, 7];
        let vip = Ipv4Addr::new(192, 168, 28, 167);
        let frame = frame(Operation::Reply, mac, vip, vip);
        assert_eq!(claim(&frame), Some((mac, vip)));
        assert_eq!(claim(&frame[..30]), None);
        assert_eq!(frame[12..22], [8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    }

    #[test]
    fn a_probe_claims_what_it_asks_for() {
        let mac = [2, 0, 0, 0, 0, 7];
        let vip = Ipv4Addr::new(192, 168, 28, 167);
        let probe = frame(Operation::Request, mac, Ipv4Addr::UNSPECIFIED, vip);
        assert_eq!(claim(&probe), Some((mac, vip)));
        let other = Ipv4Addr::new(192, 168, 28, 1);
        let question = frame(Operation::Request, mac, other, vip);
        assert_eq!(
            claim(&question),
            Some((mac, other)),
            "a question is no claim"
        );
    }
}
