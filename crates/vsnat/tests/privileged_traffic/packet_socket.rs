//! Sending and capturing whole frames.

use std::io::ErrorKind;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

/// Room for all frames of a scenario: a capture must not lose one.
const BUFFER_BYTES: usize = 64 << 20;
/// Frames that come after so long a pause belong to nothing.
const PAUSE: Duration = Duration::from_millis(300);
const FRAME_MAX: usize = 65_600;

/// A tap on an interface of the calling thread's namespace.
pub struct PacketSocket {
    socket: Socket,
}

impl PacketSocket {
    pub fn open(interface: &str) -> Self {
        let every = (libc::ETH_P_ALL as u16).to_be();
        let protocol = Protocol::from(i32::from(every));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap();
        socket.bind(&address(interface, every)).unwrap();
        setsockopt(&socket.as_fd(), sockopt::RcvBufForce, &BUFFER_BYTES).unwrap();
        socket.set_read_timeout(Some(PAUSE)).unwrap();
        PacketSocket { socket }
    }

    pub fn send(&self, frame: &[u8]) {
        assert_eq!(self.socket.send(frame).unwrap(), frame.len());
    }

    /// Takes so many frames, fewer only when no more come.
    pub fn take(&self, count: usize) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; FRAME_MAX];
        let mut frames = Vec::with_capacity(count);
        while frames.len() < count {
            match (&self.socket).read(&mut buffer) {
                Ok(length) => frames.push(buffer[..length].to_vec()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("capture: {error}"),
            }
        }
        frames
    }

    /// Takes frames until none comes any more.
    pub fn drain(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut buffer = vec![0; FRAME_MAX];
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            assert!(Instant::now() < deadline, "the capture does not end");
            match (&self.socket).read(&mut buffer) {
                Ok(length) => frames.push(buffer[..length].to_vec()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return frames,
                Err(error) => panic!("capture: {error}"),
            }
        }
    }
}

fn address(interface: &str, protocol: u16) -> SockAddr {
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: a sockaddr_ll is smaller than the storage, has no stricter
    // alignment, and all zeroes is a valid value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol;
    address.sll_ifindex = i32::try_from(index).unwrap();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a sockaddr_ll with its family, of that length.
    unsafe { SockAddr::new(storage, length) }
}
