//! The listing of connections.

use std::fmt::Write;

use vsnat_api::{ConnectionView, Protocol};

use crate::names::endpoint;
use crate::{NameStyle, Names};

const TITLE: &str = concat!(
    "IPVS connection entries\n",
    "pro expire state       source             virtual            destination\n",
);

/// Lists connections in the order given: ipvsadm does not sort them.
pub fn render_connections(
    connections: &[ConnectionView],
    style: NameStyle,
    names: &dyn Names,
) -> String {
    let mut text = TITLE.to_owned();
    for connection in connections {
        let protocol = connection.protocol;
        // A server's name is written whole; the others push the line out.
        let source = endpoint(connection.client, protocol, style, names);
        let target = endpoint(connection.virtual_address, protocol, style, names);
        let server = endpoint(connection.server, protocol, style, names);
        let expires = expires(connection.expires_ms);
        let state = connection.state.name();
        let protocol = name(protocol);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{protocol} {expires}  {state:<11} {source:<18} {target:<18} {server}"
        );
    }
    text
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

/// Minutes and seconds, begun seconds left out.
fn expires(expires_ms: u64) -> String {
    let seconds = expires_ms / 1_000;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}
