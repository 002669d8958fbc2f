//! `/proc/net/ip_vs_conn`: the connections, row by row.

use std::net::SocketAddr;

use vsnat_api::ConnectionView;

use crate::connections::protocol_name;
use crate::row::Row;

const PROTOCOL_WIDTH: usize = 3;
const STATE_WIDTH: usize = 11;
const EXPIRES_WIDTH: u32 = 7;

/// Writes one row after the other, into the same memory.
#[derive(Debug)]
pub struct IpVsConn {
    row: Row,
}

impl Default for IpVsConn {
    fn default() -> Self {
        IpVsConn { row: Row::new() }
    }
}

impl IpVsConn {
    /// The line above the rows.
    pub const TITLE: &str =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";

    /// The row of a connection, line end included.
    pub fn row(&mut self, connection: &ConnectionView) -> &str {
        self.row.clear();
        self.row.text(protocol_name(connection.protocol));
        self.row.pad(PROTOCOL_WIDTH);
        self.endpoint(connection.client);
        self.endpoint(connection.virtual_address);
        self.endpoint(connection.server);
        self.row.text(connection.state.name()).pad(STATE_WIDTH);
        let seconds = connection.expires_ms / 1_000;
        self.row.decimal_right(seconds, EXPIRES_WIDTH).end()
    }

    fn endpoint(&mut self, address: SocketAddr) {
        match address {
            SocketAddr::V4(address) => self.row.hex32(address.ip().to_bits()),
            SocketAddr::V6(address) => self.row.whole6(*address.ip()),
        };
        self.row.next_column();
        self.row.hex16(address.port()).next_column();
    }
}
