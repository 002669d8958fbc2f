//! Packet sockets: frames go out as they are written, and can be looked at
//! where they arrive.
//!
//! A frame of less than a page lies in one piece, as drivers deliver small
//! ones, and passes neither routing nor a queue on its way to the link.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::path::error::PathError;
use crate::path::frame::{FRAME, Frame};

/// Frames of one system call: few enough to stay in the nearest cache.
pub const BATCH: usize = 128;

/// What a tap may hold: a batch, whatever the kernel counts for a frame.
const TAP_BYTES: libc::c_int = 4 << 20;

/// Sends frames by one interface.
pub struct Sender {
    socket: OwnedFd,
}

impl Sender {
    pub fn new(ifindex: u32) -> Result<Self, PathError> {
        // Of no protocol: it receives nothing, and costs other packets nothing.
        let socket = open(ifindex, 0)?;
        set(&socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, 1)?;
        Ok(Sender { socket })
    }

    /// Sends the first `count` frames of the batch.
    pub fn send(&self, batch: &mut Batch, count: usize) -> Result<(), PathError> {
        let count = count.min(BATCH);
        let mut sent = 0;
        while sent < count {
            sent += self.send_some(&mut batch.headers[sent..count])?;
        }
        Ok(())
    }

    fn send_some(&self, headers: &mut [libc::mmsghdr]) -> Result<usize, PathError> {
        let fd = self.socket.as_raw_fd();
        // SAFETY: the headers point to vectors and frames of the batch that
        // they are of, which is borrowed and never moves its places.
        let sent =
            unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), headers.len() as libc::c_uint, 0) };
        usize::try_from(sent)
            .map_err(|_| PathError::system("send packets")(io::Error::last_os_error()))
    }
}

/// Places for frames, and what tells the kernel of them.
pub struct Batch {
    frames: Box<[Frame]>,
    /// Only pointed to.
    _vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

impl Batch {
    pub fn new(frame: Frame) -> Self {
        let mut frames: Box<[Frame]> = vec![frame; BATCH].into();
        let vectors = frames.iter_mut().map(|frame| libc::iovec {
            iov_base: frame.as_mut_ptr().cast(),
            iov_len: FRAME,
        });
        let mut vectors: Box<[libc::iovec]> = vectors.collect();
        let headers = vectors.iter_mut().map(|vector| {
            // SAFETY: all zeros is an empty header.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header
        });
        Batch {
            headers: headers.collect(),
            frames,
            _vectors: vectors,
        }
    }

    pub fn frames(&mut self) -> &mut [Frame] {
        &mut self.frames
    }
}

/// Sees every IPv4 packet that arrives at one interface.
pub struct Tap {
    socket: OwnedFd,
}

impl Tap {
    pub fn new(ifindex: u32) -> Result<Self, PathError> {
        let socket = open(ifindex, libc::ETH_P_IP as u16)?;
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, TAP_BYTES)?;
        Ok(Tap { socket })
    }

    /// The next packet, if one is there.
    pub fn next<'a>(&self, place: &'a mut [u8; 128]) -> Result<Option<&'a [u8]>, PathError> {
        let fd = self.socket.as_raw_fd();
        // SAFETY: the place is as long as is said, and borrowed.
        let length = unsafe {
            libc::recv(
                fd,
                place.as_mut_ptr().cast(),
                place.len(),
                libc::MSG_DONTWAIT,
            )
        };
        if let Ok(length) = usize::try_from(length) {
            return Ok(Some(&place[..length.min(place.len())]));
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            error => Err(PathError::system("look at packets")(error)),
        }
    }
}

fn open(ifindex: u32, protocol: u16) -> Result<OwnedFd, PathError> {
    let failed = || PathError::system("open a packet socket")(io::Error::last_os_error());
    // SAFETY: plain arguments. Of no protocol until it is bound.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(failed());
    }
    // SAFETY: a new descriptor that nobody else has.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all zeros is an address.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = ifindex as i32;
    // SAFETY: the address is as long as is said.
    let bound = unsafe {
        libc::bind(
            fd,
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if bound < 0 {
        return Err(failed());
    }
    Ok(socket)
}

fn set(
    socket: &OwnedFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> Result<(), PathError> {
    // SAFETY: the value is as long as is said.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done < 0 {
        return Err(PathError::system("set up a packet socket")(
            io::Error::last_os_error(),
        ));
    }
    Ok(())
}
