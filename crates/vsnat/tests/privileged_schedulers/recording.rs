//! One recording: the commands, what the client did, which server each
//! connection reached, and the kernel's table afterwards.

use std::net::{Ipv4Addr, SocketAddrV4};

use vsnat_lab::{VIP, server_address};

/// How the recorded client treated its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each is closed, by the client first, before the next opens.
    Sequence,
    /// All stay open.
    Hold,
    /// The first, third, fifth and so on stay open.
    Alternate,
    /// A datagram each, from a socket of its own.
    Datagrams,
}

/// Where a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Server(u8),
    Refused,
}

/// A real server in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub server: SocketAddrV4,
    pub weight: u32,
    pub active: u32,
    pub inactive: u32,
}

#[derive(Debug)]
pub struct Recording {
    /// ipvsadm's arguments, with this cluster's addresses.
    pub commands: Vec<String>,
    /// As ipvsadm names it, such as `-t 192.168.28.167:2001`.
    pub service: String,
    pub address: SocketAddrV4,
    pub mode: Mode,
    pub order: Vec<Outcome>,
    /// Newest server first, as the kernel keeps them.
    pub rows: Vec<Row>,
}

impl Recording {
    pub fn parse(text: &str) -> Self {
        let commands: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("$ ipvsadm "))
            .map(translate)
            .collect();
        let words: Vec<&str> = commands[0].split_whitespace().collect();
        let order = text.lines().find_map(|line| line.strip_prefix("order: "));
        let rows = text.lines().filter(|line| line.starts_with("  -> "));
        Recording {
            service: words[1..3].join(" "),
            address: words[2].parse().unwrap(),
            mode: mode(text),
            order: order.unwrap().split_whitespace().map(outcome).collect(),
            rows: rows.map(row).collect(),
            commands,
        }
    }
}

fn mode(text: &str) -> Mode {
    let (_, rest) = text.split_once("mode=").unwrap();
    match rest.split_whitespace().next().unwrap() {
        "seq" => Mode::Sequence,
        "hold" => Mode::Hold,
        "alt" => Mode::Alternate,
        "udp" => Mode::Datagrams,
        other => panic!("unknown mode {other}"),
    }
}

fn outcome(word: &str) -> Outcome {
    match word {
        "ConnectionRefusedError(111)" => Outcome::Refused,
        number => Outcome::Server(number.parse().unwrap()),
    }
}

/// `-> 0A00020E:0050  Masq  4  10  0`
fn row(line: &str) -> Row {
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[2], "Masq");
    let (address, port) = words[1].split_once(':').unwrap();
    let address = Ipv4Addr::from(u32::from_str_radix(address, 16).unwrap());
    let port = u16::from_str_radix(port, 16).unwrap();
    let [weight, active, inactive] = [3, 4, 5].map(|word: usize| words[word].parse().unwrap());
    Row {
        server: SocketAddrV4::new(here(address), port),
        weight,
        active,
        inactive,
    }
}

fn translate(arguments: &str) -> String {
    let words = arguments.split_whitespace().map(|word| {
        let address: Result<SocketAddrV4, _> = word.parse();
        match address {
            Ok(address) => SocketAddrV4::new(here(*address.ip()), address.port()).to_string(),
            Err(_) => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The recorded network was 10.0.1.0/24 with the VIP, and servers 10.0.2.11-14.
fn here(recorded: Ipv4Addr) -> Ipv4Addr {
    match recorded.octets() {
        [10, 0, 1, 100] => VIP,
        [10, 0, 2, last @ 11..=14] => server_address(last - 10),
        _ => panic!("{recorded} has no counterpart here"),
    }
}
