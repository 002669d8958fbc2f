//! A client: opens an association, sends messages one after the other, ends
//! it. Every packet of the server must be right in every bit; the first that
//! is not ends the conversation with an error.

use std::io;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use super::MESSAGE_MAX_BYTES;
use super::chunk::{Chunk, Start, TagOf};
use super::packet::{Packet, ports};
use super::random::Random;
use super::socket::RawSocket;
use crate::LabError;

/// How often a packet is sent before the server counts as silent, and how long
/// each time is waited for the answer.
const ATTEMPTS: u32 = 5;
const ATTEMPT_PATIENCE: Duration = Duration::from_secs(1);
/// How long one look at the socket takes.
const POLL: Duration = Duration::from_millis(100);
/// Ports that no service has (RFC 6335, section 6).
const FIRST_EPHEMERAL: u16 = 49_152;

/// What a whole conversation was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Server that answered, by its name.
    pub server: String,
    /// The client as the server saw it.
    pub seen: SocketAddrV4,
    /// Messages that came back as they were sent.
    pub messages: u32,
    /// Packets of the server, each with the right checksum, ports and tag.
    pub packets: u64,
}

/// An open association. Dropping it says nothing to the server.
#[derive(Debug)]
pub struct Association {
    socket: RawSocket,
    local: SocketAddrV4,
    remote: SocketAddrV4,
    own_tag: u32,
    peer_tag: u32,
    /// Number of the next message.
    next: u32,
    /// Number of the last message of the server.
    received: u32,
    packets: u64,
}

impl Association {
    /// Opens an association in the namespace of the caller. Port 0 of `local`
    /// stands for any.
    pub fn open(local: SocketAddrV4, remote: SocketAddrV4) -> Result<Self, LabError> {
        Association::try_open(local, remote).map_err(LabError::io(format!(
            "open an SCTP association to {remote}"
        )))
    }

    /// The client's own address and port.
    pub fn local(&self) -> SocketAddrV4 {
        self.local
    }

    /// Packets of the server so far, each with the right checksum, ports and
    /// tag.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Sends a message; gives the server's answer to it.
    pub fn send(&mut self, message: &[u8]) -> Result<Vec<u8>, LabError> {
        let what = format!("send {} bytes by SCTP to {}", message.len(), self.remote);
        self.try_send(message).map_err(LabError::io(what))
    }

    /// Ends the association in three steps.
    pub fn shutdown(mut self) -> Result<(), LabError> {
        self.end()
    }

    /// Ends the association without a word to wait for.
    pub fn abort(self) -> Result<(), LabError> {
        self.say(self.peer_tag, &[Chunk::Abort(TagOf::Receiver)])
            .map_err(LabError::io(format!(
                "abort the SCTP association to {}",
                self.remote
            )))
    }

    fn end(&mut self) -> Result<(), LabError> {
        let what = format!("end the SCTP association to {}", self.remote);
        self.try_shutdown().map_err(LabError::io(what))
    }

