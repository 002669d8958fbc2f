//! The facts: from the kernel's files, `ip`, `nft` and `ethtool`, and from the
//! director. What cannot be found is left out.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use serde_json::Value;
use vsnat_api::{Protocol, ServiceKey, Services, Status};
use vsnat_director::host::{address, arp, link};
use vsnat_doctor::{
    Address, Conntrack, Facts, Interface, Kernel, Link, Memory, Neighbour, Server, Side, Switch,
    Transport, forward_chains,
};

use crate::check;
use crate::doctor::DoctorArgs;

/// Nobody disciplines the clock (adjtimex, STA_UNSYNC).
const UNSYNCHRONISED: i32 = 0x40;
/// An administrator's folders; a user's PATH may lack them.
const SYSTEM_FOLDERS: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

pub fn at(args: &DoctorArgs) -> anyhow::Result<Facts> {
    let client = args.target.client();
    let status = client.status().ok();
    let services = client.services().ok();
    let mut facts = Facts {
        kernel: kernel(),
        forwarding: switch("/proc/sys/net/ipv4/ip_forward"),
        conntrack: conntrack(),
        clock: clock(),
        ..Facts::default()
    };
    match (&status, &args.config) {
        (Some(status), _) => of_director(&mut facts, status),
        (None, Some(file)) => of_file(&mut facts, file)?,
        (None, None) => anyhow::bail!(
            "no director answers, so its interfaces are not known; start it (vsnat run), or give \
             its file with --config"
        ),
    }
    if let Some(services) = &services {
        of_services(&mut facts, services);
    }
    of_links(&mut facts)?;
    of_firewall(&mut facts);
    Ok(facts)
}

fn of_director(facts: &mut Facts, status: &Status) {
    for interface in &status.interfaces {
        let side = match interface.side {
            vsnat_api::Side::Outer => Side::Outer,
            vsnat_api::Side::Inner => Side::Inner,
        };
        let xdp = Switch::from(!interface.accelerated_by.is_empty());
        facts.interfaces.push(described(&interface.name, side, xdp));
    }
    facts.memory = memory(status);
}

fn of_file(facts: &mut Facts, file: &Path) -> anyhow::Result<()> {
    let config = check::read(file, "give the director's file with --config")?
        .context("the file has mistakes; mend them first")?;
    let outer = described(&config.outer, Side::Outer, Switch::Off);
    facts.interfaces.push(outer);
    for inner in &config.inner {
        facts
            .interfaces
            .push(described(inner, Side::Inner, Switch::Off));
    }
    Ok(())
}

/// Its link is filled in when all links are known.
fn described(name: &str, side: Side, xdp: Switch) -> Interface {
    Interface {
        name: name.to_owned(),
        side,
        link: Some(Link {
            mtu: 0,
            up: Switch::Off,
            forwarding: None,
            reverse_path_filter: None,
            xdp,
            strips_tags: None,
        }),
    }
}

fn of_services(facts: &mut Facts, services: &Services) {
    for service in &services.services {
        let key = service.spec.key;
        let Some((words, transport)) = words_of(&key) else {
            continue;
        };
        if let Some(vip) = vip_of(&key)
            && !facts.vips.contains(&vip)
        {
            facts.vips.push(vip);
        }
        for view in &service.servers {
            let address: Result<SocketAddr, _> = view.spec.address.to_string().parse();
            let Ok(SocketAddr::V4(address)) = address else {
                continue;
            };
            facts.servers.push(Server {
                service: words.clone(),
                transport,
                address,
                weight: view.spec.weight.get(),
                in_packets: view.counters.in_packets,
                out_packets: view.counters.out_packets,
                in_rate: view.rates.in_packets,
                out_rate: view.rates.out_packets,
                leaves_by: route_to(*address.ip()),
                neighbour: neighbour(*address.ip()),
            });
        }
    }
}

/// A service in ipvsadm's words.
fn words_of(key: &ServiceKey) -> Option<(String, Option<Transport>)> {
    let address = key.address();
    let (option, transport) = match key.protocol() {
        Some(Protocol::Tcp) => ("-t", Some(Transport::Tcp)),
        Some(Protocol::Udp) => ("-u", Some(Transport::Udp)),
        Some(Protocol::Sctp) => ("--sctp-service", Some(Transport::Sctp)),
        None => return None,
    };
    Some((format!("{option} {}", address?), transport))
}

fn vip_of(key: &ServiceKey) -> Option<Ipv4Addr> {
    key.address()?.ip().to_string().parse().ok()
}

fn of_links(facts: &mut Facts) -> anyhow::Result<()> {
    let links = json("ip", &["-json", "link", "show"]).context("cannot list the interfaces")?;
    for interface in &mut facts.interfaces {
        let found = links.as_array().into_iter().flatten();
        let mut found = found.filter(|link| link["ifname"] == interface.name.as_str());
        interface.link = match (found.next(), &interface.link) {
            (Some(link), Some(described)) => Some(filled(&interface.name, link, described)),
            (Some(_) | None, _) => None,
        };
    }
    let addresses = address::all().context("cannot list the addresses")?;
    facts.addresses = addresses
        .into_iter()
        .filter_map(|found| {
            Some(Address {
                network: found.ipv4()?,
                interface: found.interface,
            })
        })
        .collect();
    of_outer_link(facts);
    Ok(())
}

