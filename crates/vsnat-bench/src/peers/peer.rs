//! Who is compared with whom.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::Serialize;

use super::PeersError;
use super::network::{ECHO_PORT, HTTP_PORT, LinkSetup, Network, Vip};
use super::rows::Manner;

/// A way from the clients to the real servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// The clients speak to the real servers, in turn; the director only routes.
    Plain,
    VsnatTc,
    Nftables,
    Haproxy,
    Nginx,
    /// Plain routing over links as XDP wants them.
    PlainXdp,
    VsnatXdp,
}

impl Peer {
    /// In the order of their turns: the links are set up anew only twice.
    pub const ALL: [Peer; 7] = [
        Peer::Plain,
        Peer::VsnatTc,
        Peer::Nftables,
        Peer::Haproxy,
        Peer::Nginx,
        Peer::PlainXdp,
        Peer::VsnatXdp,
    ];

    /// Those that vsnat TC must not be behind.
    pub const RIVALS: [Peer; 3] = [Peer::Nftables, Peer::Haproxy, Peer::Nginx];

    pub const fn name(self) -> &'static str {
        match self {
            Peer::Plain => "plain routing",
            Peer::VsnatTc => "vsnat TC",
            Peer::Nftables => "nftables",
            Peer::Haproxy => "HAProxy",
            Peer::Nginx => "nginx",
            Peer::PlainXdp => "plain, XDP links",
            Peer::VsnatXdp => "vsnat XDP",
        }
    }

    /// What it is told in: plain routing over the same links.
    pub const fn floor(self) -> Peer {
        match self {
            Peer::VsnatXdp => Peer::PlainXdp,
            Peer::Plain
            | Peer::VsnatTc
            | Peer::Nftables
            | Peer::Haproxy
            | Peer::Nginx
            | Peer::PlainXdp => Peer::Plain,
        }
    }

    pub const fn links(self) -> LinkSetup {
        match self {
            Peer::Plain | Peer::VsnatTc | Peer::Nftables | Peer::Haproxy | Peer::Nginx => {
                LinkSetup::Kernel
            }
            Peer::PlainXdp | Peer::VsnatXdp => LinkSetup::Xdp,
        }
    }

    /// HAProxy 2.6 does not speak UDP in TCP mode, nor in any other.
    pub const fn can(self, manner: Manner) -> bool {
        match manner {
            Manner::KeepAlive | Manner::PerRequest => true,
            Manner::Udp => !matches!(self, Peer::Haproxy),
        }
    }

    /// Where the clients send to.
    pub fn targets(self, manner: Manner, network: &Network) -> Vec<SocketAddrV4> {
        let port = match manner {
            Manner::KeepAlive | Manner::PerRequest => HTTP_PORT,
            Manner::Udp => ECHO_PORT,
        };
        match self.vip() {
            Some(vip) => vec![SocketAddrV4::new(vip, port)],
            None => network.server_sockets(port),
        }
    }

    fn vip(self) -> Option<Ipv4Addr> {
        let vip = match self {
            Peer::Plain | Peer::PlainXdp => return None,
            Peer::VsnatTc | Peer::VsnatXdp => Vip::Vsnat,
            Peer::Nftables => Vip::Nftables,
            Peer::Haproxy => Vip::Haproxy,
            Peer::Nginx => Vip::Nginx,
        };
        Some(vip.address())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What carries a peer's traffic on the director.
pub trait Carrier {
    /// Takes the traffic over. Nobody else has it.
    fn begin(&mut self) -> Result<(), PeersError>;
    /// Lets go of it, so that nothing is left in the way of the next one.
    fn end(&mut self) -> Result<(), PeersError>;
}
