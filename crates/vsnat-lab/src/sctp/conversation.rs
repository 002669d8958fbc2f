//! The server's half of a conversation: packets in, packets out.
//!
//! Until the cookie comes back it remembers nothing, as the protocol wants it:
//! tags and numbers are in the cookie, sealed. A packet that repeats what was
//! said gets the same answer again, so that a client may resend what it likes.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::chunk::{Chunk, Start, TagOf, word};
use super::packet::{Packet, Unreadable, ports};
use super::random::Random;
use super::server::Counters;

/// More than any scenario opens; it keeps clients that vanish from filling
/// memory.
const ASSOCIATIONS_MAX: usize = 65_536;
/// The words of a cookie, and its seal.
const COOKIE_BYTES: usize = 16 + 8;

/// What the server knows of one client.
#[derive(Clone, Debug)]
struct Association {
    /// Tag that the client puts into its packets.
    own_tag: u32,
    /// Tag that the client wants to see.
    peer_tag: u32,
    /// Number of the last message that came.
    received: u32,
    /// Number of the next echo.
    next: u32,
    /// The last echo, in case it gets lost.
    echo: Option<Chunk>,
}

/// One server, with all its associations.
#[derive(Debug)]
pub(super) struct Peer {
    name: String,
    port: u16,
    counters: Arc<Counters>,
    random: Random,
    associations: HashMap<SocketAddrV4, Association>,
}

impl Peer {
    pub fn new(name: &str, port: u16, counters: Arc<Counters>) -> Self {
        Peer {
            name: name.to_owned(),
            port,
            counters,
            random: Random::default(),
            associations: HashMap::new(),
        }
    }

    /// The packet that answers `bytes`, if one does.
    pub fn answer(&mut self, sender: Ipv4Addr, bytes: &[u8]) -> Option<Vec<u8>> {
        let (_, port) = ports(bytes)?;
        if port != self.port {
            return None;
        }
        match Packet::read(bytes) {
            Ok(packet) => self.answer_packet(sender, &packet),
            Err(Unreadable::Checksum { .. }) => self.count(|counters| &counters.bad_checksums),
            Err(Unreadable::CutShort) => self.count(|counters| &counters.refused),
        }
    }

    fn answer_packet(&mut self, sender: Ipv4Addr, packet: &Packet) -> Option<Vec<u8>> {
        let client = SocketAddrV4::new(sender, packet.src_port);
        if let [Chunk::Init(start)] = packet.chunks.as_slice() {
            return self.invite(client, packet.tag, *start);
        }
        if let Some(Chunk::CookieEcho(cookie)) = packet.chunks.first()
            && !self.admit(client, packet.tag, cookie)
        {
            return self.count(|counters| &counters.refused);
        }
        let Some(association) = self.associations.get(&client) else {
            return self.answer_stranger(client, packet);
        };
        let tag = association.peer_tag;
        if packet.tag != association.own_tag {
            return self.count(|counters| &counters.refused);
        }
        let mut chunks = Vec::new();
        for chunk in &packet.chunks {
            self.answer_chunk(client, chunk, &mut chunks);
        }
        self.packet(client, tag, chunks)
    }

    /// The cookie, and nothing is remembered.
    fn invite(&mut self, client: SocketAddrV4, tag: u32, theirs: Start) -> Option<Vec<u8>> {
        if tag != 0 || theirs.tag == 0 {
            return self.count(|counters| &counters.refused);
        }
        let ours = Start {
            tag: self.random.draw(),
            tsn: self.random.draw(),
        };
        let words = [ours.tag, ours.tsn, theirs.tag, theirs.tsn];
        let seal = self.random.seal((client, words));
        let mut cookie: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        cookie.extend_from_slice(&seal.to_be_bytes());
        let invitation = Chunk::InitAck {
            start: ours,
            cookie,
        };
        self.packet(client, theirs.tag, vec![invitation])
    }

