//! What a director is made of, as a new user tells it.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use vsnat_api::Protocol;

/// Everything that is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub outer: String,
    pub inner: Vec<String>,
    pub vips: Vec<Ipv4Net>,
    pub services: Vec<ServicePort>,
    pub servers: Vec<Ipv4Addr>,
    pub dhcp: bool,
}

/// A port that is served: `80`, `tcp:80`, `udp:53`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePort {
    pub protocol: Protocol,
    pub port: u16,
}

impl FromStr for ServicePort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (protocol, port) = text.split_once(':').unwrap_or(("tcp", text));
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            other => return Err(format!("unknown protocol {other}; write tcp, udp or sctp")),
        };
        match port.parse() {
            Ok(0) | Err(_) => Err(format!("\"{port}\" is no port; write one from 1 to 65535")),
            Ok(port) => Ok(ServicePort { protocol, port }),
        }
    }
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.word(), self.port)
    }
}

impl ServicePort {
    /// The protocol as the file writes it.
    pub fn word(self) -> &'static str {
        match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_services() {
        let read = |text: &str| text.parse::<ServicePort>().map(|port| port.to_string());
        assert_eq!(read("80").as_deref(), Ok("tcp:80"));
        assert_eq!(read("udp:53").as_deref(), Ok("udp:53"));
        assert!(read("0").unwrap_err().contains("no port"));
        assert!(read("http").unwrap_err().contains("no port"));
        assert!(read("icmp:1").unwrap_err().contains("tcp, udp or sctp"));
    }
}
