//! Reading what was recorded of a real IPVS: the commands, the connections and
//! the table afterwards.

use std::net::SocketAddrV4;

use vsnat_api::{
    Command, Mark, MarkRule, PortRange, Protocol, SchedulerFlags, ServerSpec, ServiceKey,
    ServiceSpec, Weight,
};

/// What a recording says.
pub struct Recording {
    pub commands: Vec<Command>,
    pub service: ServiceKey,
    pub mode: Mode,
    /// Client and virtual address of each connection, in their order.
    pub connections: Vec<(SocketAddrV4, SocketAddrV4)>,
    /// Server of each connection; `None` where it was refused.
    pub order: Vec<Option<usize>>,
    /// Active and inactive connections of each server, newest first.
    pub counts: Vec<(u32, u32)>,
    pub counted: Counted,
}

/// When the table was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// While the connections were as the client left them.
    RightAfter,
    /// When the client had ended: nothing was active any more.
    AtTheEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each is closed before the next opens.
    Sequential,
    /// All stay open.
    Hold,
    /// Every second one is closed.
    Alternate,
    /// One datagram each.
    Datagram,
}

pub fn parse(text: &str) -> Recording {
    let lines = || text.lines();
    let typed: Vec<Vec<&str>> = lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let added = typed.iter().find(|words| words[1] == "-A").unwrap();
    let service = service_key(added);
    let mode = lines().find_map(|line| line.split_once("mode=")).unwrap().1;
    let order = lines()
        .find_map(|line| line.strip_prefix("order: "))
        .unwrap();
    Recording {
        commands: typed.iter().map(|words| command(words)).collect(),
        service,
        mode: match mode.split_whitespace().next().unwrap() {
            "seq" => Mode::Sequential,
            "hold" => Mode::Hold,
            "alt" => Mode::Alternate,
            "udp" => Mode::Datagram,
            other => panic!("unknown mode {other}"),
        },
        connections: lines().filter_map(connection).collect(),
        order: order
            .split_whitespace()
            .map(|server| server.parse().ok())
            .collect(),
        counts: lines().filter_map(counts).collect(),
        counted: match text.contains("after the client had ended") {
            true => Counted::AtTheEnd,
            false => Counted::RightAfter,
        },
    }
}

fn service_key(words: &[&str]) -> ServiceKey {
    let protocol = match words[2] {
        "-t" => Protocol::Tcp,
        "-u" => Protocol::Udp,
        "-f" => {
            let mark = Mark::new(words[3].parse().unwrap()).unwrap();
            return ServiceKey::Mark { mark };
        }
        other => panic!("unknown service {other}"),
    };
    let address = words[3].parse().unwrap();
    ServiceKey::Address { protocol, address }
}

fn value<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == option)?;
    words.get(at + 1).copied()
}

fn command(words: &[&str]) -> Command {
    if words[0].starts_with("iptables") {
        return Command::MarkAdd(mark_rule(words));
    }
    let service = service_key(words);
    match words[1] {
        "-A" => Command::AddService(ServiceSpec {
            flags: flags(words),
            ..ServiceSpec::new(service, value(words, "-s").unwrap().parse().unwrap())
        }),
        "-a" => Command::AddServer {
            service,
            server: server(words),
        },
        "-e" => Command::EditServer {
            service,
            server: server(words),
        },
        "-d" => Command::DeleteServer {
            service,
            address: value(words, "-r").unwrap().parse().unwrap(),
        },
        other => panic!("unknown command {other}"),
    }
}

/// Netfilter's marks of a whole port, which our own rules stand for.
fn mark_rule(words: &[&str]) -> MarkRule {
    let port = value(words, "--dport").unwrap().parse().unwrap();
    MarkRule {
        mark: Mark::new(value(words, "--set-mark").unwrap().parse().unwrap()).unwrap(),
        protocol: match value(words, "-p").unwrap() {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            other => panic!("unknown protocol {other}"),
        },
        source: None,
        destination: None,
        ports: vec![PortRange::new(port, port).unwrap()],
        interface: None,
    }
}

fn server(words: &[&str]) -> ServerSpec {
    let threshold = |option| value(words, option).map_or(0, |number| number.parse().unwrap());
    let weight = value(words, "-w").unwrap().parse().unwrap();
    ServerSpec {
        upper_threshold: threshold("-x"),
        lower_threshold: threshold("-y"),
        ..ServerSpec::new(
            value(words, "-r")
                .unwrap()
                .parse::<std::net::SocketAddr>()
                .unwrap(),
            Weight::new(weight).unwrap(),
        )
    }
}

fn flags(words: &[&str]) -> SchedulerFlags {
    let flag = |name: &str| match name {
        "sh-fallback" | "mh-fallback" => SchedulerFlags::FALLBACK,
        "sh-port" | "mh-port" => SchedulerFlags::PORT,
        other => panic!("unknown flag {other}"),
    };
    let names = value(words, "-b").unwrap_or_default().split(',');
    let names = names.filter(|name| !name.is_empty()).map(flag);
    names.fold(SchedulerFlags::default(), SchedulerFlags::with)
}

/// `index client virtual server`
fn connection(line: &str) -> Option<(SocketAddrV4, SocketAddrV4)> {
    let mut words = line.split_whitespace();
    words.next()?.parse::<u32>().ok()?;
    let client = words.next()?.parse().ok()?;
    Some((client, words.next()?.parse().ok()?))
}

/// `  -> address Masq weight active inactive`
fn counts(line: &str) -> Option<(u32, u32)> {
    let words: Vec<&str> = line.trim().strip_prefix("->")?.split_whitespace().collect();
    Some((words[3].parse().ok()?, words[4].parse().ok()?))
}
