//! What a client says, as far as it concerns data connections.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::telnet;

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The server is to connect to this address: PORT, or EPRT for IPv4.
    Active(SocketAddrV4),
    /// EPRT for another family than the control connection's.
    OtherFamily,
    /// The server is to be connected to: PASV or EPSV.
    Passive,
    /// The control connection is to be encrypted.
    Auth,
    /// All others, and those that the server will refuse.
    Other,
}

impl Command {
    pub fn of(line: &[u8]) -> Command {
        let text = telnet::text(line);
        let (word, rest) = split(&text);
        match word.as_slice() {
            b"PORT" => active(port(rest)),
            b"EPRT" => extended(rest),
            b"PASV" => Command::Passive,
            // `EPSV ALL` promises that no other command will come, asks for no
            // connection, and is kept by the server (RFC 2428, section 4).
            b"EPSV" if rest.eq_ignore_ascii_case(b"ALL") => Command::Other,
            b"EPSV" => Command::Passive,
            b"AUTH" => Command::Auth,
            _ => Command::Other,
        }
    }
}

/// Whether the beginning of a line is one of a command that names an address.
pub fn names_an_address(line: &[u8]) -> bool {
    let text = telnet::text(line);
    let (word, _) = split(&text);
    matches!(word.as_slice(), b"PORT" | b"EPRT")
}

/// The first word, in capitals, and what is behind it.
fn split(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let text = text.trim_ascii();
    let end = text.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word.to_ascii_uppercase(), rest.trim_ascii())
}

fn active(address: Option<SocketAddrV4>) -> Command {
    // The server refuses what cannot be.
    address.map_or(Command::Other, Command::Active)
}

/// `h1,h2,h3,h4,p1,p2`.
fn port(text: &[u8]) -> Option<SocketAddrV4> {
    let mut numbers = [0; 6];
    let mut parts = text.split(|byte| *byte == b',');
    for number in &mut numbers {
        *number = decimal(parts.next()?.trim_ascii())?;
    }
    if parts.next().is_some() {
        return None;
    }
    address(numbers)
}

/// The address of six numbers as PORT and the reply 227 write them.
pub fn address(numbers: [u8; 6]) -> Option<SocketAddrV4> {
    let [a, b, c, d, high, low] = numbers;
    let port = u16::from_be_bytes([high, low]);
    (port != 0).then_some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

/// `|1|192.0.2.1|50000|`, with any sign for the bar.
fn extended(text: &[u8]) -> Command {
    let Some(bar) = text.first() else {
        return Command::Other;
    };
    let parts: Vec<&[u8]> = text.split(|byte| byte == bar).collect();
    let [b"", family, host, port, b""] = parts[..] else {
        return Command::Other;
    };
    if family != b"1" {
        return Command::OtherFamily;
    }
    let host = std::str::from_utf8(host).ok();
    let host = host.and_then(|host| host.parse().ok());
    let port = decimal(port).filter(|port| *port != 0);
    active(
        host.zip(port)
            .map(|(host, port)| SocketAddrV4::new(host, port)),
    )
}

/// A number in decimal, of digits alone.
pub fn decimal<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn commands_of_both_kinds() {
        let active = |text: &str| Command::Active(text.parse().unwrap());
        for (line, command) in [
            ("PORT 192,0,2,1,200,10\r\n", active("192.0.2.1:51210")),
            ("port  192,0,2,1,0,20 \r\n", active("192.0.2.1:20")),
            ("EPRT |1|192.0.2.1|51210|\r\n", active("192.0.2.1:51210")),
            ("EPRT !1!192.0.2.1!51210!\n", active("192.0.2.1:51210")),
            ("EPRT |2|2001:db8::1|51210|\r\n", Command::OtherFamily),
            ("PASV\r\n", Command::Passive),
            ("EPSV\r\n", Command::Passive),
            ("epsv 1\r\n", Command::Passive),
            ("EPSV ALL\r\n", Command::Other),
            ("AUTH TLS\r\n", Command::Auth),
            ("PORT 192,0,2,1,200\r\n", Command::Other),
            ("PORT 192,0,2,1,200,10,1\r\n", Command::Other),
            ("PORT 192,0,2,256,200,10\r\n", Command::Other),
            ("PORT 192,0,2,1,0,0\r\n", Command::Other),
            ("PORT +192,0,2,1,1,1\r\n", Command::Other),
            ("EPRT |1|192.0.2.1|0|\r\n", Command::Other),
            ("EPRT |1|192.0.2.1|65536|\r\n", Command::Other),
            ("EPRT\r\n", Command::Other),
            ("STOR PORT 1,2,3,4,5,6\r\n", Command::Other),
            ("\r\n", Command::Other),
        ] {
            assert_eq!(Command::of(line.as_bytes()), command, "{line}");
        }
        assert_eq!(Command::of(b"\xff\xf4\xff\xf2PASV\r\n"), Command::Passive);
    }
}
