//! HAProxy as a peer: every connection ends on the director, and another one begins.

use std::fmt::Write as _;
use std::net::SocketAddrV4;

use vsnat_lab::servers::ServerProcess;

use super::PeersError;
use super::network::{HTTP_PORT, Network, Vip};
use super::peer::Carrier;
use super::program::{self, Programs};

const CONFIG: &str = include_str!("haproxy.cfg");

/// It listens all the time, on an address that only its own turns use: without
/// connections it does nothing.
#[derive(Debug)]
pub struct Haproxy {
    _running: ServerProcess,
}

impl Haproxy {
    pub fn start(network: &Network, programs: &Programs, cpus: usize) -> Result<Self, PeersError> {
        let mut servers = String::new();
        for (number, address) in (1..).zip(network.server_sockets(HTTP_PORT)) {
            // Writing to a String cannot fail.
            let _ = writeln!(servers, "    server server{number} {address}");
        }
        let address = SocketAddrV4::new(Vip::Haproxy.address(), HTTP_PORT);
        let words = [
            ("CPUS", cpus.to_string()),
            ("VIP", address.ip().to_string()),
            ("HTTP_PORT", HTTP_PORT.to_string()),
            ("SERVERS", servers),
        ];
        let config = program::filled(CONFIG, &words);
        let folder = network.folder().join("haproxy");
        let config = program::configure(&folder, "haproxy.cfg", &config)?;
        let mut haproxy = programs.haproxy(&config);
        let director = network.director();
        let running = ServerProcess::start(&director, "haproxy", &mut haproxy, address, &folder)?;
        Ok(Haproxy { _running: running })
    }
}

impl Carrier for Haproxy {
    fn begin(&mut self) -> Result<(), PeersError> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), PeersError> {
        Ok(())
    }
}