fn filled(name: &str, link: &Value, described: &Link) -> Link {
    let flags = link["flags"].as_array();
    let is_up = flags.is_some_and(|flags| flags.iter().any(|flag| flag == "UP"));
    let conf = |which: &str, what: &str| number(&format!("/proc/sys/net/ipv4/conf/{which}/{what}"));
    let filters = [conf(name, "rp_filter"), conf("all", "rp_filter")];
    Link {
        mtu: link["mtu"].as_u64().unwrap_or_default() as u32,
        up: Switch::from(is_up),
        forwarding: conf(name, "forwarding").map(|value| Switch::from(value != 0)),
        reverse_path_filter: filters.into_iter().flatten().max().map(|v| v as u32),
        strips_tags: match described.xdp {
            Switch::On => strips_tags(name),
            Switch::Off => None,
        },
        xdp: described.xdp,
    }
}

/// Asks on the outer link who else has a VIP.
fn of_outer_link(facts: &mut Facts) {
    let outer = facts.interfaces.iter().find(|i| i.side == Side::Outer);
    let (Some(outer), Ok(links)) = (outer, link::all()) else {
        return;
    };
    let link = links.iter().find(|link| link.name == outer.name);
    let Some(link) = link.filter(|link| link.is_running()) else {
        return;
    };
    // Without the right to ask, nothing is known.
    let owners = arp::probe(link, &facts.vips).unwrap_or_default();
    let shown = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
    facts.foreign_vips = owners
        .into_iter()
        .map(|(vip, mac)| (vip, shown(mac)))
        .collect();
}

fn of_firewall(facts: &mut Facts) {
    if let Some(ruleset) = json("nft", &["--json", "list", "ruleset"]) {
        facts.chains = forward_chains(&ruleset);
    }
}

fn route_to(server: Ipv4Addr) -> Option<String> {
    let routes = json("ip", &["-json", "route", "get", &server.to_string()])?;
    Some(routes[0]["dev"].as_str()?.to_owned())
}

fn neighbour(server: Ipv4Addr) -> Neighbour {
    let asked = json("ip", &["-json", "neigh", "show", &server.to_string()]);
    let states = asked.map(|asked| asked[0]["state"].clone());
    let has = |wanted: &[&str]| {
        let states = states.as_ref().and_then(Value::as_array);
        states.is_some_and(|states| states.iter().any(|s| wanted.iter().any(|w| s == w)))
    };
    if has(&["FAILED", "INCOMPLETE"]) {
        Neighbour::Silent
    } else if has(&["REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT"]) {
        Neighbour::Known
    } else {
        Neighbour::Unknown
    }
}

fn strips_tags(interface: &str) -> Option<Switch> {
    let features = run("ethtool", &["-k", interface])?;
    let line = features
        .lines()
        .find_map(|line| line.trim().strip_prefix("rx-vlan-offload: "))?;
    Some(Switch::from(line.starts_with("on")))
}

fn kernel() -> Kernel {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Kernel {
        release: release.trim().to_owned(),
        types: Some(Switch::from(Path::new("/sys/kernel/btf/vmlinux").exists())),
        jit: switch("/proc/sys/net/core/bpf_jit_enable"),
    }
}

fn conntrack() -> Option<Conntrack> {
    Some(Conntrack {
        entries: number("/proc/sys/net/netfilter/nf_conntrack_count")?,
        limit: number("/proc/sys/net/netfilter/nf_conntrack_max")?,
    })
}

fn clock() -> Option<Switch> {
    // SAFETY: all zero is a valid question that changes nothing.
    let mut question: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes into the record that it is given.
    let answer = unsafe { libc::adjtimex(&raw mut question) };
    (answer >= 0).then(|| Switch::from(question.status & UNSYNCHRONISED == 0))
}

/// `None` where there is no limit.
fn memory(status: &Status) -> Option<Memory> {
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", status.pid)).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let file = format!("/sys/fs/cgroup{}/memory.max", group.trim_end_matches('/'));
    Some(Memory {
        limit_bytes: number(&file)?,
        needed_bytes: status.memory_bytes,
        file,
    })
}

fn switch(file: &str) -> Option<Switch> {
    number(file).map(|value| Switch::from(value != 0))
}

fn number(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn json(tool: &str, words: &[&str]) -> Option<Value> {
    serde_json::from_str(&run(tool, words)?).ok()
}

/// What a tool prints; nothing where it is missing or refuses.
fn run(tool: &str, words: &[&str]) -> Option<String> {
    let mut path = std::env::var("PATH").unwrap_or_default();
    path = format!("{path}:{SYSTEM_FOLDERS}");
    let output = Command::new(tool)
        .args(words)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let is_done = output.status.success();
    is_done.then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
