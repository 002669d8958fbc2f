//! One recording: the commands, what the client did, which server each
//! connection reached, and the kernel's table afterwards.

use std::net::{Ipv4Addr, SocketAddrV4};

/// The recorded network had four servers.
pub const SERVERS: u8 = 4;

pub fn server_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 2, 10 + number)
}

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

/// A connection that the recorded client asked for.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub client: Ipv4Addr,
    pub target: SocketAddrV4,
}

#[derive(Debug)]
pub struct Recording {
    /// Rules that mark packets, as arguments of the executable.
    pub marks: Vec<String>,
    /// ipvsadm's arguments.
    pub commands: Vec<String>,
    /// As ipvsadm names it, such as `-t 10.0.1.100:2001`.
    pub service: String,
    pub scheduler: String,
    pub mode: Mode,
    pub attempts: Vec<Attempt>,
    pub order: Vec<Outcome>,
    /// Newest server first, as the kernel keeps them.
    pub rows: Vec<Row>,
}

impl Recording {
    pub fn parse(text: &str) -> Self {
        let run = |program: &str| {
            let prefix = format!("$ {program} ");
            let lines = text.lines().filter_map(move |line| {
                line.strip_prefix(&prefix)
                    .map(|rest| rest.trim().to_owned())
            });
            lines.collect::<Vec<String>>()
        };
        let commands = run("ipvsadm");
        let words: Vec<&str> = commands[0].split_whitespace().collect();
        let order = text.lines().find_map(|line| line.strip_prefix("order: "));
        let rows = text.lines().filter(|line| line.starts_with("  -> "));
        Recording {
            marks: run("iptables").iter().map(|rule| mark(rule)).collect(),
            service: words[1..3].join(" "),
            scheduler: words[4].to_owned(),
            mode: mode(text),
            attempts: text.lines().filter_map(attempt).collect(),
            order: order.unwrap().split_whitespace().map(outcome).collect(),
            rows: rows.map(row).collect(),
            commands,
        }
    }

    /// Whether chance decided: another run gives another order.
    pub fn is_random(&self) -> bool {
        self.scheduler == "twos"
    }
}

/// The recorded director marked by `-p tcp --dport PORT -j MARK --set-mark MARK`.
fn mark(rule: &str) -> String {
    let words: Vec<&str> = rule.split_whitespace().collect();
    let after = |option: &str| {
        let place = words.iter().position(|word| *word == option);
        words[place.unwrap() + 1]
    };
    let (mark, protocol, port) = (after("--set-mark"), after("-p"), after("--dport"));
    format!("mark add --mark {mark} --protocol {protocol} --ports {port}")
}

/// `1 10.0.1.10:36005 10.0.3.1:2079 rs3`
fn attempt(line: &str) -> Option<Attempt> {
    let mut words = line.split_whitespace();
    words.next()?.parse::<u32>().ok()?;
    let client: SocketAddrV4 = words.next()?.parse().ok()?;
    Some(Attempt {
        client: *client.ip(),
        target: words.next()?.parse().ok()?,
    })
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
        server: SocketAddrV4::new(address, port),
        weight,
        active,
        inactive,
    }
}
