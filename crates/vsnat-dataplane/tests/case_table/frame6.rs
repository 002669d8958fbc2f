//! Making and reading IPv6 packets with etherparse.

use etherparse::{
    IpHeaders, IpNumber, Ipv6FlowLabel, Ipv6FragmentHeader, Ipv6Header, NetSlice, PacketBuilder,
    SlicedPacket, TransportSlice,
};

use super::frame::Flags;
use super::{GATEWAY_MAC, INNER_MAC, OUTER_MAC, SERVER_MAC};

/// An IPv6 packet to be made: from the outer side unless it is turned.
#[derive(Clone, Debug)]
pub struct Frame6 {
    pub src_mac: [u8; 6],
    pub dst_mac: [u8; 6],
    pub src: ([u8; 16], u16),
    pub dst: ([u8; 16], u16),
    pub hops: u8,
    pub payload: Vec<u8>,
}

impl Frame6 {
    pub fn outer(src: ([u8; 16], u16), dst: ([u8; 16], u16)) -> Self {
        Frame6 {
            src_mac: GATEWAY_MAC,
            dst_mac: OUTER_MAC,
            src,
            dst,
            hops: 64,
            payload: b"hello".to_vec(),
        }
    }

    pub fn inner(src: ([u8; 16], u16), dst: ([u8; 16], u16)) -> Self {
        Frame6 {
            src_mac: SERVER_MAC,
            dst_mac: INNER_MAC,
            ..Frame6::outer(src, dst)
        }
    }

    pub fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    pub fn payload(mut self, length: usize) -> Self {
        self.payload = (0..length).map(|byte| byte as u8).collect();
        self
    }

    pub fn tcp(&self, flags: Flags) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(self.src_mac, self.dst_mac)
            .ip(self.ip(IpNumber::TCP))
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
        let builder = PacketBuilder::ethernet2(self.src_mac, self.dst_mac)
            .ip(self.ip(IpNumber::UDP))
            .udp(self.src.1, self.dst.1);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &self.payload).unwrap();
        bytes
    }

    /// An ICMPv6 message with these four bytes behind its checksum.
    pub fn icmp(&self, (kind, code): (u8, u8), rest: [u8; 4], quote: &[u8]) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(self.src_mac, self.dst_mac)
            .ip(self.ip(IpNumber::IPV6_ICMP))
            .icmpv6_raw(kind, code, rest);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, quote).unwrap();
        bytes
    }

    fn ip(&self, next: IpNumber) -> IpHeaders {
        let ip = Ipv6Header {
            traffic_class: 0x28,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: 0,
            next_header: next,
            hop_limit: self.hops,
            source: self.src.0,
            destination: self.dst.0,
        };
        IpHeaders::Ipv6(ip, Default::default())
    }
}

/// A finished packet with a header of eight bytes between IPv6's and the
/// transport's: destination options that are all padding.
pub fn with_options(bytes: &[u8]) -> Vec<u8> {
    between(bytes, 60, &[bytes[20], 0, 1, 4, 0, 0, 0, 0])
}

fn between(bytes: &[u8], kind: u8, header: &[u8]) -> Vec<u8> {
    let mut longer = [&bytes[..54], header, &bytes[54..]].concat();
    longer[20] = kind;
    let length = (longer.len() - 54) as u16;
    longer[18..20].copy_from_slice(&length.to_be_bytes());
    longer
}

/// A finished packet, cut into pieces of so many bytes of payload (a multiple of
/// eight), and marked as the datagram of this number.
pub fn pieces6(bytes: &[u8], number: u32, length: usize) -> Vec<Vec<u8>> {
    let payload = &bytes[54..];
    let piece = |(index, chunk): (usize, &[u8])| {
        let is_last = (index + 1) * length >= payload.len();
        let field = (index * length) as u16 | u16::from(!is_last);
        let mut header = vec![bytes[20], 0];
        header.extend_from_slice(&field.to_be_bytes());
        header.extend_from_slice(&number.to_be_bytes());
        between(&[&bytes[..54], chunk].concat(), 44, &header)
    };
    payload.chunks(length).enumerate().map(piece).collect()
}

