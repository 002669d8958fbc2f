//! What the packet path counts.

/// Fate of a packet, and events on its way. Names are part of the interface:
/// they appear in listings and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// Every packet that reached a program.
    Seen = 0,
    /// Client to server, translated.
    Forwarded = 1,
    /// Server to client, translated.
    Returned = 2,
    /// Passed untouched: belongs to no service and no connection.
    NotOurs = 3,
    /// Passed untouched: to a service, but neither opens a connection nor belongs to one.
    NoConnection = 4,
    /// A connection was opened.
    Opened = 5,
    /// A closed connection was opened again in place.
    Reopened = 6,
    /// Left by the kernel's neighbour look-up, not by the cached next hop.
    NeighbourAsked = 7,
    /// Dropped: a source that cannot come from the outer side.
    Martian = 8,
    /// Dropped: a denied source.
    Denied = 9,
    /// Dropped: a later fragment to a VIP, before the first one; or a fragment
    /// that cannot be translated alone (SCTP, a one-packet service).
    Fragment = 10,
    /// Refused: no server can take the connection.
    NoServer = 11,
    /// Dropped: the server of the connection was deleted.
    ServerGone = 12,
    /// Dropped: the connection table is full.
    TableFull = 13,
    /// Dropped: no server and no port gave a free reply key.
    PortsExhausted = 14,
    /// Refused: time to live used up.
    TtlExceeded = 15,
    /// Refused: larger than the next link takes, and not to be fragmented.
    FragmentationNeeded = 16,
    /// Dropped: larger than the next link takes.
    TooBig = 17,
    /// Dropped: no route to the next hop.
    NoRoute = 18,
    /// Dropped: another CPU is giving the connection a new server.
    OpenRace = 19,
    /// An ICMP message or a reset was due, but the limit was reached.
    IcmpLimited = 20,
    /// An ICMP message was sent.
    IcmpSent = 21,
    /// Dropped: the kernel refused an operation on the packet.
    Kernel = 22,
    /// Dropped: the table is short of room, or is to behave as if it were
    /// (`drop_packet`).
    DropPacket = 23,
    /// Dropped or taken from the table: `drop_entry`.
    DropEntry = 24,
    /// Passed untouched: to a service on all ports, but to a port of the host.
    SparedPort = 25,
    /// A packet of a one-packet service.
    OnePacket = 26,
    /// Dropped: another CPU is making the same template.
    TemplateRace = 27,
    /// Refused: a server speaks on a connection that is not known.
    UnknownToServer = 28,
    /// Translated by XDP, in front of TC; forwarded or returned too.
    Accelerated = 29,
    /// An ICMP error about a packet of a connection, translated.
    ErrorTranslated = 30,
    /// A reset was sent: no server can take the connection.
    ResetSent = 31,
    /// Of a connection on which the daemon stands in between: handed to the
    /// host; forwarded or returned too.
    Proxied = 32,
    /// A connection was opened because it was expected; opened too.
    Expected = 33,
    /// Not a packet: a connection could not be expected, the table was full.
    ExpectedFull = 34,
    /// Dropped: an IPv6 client, and no stand-in was left for its address.
    StandInsExhausted = 46,
    /// Dropped: what one family says and the other cannot.
    Untranslatable = 47,
}

impl Reason {
    pub const ALL: [Reason; 37] = [
        Reason::Seen,
        Reason::Forwarded,
        Reason::Returned,
        Reason::NotOurs,
        Reason::NoConnection,
        Reason::Opened,
        Reason::Reopened,
        Reason::NeighbourAsked,
        Reason::Martian,
        Reason::Denied,
        Reason::Fragment,
        Reason::NoServer,
        Reason::ServerGone,
        Reason::TableFull,
        Reason::PortsExhausted,
        Reason::TtlExceeded,
        Reason::FragmentationNeeded,
        Reason::TooBig,
        Reason::NoRoute,
        Reason::OpenRace,
        Reason::IcmpLimited,
        Reason::IcmpSent,
        Reason::Kernel,
        Reason::DropPacket,
        Reason::DropEntry,
        Reason::SparedPort,
        Reason::OnePacket,
        Reason::TemplateRace,
        Reason::UnknownToServer,
        Reason::Accelerated,
        Reason::ErrorTranslated,
        Reason::ResetSent,
        Reason::Proxied,
        Reason::Expected,
        Reason::ExpectedFull,
        Reason::StandInsExhausted,
        Reason::Untranslatable,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Reason::Seen => "seen",
            Reason::Forwarded => "forwarded",
            Reason::Returned => "returned",
            Reason::NotOurs => "not_ours",
            Reason::NoConnection => "no_connection",
            Reason::Opened => "opened",
            Reason::Reopened => "reopened",
            Reason::NeighbourAsked => "neighbour_asked",
            Reason::Martian => "martian",
            Reason::Denied => "denied",
            Reason::Fragment => "fragment",
            Reason::NoServer => "no_server",
            Reason::ServerGone => "server_gone",
            Reason::TableFull => "table_full",
            Reason::PortsExhausted => "ports_exhausted",
            Reason::TtlExceeded => "ttl_exceeded",
            Reason::FragmentationNeeded => "fragmentation_needed",
            Reason::TooBig => "too_big",
            Reason::NoRoute => "no_route",
            Reason::OpenRace => "open_race",
            Reason::IcmpLimited => "icmp_limited",
            Reason::IcmpSent => "icmp_sent",
            Reason::Kernel => "kernel",
            Reason::DropPacket => "drop_packet",
            Reason::DropEntry => "drop_entry",
            Reason::SparedPort => "spared_port",
            Reason::OnePacket => "one_packet",
            Reason::TemplateRace => "template_race",
            Reason::UnknownToServer => "unknown_to_server",
            Reason::Accelerated => "accelerated",
            Reason::ErrorTranslated => "error_translated",
            Reason::ResetSent => "reset_sent",
            Reason::Proxied => "proxied",
            Reason::Expected => "expected",
            Reason::ExpectedFull => "expected_full",
            Reason::StandInsExhausted => "stand_ins_exhausted",
            Reason::Untranslatable => "untranslatable",
        }
    }

    #[inline(always)]
    pub const fn index(self) -> u32 {
        self as u32
    }
}

/// Room for reasons to come, so that adding one is no change of layout.
pub const COUNTERS: usize = 64;

const _: () = assert!(Reason::ALL.len() <= COUNTERS);

/// One CPU's counters, indexed by [`Reason::index`].
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    pub packets: [u64; COUNTERS],
}

const _: () = assert!(size_of::<Counters>() == 512);
