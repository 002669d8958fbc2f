//! nginx's stream module as a peer, for TCP and UDP.

use std::fmt::Write as _;
use std::net::SocketAddrV4;

use vsnat_lab::servers::ServerProcess;

use super::PeersError;
use super::network::{ECHO_PORT, HTTP_PORT, Network, Vip};
use super::peer::Carrier;
use super::program::{self, Programs};

const CONFIG: &str = include_str!("nginx_stream.conf");

/// It listens all the time, on an address that only its own turns use: without
/// connections it does nothing.
#[derive(Debug)]
pub struct Nginx {
    _running: ServerProcess,
}

impl Nginx {
    pub fn start(network: &Network, programs: &Programs, cpus: usize) -> Result<Self, PeersError> {
        let folder = network.folder().join("nginx");
        let address = SocketAddrV4::new(Vip::Nginx.address(), HTTP_PORT);
        let words = [
            ("MODULE", programs.nginx_stream.display().to_string()),
            ("CPUS", cpus.to_string()),
            ("FOLDER", folder.display().to_string()),
            ("VIP", address.ip().to_string()),
            ("HTTP_PORT", HTTP_PORT.to_string()),
            ("ECHO_PORT", ECHO_PORT.to_string()),
            ("WEB_SERVERS", servers(network, HTTP_PORT)),
            ("ECHO_SERVERS", servers(network, ECHO_PORT)),
        ];
        let config = program::filled(CONFIG, &words);
        let config = program::configure(&folder, "nginx.conf", &config)?;
        let mut nginx = programs.nginx(&folder, &config);
        let director = network.director();
        let running = ServerProcess::start(&director, "nginx", &mut nginx, address, &folder)?;
        Ok(Nginx { _running: running })
    }
}

impl Carrier for Nginx {
    fn begin(&mut self) -> Result<(), PeersError> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), PeersError> {
        Ok(())
    }
}

fn servers(network: &Network, port: u16) -> String {
    let mut lines = String::new();
    for address in network.server_sockets(port) {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "        server {address};");
    }
    lines
}
