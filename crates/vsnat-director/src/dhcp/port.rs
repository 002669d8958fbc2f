//! The sockets of one inner interface.
//!
//! Messages come and go by a packet socket: a client without an address can be
//! answered only by a frame to its hardware address, and a firewall that drops by
//! default need not be opened. A UDP socket beside it holds port 67, so that the
//! kernel does not tell clients that nobody is there, and sends to those that
//! have an address. Both are bound to the interface: what comes by another one
//! is never seen.

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd};

use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};
use vsnat_dhcp::wire::SERVER_PORT;
use vsnat_dhcp::{Answer, Destination, Hardware};

use super::DhcpError;
use super::frame::{self, Ends};
use crate::host::{address, link};

/// A DHCP message fits into one frame; a longer one is cut off and refused.
pub(super) const FRAME: usize = 2_048;

/// Room for the burst of a rack that is switched on: some thousand messages.
const RECEIVE_BUFFER: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Port {
    pub interface: String,
    index: u32,
    mac: Hardware,
    /// Our own addresses there.
    addresses: Vec<Ipv4Addr>,
    packets: Socket,
    datagrams: Socket,
}

impl Port {
    pub fn open(interface: &str) -> Result<Self, DhcpError> {
        let failed = |source: io::Error| match source.kind() {
            ErrorKind::AddrInUse => DhcpError::PortInUse {
                interface: interface.to_owned(),
            },
            _ => DhcpError::Socket {
                interface: interface.to_owned(),
                source,
            },
        };
        let links = link::all()?;
        let found = links.iter().find(|link| link.name == interface);
        let mac = found.and_then(|link| link.mac()).ok_or_else(|| {
            let message = "there is no such Ethernet interface";
            failed(io::Error::new(ErrorKind::NotFound, message))
        })?;
        let index = if_nametoindex(interface).map_err(|error| failed(error.into()))?;
        let own = address::all()?.into_iter();
        let own = own.filter(|address| address.interface == interface);
        Ok(Port {
            interface: interface.to_owned(),
            index,
            mac: Hardware::new(mac),
            addresses: own
                .filter_map(|address| Some(address.ipv4()?.addr()))
                .collect(),
            datagrams: datagrams(interface).map_err(failed)?,
            packets: packets(index, SERVER_PORT).map_err(failed)?,
        })
    }

    /// The same interface made anew under its name, if it was.
    pub fn reopened(&self) -> Option<Result<Port, DhcpError>> {
        let index = if_nametoindex(self.interface.as_str()).ok()?;
        (index != self.index).then(|| Port::open(&self.interface))
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.packets.as_fd()
    }

    /// The next frame; none when no more has come.
    pub fn receive<'b>(&self, buffer: &'b mut [u8; FRAME]) -> io::Result<Option<&'b [u8]>> {
        loop {
            match (&self.packets).read(buffer) {
                Ok(length) => return Ok(Some(&buffer[..length])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a datagram to this address is for this host and not on its way
    /// through it.
    pub fn is_own(&self, destination: Ipv4Addr) -> bool {
        destination.is_broadcast() || self.addresses.contains(&destination)
    }

    pub fn send(&self, answer: &Answer) -> io::Result<()> {
        let to_all = (Hardware::BROADCAST, Ipv4Addr::BROADCAST);
        let (hardware, address) = match answer.to {
            Destination::Broadcast => to_all,
            Destination::Hardware { hardware, address } => (hardware, address),
            Destination::Client(address) | Destination::Relay(address) => {
                let to = SocketAddrV4::new(address, answer.to.port());
                return self.datagrams.send_to(&answer.bytes, &to.into()).map(drop);
            }
        };
        let ends = Ends {
            from: (self.mac, answer.source, SERVER_PORT),
            to: (hardware, address, answer.to.port()),
        };
        let Some(frame) = frame::write(ends, &answer.bytes) else {
            return Err(io::Error::from(ErrorKind::InvalidInput));
        };
        self.packets.send(&frame).map(drop)
    }
}

/// A socket for frames with UDP to a port, of one interface.
pub(super) fn packets(index: u32, port: u16) -> io::Result<Socket> {
    // It hears nothing until it is bound, and by then has its filter.
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    socket.attach_filter(&filter(index, port))?;
    // More than the usual limit is for root; less is no reason to fail.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: a sockaddr_ll is smaller than the storage, has no stricter
    // alignment, and all zeroes is a valid value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_IP as u16).to_be();
    address.sll_ifindex = index.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a sockaddr_ll with its family, of that length.
    let address = unsafe { SockAddr::new(storage, length) };
    socket.bind(&address)?;
    Ok(socket)
}

/// UDP over IPv4 to a port, no later fragment, no frame for another host, and
/// none of a VLAN on the interface: the kernel shows those here too.
fn filter(index: u32, port: u16) -> [SockFilter; 15] {
    const LOAD_WORD: u16 = 0x20;
    const LOAD_HALF: u16 = 0x28;
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_HALF_AT: u16 = 0x48;
    const HEADER_LENGTH: u16 = 0xb1;
    const IF_EQUAL: u16 = 0x15;
    const IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    // Where the kernel shows a frame's packet type (SKF_AD_OFF, SKF_AD_PKTTYPE).
    const PACKET_TYPE: u32 = 0xffff_f000 + 4;
    const OTHER_HOST: u32 = libc::PACKET_OTHERHOST as u32;
    // And the interface that it is for (SKF_AD_IFINDEX).
    const INTERFACE: u32 = 0xffff_f000 + 8;
    [
        SockFilter::new(LOAD_WORD, 0, 0, INTERFACE),
        SockFilter::new(IF_EQUAL, 0, 12, index),
        SockFilter::new(LOAD_BYTE, 0, 0, PACKET_TYPE),
        SockFilter::new(IF_EQUAL, 10, 0, OTHER_HOST),
        SockFilter::new(LOAD_HALF, 0, 0, 12),
        SockFilter::new(IF_EQUAL, 0, 8, 0x0800),
        SockFilter::new(LOAD_BYTE, 0, 0, 23),
        SockFilter::new(IF_EQUAL, 0, 6, 17),
        SockFilter::new(LOAD_HALF, 0, 0, 20),
        SockFilter::new(IF_SET, 4, 0, 0x1fff),
        SockFilter::new(HEADER_LENGTH, 0, 0, 14),
        SockFilter::new(LOAD_HALF_AT, 0, 0, 16),
        SockFilter::new(IF_EQUAL, 0, 1, u32::from(port)),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

fn datagrams(interface: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // It is there to hold the port and to send: what comes is read elsewhere.
    socket.attach_filter(&[SockFilter::new(0x06, 0, 0, 0)])?;
    socket.set_nonblocking(true)?;
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, SERVER_PORT);
    socket.bind(&any.into())?;
    Ok(socket)
}
