//! Making and reading packets with etherparse.

use etherparse::{IpNumber, Ipv4Header, NetSlice, PacketBuilder, SlicedPacket, TransportSlice};

use super::{GATEWAY_MAC, INNER_MAC, OUTER_MAC, SERVER_MAC};

/// TCP flags of a packet that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flags {
    None,
    Syn,
    SynAck,
    Ack,
    FinAck,
    Rst,
}

/// A packet to be made: from the outer side unless it is turned.
#[derive(Clone, Debug)]
pub struct Frame {
    pub src_mac: [u8; 6],
    pub dst_mac: [u8; 6],
    pub src: ([u8; 4], u16),
    pub dst: ([u8; 4], u16),
    pub ttl: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Arrives from the clients' router.
    pub fn outer(src: ([u8; 4], u16), dst: ([u8; 4], u16)) -> Self {
        Frame {
            src_mac: GATEWAY_MAC,
            dst_mac: OUTER_MAC,
            src,
            dst,
            ttl: 64,
            payload: b"hello".to_vec(),
        }
    }

    /// Arrives from a server.
    pub fn inner(src: ([u8; 4], u16), dst: ([u8; 4], u16)) -> Self {
        Frame {
            src_mac: SERVER_MAC,
            dst_mac: INNER_MAC,
            ..Frame::outer(src, dst)
        }
    }

    /// Of the host to one of its own addresses.
    pub fn local(src: ([u8; 4], u16), dst: ([u8; 4], u16)) -> Self {
        Frame {
            src_mac: [0; 6],
            dst_mac: [0; 6],
            ..Frame::outer(src, dst)
        }
    }

    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    pub fn payload(mut self, length: usize) -> Self {
        self.payload = (0..length).map(|byte| byte as u8).collect();
        self
    }

    pub fn for_mac(mut self, mac: [u8; 6]) -> Self {
        self.dst_mac = mac;
        self
    }

    pub fn tcp(&self, flags: Flags) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(self.src_mac, self.dst_mac)
            .ip(self.ip(IpNumber::TCP, &[]))
            .tcp(self.src.1, self.dst.1, 1_000, 4_000);
        let builder = match flags {
            Flags::None => builder,
            Flags::Syn => builder.syn(),
            Flags::SynAck => builder.syn().ack(2_000),
            Flags::Ack => builder.ack(2_000),
            Flags::FinAck => builder.fin().ack(2_000),
            Flags::Rst => builder.rst(),
        };
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &self.payload).unwrap();
        bytes
    }

    pub fn udp(&self) -> Vec<u8> {
        self.udp_with_options(&[])
    }

    /// With IP options, whose length is a multiple of four.
    pub fn udp_with_options(&self, options: &[u8]) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(self.src_mac, self.dst_mac)
            .ip(self.ip(IpNumber::UDP, options))
            .udp(self.src.1, self.dst.1);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &self.payload).unwrap();
        bytes
    }

    /// An ICMP error with these four bytes behind its checksum.
    pub fn error(&self, kind: (u8, u8), rest: [u8; 4], quote: &[u8]) -> Vec<u8> {
        self.error_with_options(kind, rest, quote, &[])
    }

    pub fn error_with_options(
        &self,
        (kind, code): (u8, u8),
        rest: [u8; 4],
        quote: &[u8],
        options: &[u8],
    ) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(self.src_mac, self.dst_mac)
            .ip(self.ip(IpNumber::ICMP, options))
            .icmpv4_raw(kind, code, rest);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, quote).unwrap();
        bytes
    }

    fn ip(&self, protocol: IpNumber, options: &[u8]) -> etherparse::IpHeaders {
        let mut ip = Ipv4Header::new(0, self.ttl, protocol, self.src.0, self.dst.0).unwrap();
        ip.dont_fragment = true;
        ip.identification = 77;
        ip.options = options.try_into().unwrap();
        etherparse::IpHeaders::Ipv4(ip, Default::default())
    }
}

/// Sets the fragment field of a finished packet and mends the IP checksum.
pub fn with_fragment_field(mut bytes: Vec<u8>, field: u16) -> Vec<u8> {
    bytes[20..22].copy_from_slice(&field.to_be_bytes());
    let (mut ip, _) = Ipv4Header::from_slice(&bytes[14..]).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    let mut header = Vec::new();
    ip.write(&mut header).unwrap();
    bytes[14..14 + header.len()].copy_from_slice(&header);
    bytes
}

