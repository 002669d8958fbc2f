//! What the drivers of interfaces can do with XDP, and their MACs: asked from
//! the kernel, in the network namespace of the calling thread.
//!
//! The features come from the generic netlink family `netdev` (Linux 6.3); an
//! older kernel does not have it and does not tell.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Bits of a driver's features (include/uapi/linux/netdev.h).
const BASIC: u64 = 1;
const REDIRECT: u64 = 1 << 1;
const NDO_XMIT: u64 = 1 << 2;

/// What is asked, by the numbers of linux/genetlink.h and linux/netdev.h.
const CTRL_FAMILY: u16 = 0x10;
const CTRL_GET_FAMILY: u8 = 3;
const CTRL_FAMILY_ID: u16 = 1;
const CTRL_FAMILY_NAME: u16 = 2;
const NETDEV_DEV_GET: u8 = 1;
const NETDEV_IFINDEX: u16 = 1;
const NETDEV_XDP_FEATURES: u16 = 3;

const FAMILY: &[u8] = b"netdev\0";
const VERSION: u8 = 1;
/// Headers: of netlink, of generic netlink, of an attribute.
const HEADER: usize = 16;
const GENERIC: usize = 4;
const ATTRIBUTE: usize = 4;
const ALIGNMENT: usize = 4;
/// The kernel's answers are some hundred bytes.
const BUFFER: usize = 8_192;

/// The features of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features(u64);

impl Features {
    /// Whether its driver runs programs by itself and can redirect.
    pub fn is_native(self) -> bool {
        self.0 & (BASIC | REDIRECT) == BASIC | REDIRECT
    }

    /// Whether frames can be redirected to it, as it is set up now.
    pub fn sends(self) -> bool {
        self.0 & NDO_XMIT != 0
    }
}

/// The features of an interface; `None` where the kernel does not tell.
pub(super) fn features(index: u32) -> io::Result<Option<Features>> {
    let socket = Socket::open()?;
    let asked = socket.ask(CTRL_FAMILY, CTRL_GET_FAMILY, CTRL_FAMILY_NAME, FAMILY);
    let family = match asked {
        Ok(answer) => attribute(&answer, CTRL_FAMILY_ID).and_then(number16),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(family) = family else {
        return Ok(None);
    };
    let index = index.to_ne_bytes();
    let answer = socket.ask(family, NETDEV_DEV_GET, NETDEV_IFINDEX, &index)?;
    let found = attribute(&answer, NETDEV_XDP_FEATURES).and_then(number64);
    Ok(found.map(Features))
}

/// The MAC of an interface, in the low 48 bits as it lies on the wire.
pub(super) fn mac(interface: &str) -> io::Result<u64> {
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    let socket = open(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: the request names an interface; the kernel fills in its address.
    let failed = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: that request answers in this member.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr }.sa_data;
    let bytes = address.iter().take(6).enumerate();
    Ok(bytes.fold(0, |mac, (place, byte)| {
        mac | u64::from(*byte as u8) << (8 * place)
    }))
}

struct Socket(OwnedFd);

impl Socket {
    fn open() -> io::Result<Self> {
        open(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC).map(Socket)
    }

    /// One question with one attribute; answers the attributes of the answer.
    fn ask(&self, family: u16, command: u8, kind: u16, value: &[u8]) -> io::Result<Vec<u8>> {
        let question = question(family, command, kind, value);
        // SAFETY: the kernel reads so many bytes of it.
        let sent = unsafe {
            libc::send(
                self.0.as_raw_fd(),
                question.as_ptr().cast(),
                question.len(),
                0,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut answer = vec![0; BUFFER];
        // SAFETY: the kernel writes at most so many bytes.
        let received = unsafe {
            libc::recv(
                self.0.as_raw_fd(),
                answer.as_mut_ptr().cast(),
                answer.len(),
                0,
            )
        };
        let length = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        answer.truncate(length);
        body(&answer)
    }
}

fn open(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers.
    let socket = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: made just now, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

fn question(family: u16, command: u8, kind: u16, value: &[u8]) -> Vec<u8> {
    let attribute = ATTRIBUTE + value.len();
    let length = HEADER + GENERIC + attribute.next_multiple_of(ALIGNMENT);
    let flags = (libc::NLM_F_REQUEST) as u16;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend((length as u32).to_ne_bytes());
    bytes.extend(family.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Sequence number and port: one question, one answer.
    bytes.extend([0; 8]);
    bytes.extend([command, VERSION, 0, 0]);
    bytes.extend((attribute as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(length, 0);
    bytes
}

/// The attributes of an answer, or the error that it is.
fn body(answer: &[u8]) -> io::Result<Vec<u8>> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let kind = answer.get(4..6).and_then(number16).ok_or_else(malformed)?;
    if i32::from(kind) == libc::NLMSG_ERROR {
        let code = answer.get(HEADER..HEADER + 4).and_then(number32);
        let code = code.ok_or_else(malformed)?;
        return Err(io::Error::from_raw_os_error(-(code as i32)));
    }
    let body = answer.get(HEADER + GENERIC..).ok_or_else(malformed)?;
    Ok(body.to_vec())
}

fn attribute(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = attributes;
    loop {
        let length = usize::from(number16(rest.get(..2)?)?);
        let kind = number16(rest.get(2..4)?)?;
        let value = rest.get(ATTRIBUTE..length)?;
        if kind == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(ALIGNMENT)..)?;
    }
}

fn number16(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.first_chunk()?))
}

fn number32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.first_chunk()?))
}

fn number64(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_laid_out_in_words() {
        let bytes = question(0x1f, 1, 1, &7u32.to_ne_bytes());
        assert_eq!(bytes.len(), 28);
        let attributes = body(&bytes).unwrap();
        assert_eq!(attribute(&attributes, 1).and_then(number32), Some(7));
        assert_eq!(attribute(&attributes, 2), None);
        assert_eq!(question(0x10, 3, 2, FAMILY).len(), 32);
    }

    #[test]
    fn an_answer_cut_short_is_no_answer() {
        let bytes = question(0x1f, 1, 1, &7u32.to_ne_bytes());
        for length in 0..HEADER + GENERIC {
            assert!(body(&bytes[..length]).is_err(), "{length}");
        }
        let error = [&[36, 0, 0, 0, 2, 0][..], &[0; 10], &(-2i32).to_ne_bytes()].concat();
        let refused = body(&error).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn the_loopback_runs_nothing() {
        let index = 1;
        let features = features(index).unwrap();
        assert!(features.is_none_or(|features| !features.is_native()));
        assert_eq!(mac("lo").unwrap(), 0);
        assert!(mac("a-name-that-is-far-too-long").is_err());
    }
}
