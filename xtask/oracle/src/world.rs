//! The network in which a plan is carried out, the same in both worlds.
//!
//! ```text
//!  client namespace           director                  servers' namespace
//!  10.16.0.0/12, all ── outer 10.0.1.1   inner 10.0.2.1 ── 10.32.0.0/12, all
//!  10.0.1.2             VIPs 10.0.1.100-.131               10.0.2.2
//! ```
//!
//! Every address of the two large networks is a local one of its namespace, so that
//! each sequence has clients and servers that no sequence before it had: whatever an
//! earlier one left in a table cannot meet it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::ops::Range;

/// Names of the namespaces and of what is in them begin with this.
pub const PREFIX: &str = "vsnat-oracle";
pub const CLIENTS: &str = "vsnat-oracle-clients";
pub const DIRECTOR: &str = "vsnat-oracle-director";
pub const SERVERS: &str = "vsnat-oracle-servers";
pub const OUTER_INTERFACE: &str = "outer";
pub const INNER_INTERFACE: &str = "inner";

/// Ports on which every server answers.
pub const TCP_PORTS: [u16; 5] = [80, 81, 443, 8000, 8080];
pub const UDP_PORTS: [u16; 3] = [53, 54, 5000];

const FIRST_VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 100);
pub const VIPS: u8 = 32;
/// The VIPs of mark 5: `lblc`, `lblcr` and `dh` need many destinations of one service.
pub const MARKED_VIPS: Range<u8> = 12..28;

/// A marking rule, as iptables and vsnat both can write it.
#[derive(Clone, Copy, Debug)]
pub struct MarkRule {
    pub mark: u32,
    pub protocol: Option<&'static str>,
    /// A prefix of VIPs.
    pub destination: &'static str,
    pub port: Option<u16>,
}

/// The rules of every run: services by mark come and go, the marks stay.
pub const MARKS: [MarkRule; 5] = [
    MarkRule {
        mark: 1,
        protocol: Some("tcp"),
        destination: "10.0.1.104/32",
        port: None,
    },
    MarkRule {
        mark: 2,
        protocol: Some("udp"),
        destination: "10.0.1.105/32",
        port: None,
    },
    MarkRule {
        mark: 3,
        protocol: None,
        destination: "10.0.1.106/31",
        port: None,
    },
    MarkRule {
        mark: 4,
        protocol: Some("tcp"),
        destination: "10.0.1.100/32",
        port: Some(443),
    },
    MarkRule {
        mark: 5,
        protocol: Some("tcp"),
        destination: "10.0.1.112/28",
        port: None,
    },
];

/// VIP `number`, counted from 0.
pub fn vip(number: u8) -> Ipv4Addr {
    let [a, b, c, d] = FIRST_VIP.octets();
    Ipv4Addr::new(a, b, c, d.saturating_add(number))
}

/// A client of a sequence; hosts from 128 on are in another /25.
pub fn client(sequence: u32, host: u8) -> Ipv4Addr {
    host_in(16, sequence, host)
}

/// A real server of a sequence.
pub fn server(sequence: u32, host: u8) -> Ipv4Addr {
    host_in(32, sequence, host)
}

fn host_in(second_octet: u8, sequence: u32, host: u8) -> Ipv4Addr {
    let [_, _, high, low] = sequence.to_be_bytes();
    // A /12 holds 4,096 networks of 256 addresses.
    Ipv4Addr::new(10, second_octet + (high & 0x0f), low, host)
}

/// Lines for `ip -batch` that make the namespaces.
pub fn namespaces() -> String {
    let mut lines = String::new();
    for name in [CLIENTS, DIRECTOR, SERVERS] {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "netns add {name}");
    }
    lines
}

/// Lines for `ip -n NAMESPACE -batch`, in this order.
pub fn links() -> [(&'static str, String); 3] {
    let up = "link set lo up\n";
    let director = format!(
        "{up}link add {OUTER_INTERFACE} type veth peer name eth0 netns {CLIENTS}\n\
         link add {INNER_INTERFACE} type veth peer name eth0 netns {SERVERS}\n\
         address add 10.0.1.1/24 dev {OUTER_INTERFACE}\n\
         address add 10.0.2.1/24 dev {INNER_INTERFACE}\n\
         link set {OUTER_INTERFACE} up\n\
         link set {INNER_INTERFACE} up\n\
         route add 10.16.0.0/12 via 10.0.1.2\n\
         route add 10.32.0.0/12 via 10.0.2.2\n"
    );
    let far = |address: &str, network: &str, gateway: &str| {
        format!(
            "{up}address add {address}/24 dev eth0\n\
             link set eth0 up\n\
             route add local {network} dev lo\n\
             route add default via {gateway}\n"
        )
    };
    [
        (DIRECTOR, director),
        (CLIENTS, far("10.0.1.2", "10.16.0.0/12", "10.0.1.1")),
        (SERVERS, far("10.0.2.2", "10.32.0.0/12", "10.0.2.1")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sequence_has_addresses_of_its_own() {
        assert_eq!(client(0, 1), Ipv4Addr::new(10, 16, 0, 1));
        assert_eq!(client(499, 9), Ipv4Addr::new(10, 17, 243, 9));
        assert_eq!(server(499, 9), Ipv4Addr::new(10, 33, 243, 9));
        assert_eq!(vip(31), Ipv4Addr::new(10, 0, 1, 131));
    }
}