/// A finished packet without IP options, cut into pieces of so many bytes of
/// payload (a multiple of eight), and marked as the datagram of this number.
pub fn pieces(bytes: &[u8], number: u16, length: usize) -> Vec<Vec<u8>> {
    let payload = &bytes[34..];
    let piece = |(index, chunk): (usize, &[u8])| {
        let is_last = (index + 1) * length >= payload.len();
        let field = (index * length / 8) as u16 | if is_last { 0 } else { 0x2000 };
        let mut piece = [&bytes[..34], chunk].concat();
        piece[16..18].copy_from_slice(&(20 + chunk.len() as u16).to_be_bytes());
        piece[18..20].copy_from_slice(&number.to_be_bytes());
        with_fragment_field(piece, field)
    };
    payload.chunks(length).enumerate().map(piece).collect()
}

/// The pieces put together again, each header's checksum being right.
#[track_caller]
pub fn whole(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut whole = pieces[0].clone();
    for piece in &pieces[1..] {
        let (ip, payload) = Ipv4Header::from_slice(&piece[14..]).unwrap();
        assert_eq!(ip.header_checksum, ip.calc_header_checksum(), "IP checksum");
        assert_eq!(piece[26..34], pieces[0][26..34], "the addresses of all");
        whole.extend_from_slice(payload);
    }
    let total = (whole.len() - 14) as u16;
    whole[16..18].copy_from_slice(&total.to_be_bytes());
    with_fragment_field(whole, 0)
}

/// What a packet says, after its checksums were found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub src_mac: [u8; 6],
    pub dst_mac: [u8; 6],
    pub src: ([u8; 4], u16),
    pub dst: ([u8; 4], u16),
    pub ttl: u8,
    pub payload: Vec<u8>,
}

/// Reads a TCP or UDP packet; a wrong checksum is a failure.
#[track_caller]
pub fn read(bytes: &[u8]) -> Seen {
    let sliced = SlicedPacket::from_ethernet(bytes).unwrap();
    let Some(NetSlice::Ipv4(ip)) = &sliced.net else {
        panic!("no IPv4 packet: {sliced:?}");
    };
    let header = ip.header().to_header();
    assert_eq!(
        header.header_checksum,
        header.calc_header_checksum(),
        "IP checksum"
    );
    let (ports, payload) = match sliced.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            let right = tcp.to_header().calc_checksum_ipv4(&header, tcp.payload());
            assert_eq!(tcp.checksum(), right.unwrap(), "TCP checksum");
            (
                (tcp.source_port(), tcp.destination_port()),
                tcp.payload().to_vec(),
            )
        }
        TransportSlice::Udp(udp) => {
            if udp.checksum() != 0 {
                let right = udp.to_header().calc_checksum_ipv4(&header, udp.payload());
                assert_eq!(udp.checksum(), right.unwrap(), "UDP checksum");
            }
            (
                (udp.source_port(), udp.destination_port()),
                udp.payload().to_vec(),
            )
        }
        other => panic!("neither TCP nor UDP: {other:?}"),
    };
    Seen {
        src_mac: bytes[6..12].try_into().unwrap(),
        dst_mac: bytes[..6].try_into().unwrap(),
        src: (header.source, ports.0),
        dst: (header.destination, ports.1),
        ttl: header.time_to_live,
        payload,
    }
}

/// An ICMP error: type, code, the MTU field, from, to, and what it quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenError {
    pub kind: (u8, u8),
    pub mtu: u16,
    pub src: [u8; 4],
    pub dst: [u8; 4],
    pub dst_mac: [u8; 6],
    pub quote: Vec<u8>,
}

#[track_caller]
pub fn read_error(bytes: &[u8]) -> SeenError {
    let sliced = SlicedPacket::from_ethernet(bytes).unwrap();
    let Some(NetSlice::Ipv4(ip)) = &sliced.net else {
        panic!("no IPv4 packet: {sliced:?}");
    };
    let header = ip.header().to_header();
    assert_eq!(
        header.header_checksum,
        header.calc_header_checksum(),
        "IP checksum"
    );
    let Some(TransportSlice::Icmpv4(icmp)) = &sliced.transport else {
        panic!("no ICMP: {sliced:?}");
    };
    let slice = icmp.slice();
    let right = icmp.icmp_type().calc_checksum(icmp.payload());
    assert_eq!(icmp.checksum(), right, "ICMP checksum");
    SeenError {
        kind: (icmp.type_u8(), icmp.code_u8()),
        mtu: u16::from_be_bytes([slice[6], slice[7]]),
        src: header.source,
        dst: header.destination,
        dst_mac: bytes[..6].try_into().unwrap(),
        quote: icmp.payload().to_vec(),
    }
}
