//! One end of a link, as raw frames.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// An AF_PACKET socket bound to one interface.
pub struct Wire {
    socket: OwnedFd,
}

const ALL_PROTOCOLS: u16 = 0x0003;
const FRAME_MAX: usize = 4_096;

impl Wire {
    pub fn open(interface: &str) -> Self {
        let protocol = ALL_PROTOCOLS.to_be();
        // SAFETY: a plain system call; the result is checked.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(protocol)) };
        assert!(raw >= 0, "raw socket: {}", io::Error::last_os_error());
        // SAFETY: a fresh descriptor that nobody else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: all zero is a valid address.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = nix::net::if_::if_nametoindex(interface).unwrap() as i32;
        // SAFETY: address and length belong together.
        let failed = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as u32,
            )
        };
        assert_eq!(
            failed,
            0,
            "bind to {interface}: {}",
            io::Error::last_os_error()
        );
        Wire { socket }
    }

    pub fn send(&self, frame: &[u8]) {
        // SAFETY: the kernel reads the frame's bytes.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
            )
        };
        assert_eq!(sent, frame.len() as isize, "{}", io::Error::last_os_error());
    }

    /// The next IPv4 frame that arrives; what this end sent does not count.
    pub fn receive_ip(&self, patience: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let mut frame = vec![0; FRAME_MAX];
            // SAFETY: all zero is a valid address.
            let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            let mut length = size_of::<libc::sockaddr_ll>() as u32;
            // SAFETY: buffers and lengths belong together.
            let got = unsafe {
                libc::recvfrom(
                    self.socket.as_raw_fd(),
                    frame.as_mut_ptr().cast(),
                    frame.len(),
                    libc::MSG_DONTWAIT,
                    (&raw mut from).cast(),
                    &raw mut length,
                )
            };
            if got < 0 {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            frame.truncate(got as usize);
            let ours = from.sll_pkttype == libc::PACKET_OUTGOING;
            if !ours && frame.get(12..14) == Some(&[0x08, 0x00]) {
                return Some(frame);
            }
        }
        None
    }
}
