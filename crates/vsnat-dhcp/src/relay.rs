//! What relay agents add (RFC 3046, RFC 3527).

use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, OptionCode, UnknownOption};

use crate::scan;

/// The sub-option that names the client's network where `giaddr` does not.
const LINK_SELECTION: u8 = 5;

/// Option 82, kept as it came: an agent wants the very bytes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayInformation(Vec<u8>);

impl RelayInformation {
    pub fn new(bytes: &[u8]) -> Self {
        RelayInformation(bytes.to_vec())
    }

    /// An address of the network that the client is in.
    pub fn link_selection(&self) -> Option<Ipv4Addr> {
        let found = scan::options(&self.0)?;
        let octets: [u8; 4] = found.get(&LINK_SELECTION)?.as_slice().try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    }

    /// For the answer.
    pub(crate) fn option(&self) -> DhcpOption {
        let code = OptionCode::RelayAgentInformation;
        DhcpOption::Unknown(UnknownOption::new(code, self.0.clone()))
    }
}