/// The pieces put together again.
#[track_caller]
pub fn whole6(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut whole = pieces[0][..54].to_vec();
    whole[20] = pieces[0][54];
    for piece in pieces {
        assert_eq!(piece[20], 44, "each has a fragment header");
        assert_eq!(piece[22..54], pieces[0][22..54], "the addresses of all");
        let (header, _) = Ipv6FragmentHeader::from_slice(&piece[54..]).unwrap();
        let at = whole.len() - 54;
        assert_eq!(usize::from(header.fragment_offset.byte_offset()), at);
        assert_eq!(
            header.identification,
            u32::from_be_bytes(pieces[0][58..62].try_into().unwrap())
        );
        whole.extend_from_slice(&piece[62..]);
    }
    let length = (whole.len() - 54) as u16;
    whole[18..20].copy_from_slice(&length.to_be_bytes());
    whole
}

/// What a packet says, after its checksum was found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen6 {
    pub src_mac: [u8; 6],
    pub dst_mac: [u8; 6],
    pub src: ([u8; 16], u16),
    pub dst: ([u8; 16], u16),
    pub class: u8,
    pub hops: u8,
    pub payload: Vec<u8>,
}

/// Reads a TCP or UDP packet; a wrong checksum or length is a failure.
#[track_caller]
pub fn read6(bytes: &[u8]) -> Seen6 {
    let sliced = SlicedPacket::from_ethernet(bytes).unwrap();
    let Some(NetSlice::Ipv6(ip)) = &sliced.net else {
        panic!("no IPv6 packet: {sliced:?}");
    };
    let header = ip.header().to_header();
    assert_eq!(usize::from(header.payload_length), bytes.len() - 54);
    let (ports, payload) = match sliced.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            let right = tcp.to_header().calc_checksum_ipv6(&header, tcp.payload());
            assert_eq!(tcp.checksum(), right.unwrap(), "TCP checksum");
            (
                (tcp.source_port(), tcp.destination_port()),
                tcp.payload().to_vec(),
            )
        }
        TransportSlice::Udp(udp) => {
            let right = udp.to_header().calc_checksum_ipv6(&header, udp.payload());
            assert_eq!(udp.checksum(), right.unwrap(), "UDP checksum");
            (
                (udp.source_port(), udp.destination_port()),
                udp.payload().to_vec(),
            )
        }
        other => panic!("neither TCP nor UDP: {other:?}"),
    };
    Seen6 {
        src_mac: bytes[6..12].try_into().unwrap(),
        dst_mac: bytes[..6].try_into().unwrap(),
        src: (header.source, ports.0),
        dst: (header.destination, ports.1),
        class: header.traffic_class,
        hops: header.hop_limit,
        payload,
    }
}

/// An ICMPv6 error: type, code, the word behind the checksum, from, to, and
/// what it quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenError6 {
    pub kind: (u8, u8),
    pub word: u32,
    pub src: [u8; 16],
    pub dst: [u8; 16],
    pub quote: Vec<u8>,
}

#[track_caller]
pub fn read_error6(bytes: &[u8]) -> SeenError6 {
    let sliced = SlicedPacket::from_ethernet(bytes).unwrap();
    let Some(NetSlice::Ipv6(ip)) = &sliced.net else {
        panic!("no IPv6 packet: {sliced:?}");
    };
    let header = ip.header().to_header();
    assert_eq!(usize::from(header.payload_length), bytes.len() - 54);
    let Some(TransportSlice::Icmpv6(icmp)) = &sliced.transport else {
        panic!("no ICMPv6: {sliced:?}");
    };
    let slice = icmp.slice();
    let right = icmp
        .icmp_type()
        .calc_checksum(header.source, header.destination, icmp.payload());
    assert_eq!(icmp.checksum(), right.unwrap(), "ICMPv6 checksum");
    SeenError6 {
        kind: (icmp.type_u8(), icmp.code_u8()),
        word: u32::from_be_bytes(slice[4..8].try_into().unwrap()),
        src: header.source,
        dst: header.destination,
        quote: slice[8..].to_vec(),
    }
}
