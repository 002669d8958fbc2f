//! The listing of connections, row by row: there may be a million.

use std::net::SocketAddr;

use vsnat_api::{ConnectionView, Protocol};

use crate::names::endpoint;
use crate::row::Row;
use crate::{ConnectionColumns, ConnectionOptions, NameStyle, Names};

const TITLE: &str = concat!(
    "IPVS connection entries\n",
    "pro expire state       source             virtual            destination\n",
);

const TITLE_ENGINE: &str = concat!(
    "IPVS connection entries\n",
    "pro expire state       source             virtual            destination        ",
    "pe name          pe_data\n",
);

/// Columns of the protocol, of a state, and of the source and virtual address.
/// What is longer pushes the rest of the line out.
const PROTOCOL_WIDTH: usize = 3;
const STATE_WIDTH: usize = 11;
const ADDRESS_WIDTH: usize = 18;

/// Writes one row after the other, into the same memory.
pub struct ConnectionRows<'a> {
    options: ConnectionOptions,
    names: &'a dyn Names,
    row: Row,
}

impl<'a> ConnectionRows<'a> {
    pub fn new(options: ConnectionOptions, names: &'a dyn Names) -> Self {
        ConnectionRows {
            options,
            names,
            row: Row::new(),
        }
    }

    /// The two lines above the rows.
    pub fn title(&self) -> &'static str {
        match self.options.columns {
            ConnectionColumns::Plain => TITLE,
            ConnectionColumns::Engine => TITLE_ENGINE,
        }
    }

    /// The row of a connection, line end included.
    pub fn row(&mut self, connection: &ConnectionView) -> &str {
        let protocol = connection.protocol;
        self.row.clear();
        self.row.text(protocol_name(protocol)).pad(PROTOCOL_WIDTH);
        self.expires(connection.expires_ms);
        self.row.text(connection.state.name()).pad(STATE_WIDTH);
        self.endpoint(connection.client, protocol);
        self.row.pad(ADDRESS_WIDTH);
        match protocol {
            Some(_) => self.endpoint(connection.virtual_address, protocol),
            // A mark, which no host is named by.
            None => {
                self.row.endpoint(connection.virtual_address);
            }
        }
        self.row.pad(ADDRESS_WIDTH);
        self.endpoint(connection.server, protocol);
        self.row.end()
    }

    /// Minutes and seconds, begun seconds left out.
    fn expires(&mut self, expires_ms: u64) {
        let seconds = expires_ms / 1_000;
        self.row.two_digits(seconds / 60).text(":");
        // Two blanks stand before the state.
        self.row.two_digits(seconds % 60).text(" ").next_column();
    }

    fn endpoint(&mut self, address: SocketAddr, protocol: Option<Protocol>) {
        match self.options.names {
            NameStyle::Numeric => self.row.endpoint(address),
            NameStyle::Names => {
                let name = endpoint(address, protocol, NameStyle::Names, self.names);
                self.row.text(&name)
            }
        };
    }
}

/// "IP" stands for the template of a mark, which holds for every protocol.
pub(crate) fn protocol_name(protocol: Option<Protocol>) -> &'static str {
    match protocol {
        Some(Protocol::Tcp) => "TCP",
        Some(Protocol::Udp) => "UDP",
        Some(Protocol::Sctp) => "SCTP",
        None => "IP",
    }
}

#[cfg(test)]
mod tests {
    use vsnat_api::ConnectionState;

    use super::*;
    use crate::NoNames;

    #[test]
    fn rows_follow_each_other_in_the_same_memory() {
        let address = |text: &str| text.parse().expect("an address");
        let template = ConnectionView {
            protocol: None,
            client: address("10.0.1.12:0"),
            virtual_address: address("0.0.0.7:0"),
            server: address("10.0.2.14:0"),
            state: ConnectionState::Assured,
            expires_ms: 58_999,
        };
        let connection = ConnectionView {
            protocol: Some(Protocol::Sctp),
            client: address("200.200.200.200:60000"),
            virtual_address: address("10.0.1.100:80"),
            server: address("10.0.2.14:8080"),
            state: ConnectionState::ShutdownAckSent,
            expires_ms: 6_000_000,
        };
        let options = ConnectionOptions {
            names: NameStyle::Numeric,
            columns: ConnectionColumns::Plain,
        };
        let mut rows = ConnectionRows::new(options, &NoNames);
        let expected = "IP  00:58  ASSURED     10.0.1.12:0        0.0.0.7:0          10.0.2.14:0\n";
        assert_eq!(rows.row(&template), expected);
        let wide = "SCTP 100:00  S-ACK-SENT  200.200.200.200:60000 10.0.1.100:80      \
                    10.0.2.14:8080\n";
        assert_eq!(rows.row(&connection), wide);
        assert_eq!(rows.row(&template), expected);
    }
}
