//! What a server says, as far as it concerns data connections.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::ops::Range;

use crate::command;

/// Three digits, as they stand in front of a reply.
pub type Code = [u8; 3];

/// Where a line stands in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The only line, or the last one: the reply with this code is complete.
    Last(Code),
    /// A first line that others follow, up to one with the same code.
    First(Code),
    /// Text in between, whatever it looks like, or no reply at all.
    Within,
}

/// The place of a line, of which the first four bytes are enough. `open` is the
/// code of the reply that it may be part of.
pub fn place(line: &[u8], open: Option<Code>) -> Place {
    let [a, b, c, sign, ..] = *line else {
        return Place::Within;
    };
    let code = [a, b, c];
    let is_code = code.iter().all(u8::is_ascii_digit);
    match open {
        Some(open) if code == open && sign == b' ' => Place::Last(code),
        Some(_) => Place::Within,
        None if !is_code => Place::Within,
        None if sign == b'-' => Place::First(code),
        None => Place::Last(code),
    }
}

/// Where a reply names the server's port, and how it is written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub port: u16,
    style: Style,
    /// The bytes to be written anew.
    at: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `h1,h2,h3,h4,p1,p2`: the answer to PASV.
    SixNumbers,
    /// Between bars: the answer to EPSV.
    PortAlone,
}

impl Told {
    /// What the last line of a reply tells of a port.
    pub fn of(code: Code, line: &[u8]) -> Option<Told> {
        match &code {
            b"227" => six_numbers(line),
            b"229" => port_alone(line),
            _ => None,
        }
    }

    /// The line with the port that the client is to connect to.
    pub fn rewritten(&self, line: &[u8], vip: Ipv4Addr, port: u16) -> Vec<u8> {
        let mut text = String::new();
        let [high, low] = port.to_be_bytes();
        let [a, b, c, d] = vip.octets();
        // Writing to a String cannot fail.
        let _ = match self.style {
            Style::SixNumbers => write!(text, "{a},{b},{c},{d},{high},{low}"),
            Style::PortAlone => write!(text, "{port}"),
        };
        [
            &line[..self.at.start],
            text.as_bytes(),
            &line[self.at.end..],
        ]
        .concat()
    }
}

/// RFC 1123 (4.1.2.6): the numbers are to be looked for, since servers write
/// different things around them.
fn six_numbers(line: &[u8]) -> Option<Told> {
    // Behind the code, which is a number too.
    let mut start = 4;
    while start < line.len() {
        if !line[start].is_ascii_digit() {
            start += 1;
            continue;
        }
        let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
        let length = line[start..].iter().take_while(|b| is_part(b)).count();
        let end = start + length;
        if let Some(told) = numbers(&line[start..end]) {
            return Some(Told {
                port: told,
                style: Style::SixNumbers,
                at: start..end,
            });
        }
        start = end;
    }
    None
}

fn numbers(text: &[u8]) -> Option<u16> {
    let parts: Vec<Option<u8>> = text.split(|b| *b == b',').map(command::decimal).collect();
    let parts: [Option<u8>; 6] = parts.try_into().ok()?;
    let mut numbers = [0; 6];
    for (number, part) in numbers.iter_mut().zip(parts) {
        *number = part?;
    }
    // Whatever address it names: the data connection is to this very server.
    command::address(numbers).map(|address| address.port())
}

/// `(|||50000|)`, with any sign for the bar.
fn port_alone(line: &[u8]) -> Option<Told> {
    let open = line.iter().position(|byte| *byte == b'(')?;
    let inside = &line[open + 1..];
    let [bar, second, third, rest @ ..] = inside else {
        return None;
    };
    if bar != second || bar != third || bar.is_ascii_digit() {
        return None;
    }
    let length = rest.iter().position(|byte| byte == bar)?;
    let port = command::decimal(&rest[..length]).filter(|port| *port != 0)?;
    let start = open + 4;
    Some(Told {
        port,
        style: Style::PortAlone,
        at: start..start + length,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

    fn rewritten(line: &str, port: u16) -> Option<(u16, String)> {
        let code = line.as_bytes()[..3].try_into().unwrap();
        let told = Told::of(code, line.as_bytes())?;
        let line = told.rewritten(line.as_bytes(), VIP, port);
        Some((told.port, String::from_utf8(line).unwrap()))
    }

    #[test]
    fn ports_are_found_and_replaced() {
        for (line, port, after) in [
            (
                "227 Entering Passive Mode (10,0,0,1,200,10).\r\n",
                51_210,
                "227 Entering Passive Mode (198,51,100,7,200,11).\r\n",
            ),
            (
                "227 Mode 2: =10,0,0,1,4,0\n",
                1_024,
                "227 Mode 2: =198,51,100,7,200,11\n",
            ),
            (
                "229 Entering Extended Passive Mode (|||51210|)\r\n",
                51_210,
                "229 Entering Extended Passive Mode (|||51211|)\r\n",
            ),
            ("229 (!!!6446!)\r\n", 6_446, "229 (!!!51211!)\r\n"),
        ] {
            assert_eq!(rewritten(line, 51_211), Some((port, after.to_owned())));
        }
    }

    #[test]
    fn what_names_no_port() {
        for line in [
            "227 Entering Passive Mode\r\n",
            "227 (10,0,0,1,200)\r\n",
            "227 (10,0,0,1,200,10,1)\r\n",
            "227 (10,0,0,256,200,10)\r\n",
            "227 (10,0,0,1,0,0)\r\n",
            "229 (|||0|)\r\n",
            "229 (|||70000|)\r\n",
            "229 (|||5000\r\n",
            "229 (||\r\n",
            "229 \r\n",
            "200 (10,0,0,1,200,10)\r\n",
        ] {
            assert_eq!(rewritten(line, 1), None, "{line}");
        }
    }

    #[test]
    fn places() {
        assert_eq!(place(b"220 hello\r\n", None), Place::Last(*b"220"));
        assert_eq!(place(b"220\r\n", None), Place::Last(*b"220"));
        assert_eq!(place(b"220-hello\r\n", None), Place::First(*b"220"));
        let open = Some(*b"220");
        assert_eq!(place(b"227 (1,2,3,4,5,6)\r\n", open), Place::Within);
        assert_eq!(place(b"220-more\r\n", open), Place::Within);
        assert_eq!(place(b"220 end\r\n", open), Place::Last(*b"220"));
        assert_eq!(place(b"\r\n", None), Place::Within);
    }
}
