//! Addresses of a chain: clients, VIP, servers, and a neighbour that is nobody.
//!
//! ```text
//! clients 198.18.0.0/16 ── end0 ═ outer0 director inner0 ═ end0 ── servers 10.9.16.0, …
//! ```
//!
//! No address of either end exists: packets are written and counted there, and
//! no stack answers them.

use std::net::{Ipv4Addr, SocketAddrV4};

/// The director's interfaces, and what they are joined to.
pub const OUTER: &str = "outer0";
pub const INNER: &str = "inner0";
pub const END: &str = "end0";

pub type Mac = [u8; 6];
pub const OUTER_MAC: Mac = [2, 0, 0, 0, 1, 1];
pub const INNER_MAC: Mac = [2, 0, 0, 0, 2, 1];
pub const CLIENTS_MAC: Mac = [2, 0, 0, 0, 1, 2];
pub const SERVERS_MAC: Mac = [2, 0, 0, 0, 2, 2];
/// Whom the director believes its neighbours to be. A frame for somebody else
/// is the first thing that a kernel drops: the cheapest end of a path, and it
/// needs neither a program nor a rule.
pub const NOBODY_MAC: Mac = [2, 0, 0, 0, 9, 9];

pub const VIP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 7), PORT);
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 254);
const PORT: u16 = 80;

/// Real servers of every director.
pub const SERVERS: u8 = 4;
const FIRST_SERVER: u32 = 0x0a09_1000;

/// The network for measurements between networks.
const FIRST_CLIENT: u32 = 0xc612_0000;
/// Clients that take turns: as many as the packet path remembers.
const CLIENTS: u32 = 4_096;
const FIRST_PORT: u16 = 1_024;

/// One flow more than can be measured; that one finds out whether links are up.
pub const FLOWS_MAX: u32 = CLIENTS * (u16::MAX - FIRST_PORT) as u32;

/// The client's end of a flow.
pub fn client(flow: u32) -> SocketAddrV4 {
    let address = Ipv4Addr::from(FIRST_CLIENT + flow % CLIENTS);
    SocketAddrV4::new(address, FIRST_PORT + (flow / CLIENTS) as u16)
}

/// The flow of a client's end.
pub fn flow_of(client: SocketAddrV4) -> Option<u32> {
    let host = u32::from(*client.ip()).checked_sub(FIRST_CLIENT)?;
    let round = client.port().checked_sub(FIRST_PORT)?;
    (host < CLIENTS).then(|| u32::from(round) * CLIENTS + host)
}

pub fn server(number: u8) -> SocketAddrV4 {
    let address = Ipv4Addr::from(FIRST_SERVER + u32::from(number % SERVERS));
    SocketAddrV4::new(address, PORT)
}

/// The number of a server's address and port.
pub fn server_number(address: SocketAddrV4) -> Option<u8> {
    (0..SERVERS).find(|number| server(*number) == address)
}

pub fn mac_text(mac: Mac) -> String {
    let bytes: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

#[cfg(test)]
mod tests {
    use super::{FLOWS_MAX, client, flow_of, server, server_number};

    #[test]
    fn a_client_tells_its_flow() {
        for flow in [0, 1, 4_095, 4_096, 999_999, FLOWS_MAX - 1] {
            assert_eq!(flow_of(client(flow)), Some(flow));
        }
    }

    #[test]
    fn nobody_else_is_a_client_or_a_server() {
        assert_eq!(flow_of(server(0)), None);
        assert_eq!(server_number(server(3)), Some(3));
        assert_eq!(server_number(client(0)), None);
    }
}
