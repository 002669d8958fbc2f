//! The director's file, with a word on everything in it.

use std::fmt::Write;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::answers::{Answers, ServicePort};
use super::found::Found;

/// A network of this prefix or longer has no room for a pool.
const LEAST_ROOM: u8 = 30;

/// The most addresses that a pool suggests.
const LARGEST_POOL: u32 = 1_000;

/// Where the keys are explained.
const HEAD: &str = "\
# A director of virtual servers. Every key is explained in docs/config.md.
# After a change: vsnat check FILE, then systemctl restart vsnat, which costs no connection.

";

pub fn text(answers: &Answers, found: &Found) -> String {
    let mut text = HEAD.to_owned();
    director(&mut text, answers);
    for vip in &answers.vips {
        for service in &answers.services {
            one_service(&mut text, vip.addr(), *service, &answers.servers);
        }
    }
    if answers.services.is_empty() {
        text += "# Services can be added while the director runs, by ipvsadm, or here:\n\
                 # [[service]]\n# protocol = \"tcp\"\n# address = \"VIP:80\"\n\n";
    }
    match answers.dhcp {
        true => dhcp(&mut text, answers, found),
        false => {
            text += "# The real servers' default gateway must be this machine. With [dhcp] it is \
                     given to\n# them with their addresses; see docs/dhcp.md.\n";
        }
    }
    text
}

// Writing to a String cannot fail.
fn director(text: &mut String, answers: &Answers) {
    let vips: Vec<String> = answers.vips.iter().map(Ipv4Net::to_string).collect();
    let _ = write!(
        text,
        "[director]\n\
         # The interface towards the clients.\n\
         outer = {:?}\n\
         # The interfaces towards the real servers. Each keeps its own address.\n\
         inner = {:?}\n\
         # The addresses of the services, put on the outer interface where they are not there yet.\n\
         vips = {vips:?}\n\
         # The real servers' own traffic leaves by this machine's address.\n\
         masquerade = true\n\
         # Sources whose service traffic is refused, like \"198.51.100.0/24\".\n\
         deny = []\n\n",
        answers.outer, answers.inner
    );
}

fn one_service(text: &mut String, vip: Ipv4Addr, service: ServicePort, servers: &[Ipv4Addr]) {
    let ServicePort { port, .. } = service;
    let protocol = service.word();
    let _ = write!(
        text,
        "[[service]]\nname = \"{protocol}-{port}-{vip}\"\nprotocol = \"{protocol}\"\n\
         address = \"{vip}:{port}\"\n\
         # The server with the fewest connections for its weight gets the next one.\n\
         scheduler = \"wlc\"\n\n"
    );
    for server in servers {
        let _ = write!(
            text,
            "[[service.server]]\naddress = \"{server}\"\nweight = 1\n\n"
        );
    }
    if servers.is_empty() {
        *text += "# [[service.server]]\n# address = \"10.0.100.11\"\n# weight = 1\n\n";
    }
}

fn dhcp(text: &mut String, answers: &Answers, found: &Found) {
    *text += "# Addresses for the real servers, with this machine as their gateway.\n[dhcp]\n\
              lease_time = \"1h\"\n# dns = [\"10.0.100.2\"]\n\n";
    let networks = answers.inner.iter();
    let networks = networks.flat_map(|inner| found.networks_of(inner));
    let mut known: Vec<Ipv4Net> = networks.filter(|n| n.prefix_len() < LEAST_ROOM).collect();
    if known.is_empty() {
        // The file is complete but for the address, which `init` asks for.
        known.push(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 100, 0), 24));
    }
    for network in known {
        let (first, last) = pool(network);
        let _ = write!(
            text,
            "[[dhcp.network]]\nnetwork = \"{network}\"\npools = [\"{first}-{last}\"]\n\n"
        );
    }
    let tcp = |service: &&ServicePort| service.word() == "tcp";
    let name = match (answers.vips.first(), answers.services.iter().find(tcp)) {
        (Some(vip), Some(service)) => format!("tcp-{}-{}", service.port, vip.addr()),
        (None, _) | (_, None) => "web".to_owned(),
    };
    let _ = write!(
        text,
        "# A machine that is to keep its address:\n\
         # [[dhcp.reservation]]\n# mac = \"52:54:00:12:34:56\"\n# address = \"10.0.100.11\"\n\n\
         # Machines that become servers of a service by themselves, once they answer:\n\
         # [[dhcp.enrol]]\n# host_name = \"web-*\"\n# service = \"{name}\"\n"
    );
}

/// The upper half of a network, or the first thousand of it.
fn pool(network: Ipv4Net) -> (Ipv4Addr, Ipv4Addr) {
    let (low, high) = (u32::from(network.network()), u32::from(network.broadcast()));
    let first = low + (high - low) / 2 + 1;
    let last = (high - 1).min(first + LARGEST_POOL - 1);
    (Ipv4Addr::from(first), Ipv4Addr::from(last))
}

#[cfg(test)]
mod tests {
    use vsnat_director::host::address::InterfaceAddress;

    use super::*;

    fn answers() -> Answers {
        Answers {
            outer: "eth0".to_owned(),
            inner: vec!["eth1".to_owned()],
            vips: vec!["203.0.113.10/24".parse().unwrap()],
            services: vec!["80".parse().unwrap(), "udp:53".parse().unwrap()],
            servers: vec![Ipv4Addr::new(10, 0, 100, 11)],
            dhcp: false,
        }
    }

    #[test]
    fn every_combination_is_valid() {
        let found = Found {
            addresses: vec![InterfaceAddress {
                interface: "eth1".to_owned(),
                address: "10.0.100.1/24".parse().unwrap(),
            }],
            ..Found::default()
        };
        for found in [found, Found::default()] {
            for dhcp in [true, false] {
                for services in [answers().services, Vec::new()] {
                    for servers in [answers().servers, Vec::new()] {
                        let answers = Answers {
                            dhcp,
                            services: services.clone(),
                            servers,
                            ..answers()
                        };
                        let text = text(&answers, &found);
                        let config = vsnat_config::parse("init", &text);
                        let config = config.unwrap_or_else(|m| panic!("{m}\n{text}"));
                        assert_eq!(config.services.len(), answers.services.len());
                        assert_eq!(config.dhcp.is_some(), dhcp);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_commented_out_is_valid_too() {
        let dhcp = true;
        let text = text(&Answers { dhcp, ..answers() }, &Found::default());
        let prose = |line: &&str| line.starts_with("# ") && !line.contains(['=', '[']);
        let lines = text.lines().filter(|line| !prose(line));
        // Those with an equals sign that are prose begin with a capital letter.
        let lines = lines.filter(|line| {
            !line
                .trim_start_matches("# ")
                .starts_with(char::is_uppercase)
        });
        let uncommented: Vec<&str> = lines.map(|line| line.trim_start_matches("# ")).collect();
        let uncommented = uncommented.join("\n");
        let parsed = vsnat_config::parse("init", &uncommented);
        let config = parsed.unwrap_or_else(|m| panic!("{m}\n{uncommented}"));
        assert_eq!(config.dhcp.unwrap().enrolments.len(), 1);
    }

    #[test]
    fn pools_lie_within() {
        let pool = |net: &str| {
            let (first, last) = pool(net.parse().unwrap());
            format!("{first}-{last}")
        };
        assert_eq!(pool("10.0.100.0/24"), "10.0.100.128-10.0.100.254");
        assert_eq!(pool("10.0.100.0/29"), "10.0.100.4-10.0.100.6");
        assert_eq!(pool("10.0.0.0/8"), "10.128.0.0-10.128.3.231");
    }
}
