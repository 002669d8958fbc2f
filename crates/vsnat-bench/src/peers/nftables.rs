//! nftables as a peer: destination NAT in turn, with connection tracking.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use vsnat_lab::Namespace;

use super::PeersError;
use super::network::{ECHO_PORT, HTTP_PORT, Network, SERVERS, Vip};
use super::peer::Carrier;
use super::program;

const RULES: &str = include_str!("nftables.nft");
const TABLE: &str = "bench_peers";

/// Its rules are there during its turns only: while any rule asks for it, the kernel
/// tracks every connection.
#[derive(Debug)]
pub struct Nftables {
    namespace: Namespace,
    rules: PathBuf,
}

impl Nftables {
    pub fn new(network: &Network) -> Result<Self, PeersError> {
        let mut map = String::new();
        for (place, (_, address)) in network.servers().into_iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(map, "{comma}{place} : {address}");
        }
        let words = [
            ("TABLE", TABLE.to_owned()),
            ("VIP", Vip::Nftables.address().to_string()),
            ("HTTP_PORT", HTTP_PORT.to_string()),
            ("ECHO_PORT", ECHO_PORT.to_string()),
            ("COUNT", SERVERS.to_string()),
            ("SERVERS", map),
        ];
        let rules = program::filled(RULES, &words);
        let folder = network.folder().join("nftables");
        Ok(Nftables {
            namespace: network.director(),
            rules: program::configure(&folder, "rules.nft", &rules)?,
        })
    }
}

impl Carrier for Nftables {
    fn begin(&mut self) -> Result<(), PeersError> {
        let mut nft = Command::new("nft");
        nft.arg("-f").arg(&self.rules);
        self.namespace.output(&mut nft)?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), PeersError> {
        let mut nft = Command::new("nft");
        nft.args(["delete", "table", "ip", TABLE]);
        self.namespace.output(&mut nft)?;
        Ok(())
    }
}