    /// Whether the cookie is one of ours to this client; if so there is an
    /// association afterwards.
    fn admit(&mut self, client: SocketAddrV4, tag: u32, cookie: &[u8]) -> bool {
        let Some((words, seal)) = read_cookie(cookie) else {
            return false;
        };
        let [own_tag, own_tsn, peer_tag, peer_tsn] = words;
        if seal != self.random.seal((client, words)) || tag != own_tag {
            return false;
        }
        let known = self.associations.get(&client);
        if known.is_some_and(|association| association.own_tag == own_tag) {
            return true;
        }
        if known.is_none() && self.associations.len() >= ASSOCIATIONS_MAX {
            return false;
        }
        let association = Association {
            own_tag,
            peer_tag,
            received: peer_tsn.wrapping_sub(1),
            next: own_tsn,
            echo: None,
        };
        self.associations.insert(client, association);
        self.counters.associations.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Nobody we know: an ABORT, unless the packet itself is an end.
    fn answer_stranger(&mut self, client: SocketAddrV4, packet: &Packet) -> Option<Vec<u8>> {
        self.count(|counters| &counters.refused);
        let is_end = |chunk: &Chunk| matches!(chunk, Chunk::Abort(_) | Chunk::ShutdownComplete(_));
        if packet.chunks.iter().any(is_end) {
            return None;
        }
        self.packet(client, packet.tag, vec![Chunk::Abort(TagOf::Sender)])
    }

    fn answer_chunk(&mut self, client: SocketAddrV4, chunk: &Chunk, answer: &mut Vec<Chunk>) {
        match chunk {
            Chunk::Data { tsn, message } => self.echo(client, *tsn, message, answer),
            Chunk::CookieEcho(_) => answer.push(Chunk::CookieAck),
            Chunk::Heartbeat(value) => answer.push(Chunk::HeartbeatAck(value.clone())),
            Chunk::Shutdown { .. } => answer.push(Chunk::ShutdownAck),
            Chunk::ShutdownComplete(_) => self.end(client, |counters| &counters.shutdowns),
            Chunk::Abort(_) => self.end(client, |counters| &counters.aborts),
            Chunk::Sack { .. } | Chunk::HeartbeatAck(_) | Chunk::Other(_) => {}
            // Steps that only a server takes, and an INIT that is not alone.
            Chunk::Init(_) | Chunk::InitAck { .. } | Chunk::CookieAck | Chunk::ShutdownAck => {}
        }
    }

    /// Acknowledges; echoes the next message, or the last one again.
    fn echo(&mut self, client: SocketAddrV4, tsn: u32, message: &[u8], answer: &mut Vec<Chunk>) {
        let Some(association) = self.associations.get_mut(&client) else {
            return;
        };
        if tsn == association.received.wrapping_add(1) {
            let mut echo = format!("{} {client} ", self.name).into_bytes();
            echo.extend_from_slice(message);
            association.echo = Some(Chunk::Data {
                tsn: association.next,
                message: echo,
            });
            association.received = tsn;
            association.next = association.next.wrapping_add(1);
            self.counters.messages.fetch_add(1, Ordering::Relaxed);
        }
        answer.push(Chunk::Sack {
            cumulative: association.received,
        });
        if tsn == association.received {
            answer.extend(association.echo.clone());
        }
    }

    fn end(&mut self, client: SocketAddrV4, counter: impl FnOnce(&Counters) -> &AtomicU64) {
        self.associations.remove(&client);
        counter(&self.counters).fetch_add(1, Ordering::Relaxed);
    }

    fn packet(&self, client: SocketAddrV4, tag: u32, chunks: Vec<Chunk>) -> Option<Vec<u8>> {
        if chunks.is_empty() {
            return None;
        }
        let packet = Packet {
            src_port: self.port,
            dst_port: client.port(),
            tag,
            chunks,
        };
        Some(packet.bytes())
    }

    /// Counts what is not answered.
    fn count(&self, counter: impl FnOnce(&Counters) -> &AtomicU64) -> Option<Vec<u8>> {
        counter(&self.counters).fetch_add(1, Ordering::Relaxed);
        None
    }
}

fn read_cookie(cookie: &[u8]) -> Option<([u32; 4], u64)> {
    let cookie: &[u8; COOKIE_BYTES] = cookie.try_into().ok()?;
    let words = [
        word(cookie, 0)?,
        word(cookie, 4)?,
        word(cookie, 8)?,
        word(cookie, 12)?,
    ];
    let seal = cookie.last_chunk::<8>()?;
    Some((words, u64::from_be_bytes(*seal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const PORT: u16 = 2_905;
    const THEIRS: Start = Start {
        tag: 77,
        tsn: u32::MAX,
    };

    fn packet(tag: u32, chunks: Vec<Chunk>) -> Packet {
        Packet {
            src_port: 40_000,
            dst_port: PORT,
            tag,
            chunks,
        }
    }

    /// What the server answers to a packet of the client.
    fn say(peer: &mut Peer, tag: u32, chunks: Vec<Chunk>) -> Vec<Chunk> {
        let Some(answer) = peer.answer(CLIENT, &packet(tag, chunks).bytes()) else {
            return Vec::new();
        };
        Packet::read(&answer).unwrap().chunks
    }

    fn data(tsn: u32, message: &str) -> Vec<Chunk> {
        let message = message.as_bytes().to_vec();
        vec![Chunk::Data { tsn, message }]
    }

    /// An association; gives the server's start.
    fn associate(peer: &mut Peer) -> Start {
        let answer = say(peer, 0, vec![Chunk::Init(THEIRS)]);
        let [Chunk::InitAck { start, cookie }] = answer.as_slice() else {
            panic!("no INIT ACK but {answer:?}");
        };
        let answer = say(peer, start.tag, vec![Chunk::CookieEcho(cookie.clone())]);
        assert_eq!(answer, [Chunk::CookieAck]);
        *start
    }

    fn peer() -> Peer {
        Peer::new("one", PORT, Arc::default())
    }

    #[test]
    fn a_message_is_echoed_once_and_again_if_it_comes_again() {
        let mut peer = peer();
        let start = associate(&mut peer);
        for message in ["first", "first", "first"] {
            let answer = say(&mut peer, start.tag, data(THEIRS.tsn, message));
            let echo = Chunk::Data {
                tsn: start.tsn,
                message: b"one 192.0.2.1:40000 first".to_vec(),
            };
            let sack = Chunk::Sack {
                cumulative: THEIRS.tsn,
            };
            assert_eq!(answer, [sack, echo]);
        }
        // Numbers go on after the largest.
        let answer = say(&mut peer, start.tag, data(0, "second"));
        assert_eq!(answer.len(), 2);
        assert_eq!(peer.counters.read().messages, 2);
    }

    #[test]
    fn the_end_is_acknowledged_and_then_forgotten() {
        let mut peer = peer();
        let start = associate(&mut peer);
        let shutdown = || vec![Chunk::Shutdown { cumulative: 0 }];
        assert_eq!(say(&mut peer, start.tag, shutdown()), [Chunk::ShutdownAck]);
        assert_eq!(say(&mut peer, start.tag, shutdown()), [Chunk::ShutdownAck]);
        let complete = vec![Chunk::ShutdownComplete(TagOf::Receiver)];
        assert_eq!(say(&mut peer, start.tag, complete), []);
        let answer = say(&mut peer, start.tag, data(THEIRS.tsn, "late"));
        assert_eq!(answer, [Chunk::Abort(TagOf::Sender)]);
        assert_eq!(peer.counters.read().shutdowns, 1);
    }

    #[test]
    fn a_wrong_checksum_is_dropped_and_counted() {
        let mut peer = peer();
        let start = associate(&mut peer);
        let mut bytes = packet(start.tag, data(THEIRS.tsn, "first")).bytes();
        bytes[30] ^= 1;
        assert_eq!(peer.answer(CLIENT, &bytes), None);
        let counts = peer.counters.read();
        assert_eq!((counts.bad_checksums, counts.messages), (1, 0));
    }

    #[test]
    fn a_wrong_tag_is_refused() {
        let mut peer = peer();
        let start = associate(&mut peer);
        let answer = say(&mut peer, start.tag ^ 1, data(THEIRS.tsn, "first"));
        assert_eq!(answer, []);
        assert_eq!(peer.counters.read().refused, 1);
    }

    #[test]
    fn a_cookie_is_good_for_one_client_only() {
        let mut peer = peer();
        let answer = say(&mut peer, 0, vec![Chunk::Init(THEIRS)]);
        let [Chunk::InitAck { start, cookie }] = answer.as_slice() else {
            panic!("no INIT ACK but {answer:?}");
        };
        let echo = packet(start.tag, vec![Chunk::CookieEcho(cookie.clone())]);
        let other = Ipv4Addr::new(192, 0, 2, 2);
        assert_eq!(peer.answer(other, &echo.bytes()), None);
        assert_eq!(peer.counters.read().associations, 0);
        assert!(peer.answer(CLIENT, &echo.bytes()).is_some());
        assert_eq!(peer.counters.read().associations, 1);
    }

    #[test]
    fn an_abort_ends() {
        let mut peer = peer();
        let start = associate(&mut peer);
        let abort = vec![Chunk::Abort(TagOf::Receiver)];
        assert_eq!(say(&mut peer, start.tag, abort), []);
        assert!(peer.associations.is_empty());
        assert_eq!(peer.counters.read().aborts, 1);
    }

    #[test]
    fn packets_for_other_ports_are_none_of_ours() {
        let mut peer = peer();
        let mut packet = packet(0, vec![Chunk::Init(THEIRS)]);
        packet.dst_port = PORT + 1;
        assert_eq!(peer.answer(CLIENT, &packet.bytes()), None);
        assert_eq!(peer.counters.read(), Default::default());
    }
}