    fn try_open(local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<Self> {
        let socket = RawSocket::bind(*local.ip(), POLL)?;
        socket.connect(*remote.ip())?;
        let mut random = Random::default();
        let port = match local.port() {
            0 => random.draw() as u16 | FIRST_EPHEMERAL,
            port => port,
        };
        let start = Start {
            tag: random.draw(),
            tsn: random.draw(),
        };
        let mut association = Association {
            socket,
            local: SocketAddrV4::new(*local.ip(), port),
            remote,
            own_tag: start.tag,
            peer_tag: 0,
            next: start.tsn,
            received: 0,
            packets: 0,
        };
        let (theirs, cookie) = association.ask(&[Chunk::Init(start)], |chunk| {
            let Chunk::InitAck { start, cookie } = chunk else {
                return None;
            };
            Some((*start, cookie.clone()))
        })?;
        association.peer_tag = theirs.tag;
        association.received = theirs.tsn.wrapping_sub(1);
        association.ask(&[Chunk::CookieEcho(cookie)], |chunk| {
            (*chunk == Chunk::CookieAck).then_some(())
        })?;
        Ok(association)
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        if message.len() > MESSAGE_MAX_BYTES {
            return Err(io::Error::other(format!(
                "a message has at most {MESSAGE_MAX_BYTES} bytes"
            )));
        }
        let expected = self.received.wrapping_add(1);
        let data = Chunk::Data {
            tsn: self.next,
            message: message.to_vec(),
        };
        let answer = self.ask(&[data], |chunk| {
            let Chunk::Data { tsn, message } = chunk else {
                return None;
            };
            (*tsn == expected).then(|| message.clone())
        })?;
        self.next = self.next.wrapping_add(1);
        self.received = expected;
        let sack = Chunk::Sack {
            cumulative: expected,
        };
        self.say(self.peer_tag, &[sack])?;
        Ok(answer)
    }

    fn try_shutdown(&mut self) -> io::Result<()> {
        let shutdown = Chunk::Shutdown {
            cumulative: self.received,
        };
        self.ask(&[shutdown], |chunk| {
            (*chunk == Chunk::ShutdownAck).then_some(())
        })?;
        self.say(self.peer_tag, &[Chunk::ShutdownComplete(TagOf::Receiver)])
    }

    /// Says `chunks`, again if need be, until a chunk comes that `pick` wants.
    fn ask<T>(&mut self, chunks: &[Chunk], pick: impl Fn(&Chunk) -> Option<T>) -> io::Result<T> {
        for _ in 0..ATTEMPTS {
            self.say(self.peer_tag, chunks)?;
            let deadline = Instant::now() + ATTEMPT_PATIENCE;
            while Instant::now() < deadline {
                let Some(answer) = self.hear()? else {
                    continue;
                };
                if answer.chunks.iter().any(|c| matches!(c, Chunk::Abort(_))) {
                    let why = "the server sent an ABORT";
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, why));
                }
                if let Some(picked) = answer.chunks.iter().find_map(&pick) {
                    return Ok(picked);
                }
            }
        }
        let why = format!("no answer to {ATTEMPTS} packets");
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    }

    fn say(&self, tag: u32, chunks: &[Chunk]) -> io::Result<()> {
        let packet = Packet {
            src_port: self.local.port(),
            dst_port: self.remote.port(),
            tag,
            chunks: chunks.to_vec(),
        };
        self.socket.send(*self.remote.ip(), &packet.bytes())
    }

    /// One packet of the server, checked.
    fn hear(&mut self) -> io::Result<Option<Packet>> {
        let Some((sender, bytes)) = self.socket.receive()? else {
            return Ok(None);
        };
        let ours = Some((self.remote.port(), self.local.port()));
        if sender != *self.remote.ip() || ports(bytes) != ours {
            return Ok(None);
        }
        let packet = Packet::read(bytes).map_err(io::Error::other)?;
        let reflected = [Chunk::Abort(TagOf::Sender)];
        let tag = match packet.chunks == reflected {
            true => self.peer_tag,
            false => self.own_tag,
        };
        if packet.tag != tag {
            return Err(io::Error::other(format!(
                "the server's packet has the verification tag {:#010x}, not {tag:#010x}",
                packet.tag
            )));
        }
        self.packets += 1;
        Ok(Some(packet))
    }
}

/// A whole conversation: opens an association, sends `messages` messages of
/// every length up to the largest, compares what comes back, and ends it. To
/// be called in the client's namespace.
pub fn exchange(
    local: SocketAddrV4,
    remote: SocketAddrV4,
    messages: u32,
) -> Result<Exchange, LabError> {
    let mut association = Association::open(local, remote)?;
    let (server, seen) = introduce(&mut association)?;
    let prefix = format!("{server} {seen} ");
    for number in 1..=messages {
        let message = message(number);
        let answer = association.send(&message)?;
        if answer.strip_prefix(prefix.as_bytes()) != Some(&message) {
            return Err(wrong_answer(remote, &answer));
        }
    }
    association.end()?;
    Ok(Exchange {
        server,
        seen,
        messages,
        packets: association.packets(),
    })
}

/// The first answer tells the server's name and what it sees of us.
fn introduce(association: &mut Association) -> Result<(String, SocketAddrV4), LabError> {
    let remote = association.remote;
    let answer = association.send(b"hello")?;
    let parse = || {
        let text = std::str::from_utf8(&answer).ok()?;
        let mut words = text.rsplitn(3, ' ');
        let (_hello, seen, server) = (words.next()?, words.next()?, words.next()?);
        Some((server.to_owned(), seen.parse().ok()?))
    };
    parse().ok_or_else(|| wrong_answer(remote, &answer))
}

/// The lengths of a thousand messages differ by 7: every length modulo 4, and
/// from 1 byte to the largest.
fn message(number: u32) -> Vec<u8> {
    let length = 1 + (number as usize * 7) % MESSAGE_MAX_BYTES;
    let byte = |place: usize| (place as u32).wrapping_mul(31).wrapping_add(number) as u8;
    (0..length).map(byte).collect()
}

fn wrong_answer(remote: SocketAddrV4, answer: &[u8]) -> LabError {
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(60)]);
    let why = format!("it answered {} bytes: {shown}", answer.len());
    LabError::io(format!("get an echo of {remote}"))(io::Error::other(why))
}
