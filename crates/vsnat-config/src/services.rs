//! `[[service]]` and `[[service.server]]`.

use std::net::SocketAddrV4;
use std::ops::Range;

use ipnet::Ipv4Net;
use toml::Spanned;
use vsnat_api::{Protocol, Scheduler, SchedulerFlags, ServerSpec, ServiceKey, ServiceSpec, Weight};

use crate::mistake::Notes;
use crate::section::Section;
use crate::suggest::nearest;
use crate::{DesiredService, Limits, address};

const SERVER: &str = "[[service.server]]";

/// The packet path looks for the next server of a service in so many steps.
const MAX_SERVERS_OF_SERVICE: usize = 4_096;

/// What services are checked against. Without VIPs (their section was wrong)
/// nothing is said about addresses.
struct Context<'v> {
    vips: Option<&'v [Ipv4Net]>,
}

pub(crate) fn read(
    sections: &[Section],
    vips: Option<&[Ipv4Net]>,
    limits: Limits,
    notes: &mut Notes,
) -> Vec<DesiredService> {
    let context = Context {
        vips: vips.filter(|vips| !vips.is_empty()),
    };
    let mut seen: Vec<(ServiceKey, Range<usize>)> = Vec::new();
    let mut services = Vec::new();
    let mut server_count = 0;
    for (index, section) in sections.iter().enumerate() {
        if index == limits.services as usize {
            too_many(section, "services", limits.services, notes);
        }
        let Some(service) = service(section, &context, &mut seen, notes) else {
            continue;
        };
        let before = server_count;
        server_count += service.servers.len();
        let limit = limits.servers as usize;
        if before <= limit && server_count > limit {
            too_many(section, "servers", limits.servers, notes);
        }
        services.push(service);
    }
    services
}

fn too_many(section: &Section, what: &str, limit: u32, notes: &mut Notes) {
    let message =
        format!("here the file passes {limit} {what}; raise {what} under [limits] or remove some");
    notes.add(section.span(), message);
}

/// Names of the flags, as `sh` and `mh` understand them.
const FLAGS: [(&str, SchedulerFlags); 2] = [
    ("fallback", SchedulerFlags::FALLBACK),
    ("port", SchedulerFlags::PORT),
];

fn service(
    section: &Section,
    context: &Context,
    seen: &mut Vec<(ServiceKey, Range<usize>)>,
    notes: &mut Notes,
) -> Option<DesiredService> {
    section.check_keys(
        &[
            "protocol",
            "address",
            "scheduler",
            "scheduler_flags",
            "server",
        ],
        notes,
    );
    let protocol = protocol(section, notes);
    let scheduler = scheduler(section, notes);
    let address = service_address(section, context, notes);
    let port = address.as_ref().map(|a| a.get_ref().port());
    let servers = servers(section, port, context, notes);

    let address = address?;
    let key = ServiceKey {
        protocol: protocol?,
        address: *address.get_ref(),
    };
    if let Some((_, first)) = seen.iter().find(|(other, _)| *other == key) {
        let line = notes.line(first);
        let message =
            format!("service {key} is there already, on line {line}; put its servers together");
        notes.add(address.span(), message);
        return None;
    }
    seen.push((key, address.span()));
    let scheduler = scheduler?;
    let spec = ServiceSpec {
        key,
        scheduler,
        flags: scheduler_flags(section, scheduler, notes)?,
    };
    Some(DesiredService { spec, servers })
}

fn protocol(section: &Section, notes: &mut Notes) -> Option<Protocol> {
    if section.value("protocol").is_none() {
        section.missing("protocol", "\"tcp\" or \"udp\"", notes);
        return None;
    }
    let text = section.text("protocol", notes)?;
    match *text.get_ref() {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        other => {
            let message = format!("unknown protocol \"{other}\"; write \"tcp\" or \"udp\"");
            notes.add(text.span(), message);
            None
        }
    }
}

fn scheduler_flags(
    section: &Section,
    scheduler: Scheduler,
    notes: &mut Notes,
) -> Option<SchedulerFlags> {
    if section.value("scheduler_flags").is_none() {
        return Some(SchedulerFlags::default());
    }
    let mut flags = SchedulerFlags::default();
    for text in section.texts("scheduler_flags", notes)? {
        let named = FLAGS.iter().find(|(name, _)| name == text.get_ref());
        let Some((_, flag)) = named else {
            let message = format!(
                "unknown scheduler flag \"{}\"; known are fallback and port",
                text.get_ref()
            );
            notes.add(text.span(), message);
            return None;
        };
        if !matches!(scheduler, Scheduler::Sh | Scheduler::Mh) {
            let message = format!("{scheduler} has no flags; only sh and mh look at them");
            notes.add(text.span(), message);
            return None;
        }
        flags = flags.with(*flag);
    }
    Some(flags)
}

fn scheduler(section: &Section, notes: &mut Notes) -> Option<Scheduler> {
    if section.value("scheduler").is_none() {
        return Some(Scheduler::Wlc);
    }
    let text = section.text("scheduler", notes)?;
    match text.get_ref().parse() {
        Ok(scheduler) => Some(scheduler),
        Err(error) => {
            let names = Scheduler::ALL.map(Scheduler::name);
            let hint = match nearest(text.get_ref(), &names) {
                Some(near) => format!("; did you mean {near}?"),
                None => String::new(),
            };
            notes.add(text.span(), format!("{error}{hint}"));
            None
        }
    }
}

fn service_address(
    section: &Section,
    context: &Context,
    notes: &mut Notes,
) -> Option<Spanned<SocketAddrV4>> {
    if section.value("address").is_none() {
        section.missing("address", "\"192.0.2.1:80\", a VIP and its port", notes);
        return None;
    }
    let text = section.text("address", notes)?;
    let address = match address::socket_address(text.get_ref()) {
        Ok(address) => address,
        Err(message) => {
            notes.add(text.span(), message);
            return None;
        }
    };
    let is_vip = |vips: &[Ipv4Net]| vips.iter().any(|vip| vip.addr() == *address.ip());
    if !context.vips.is_none_or(is_vip) {
        let ip = address.ip();
        let message =
            format!("{ip} is no VIP of this director; add \"{ip}\" to vips under [director]");
        notes.add(text.span(), message);
    }
    Some(Spanned::new(text.span(), address))
}

fn servers(
    service: &Section,
    service_port: Option<u16>,
    context: &Context,
    notes: &mut Notes,
) -> Vec<ServerSpec> {
    let mut servers: Vec<Spanned<ServerSpec>> = Vec::new();
    for section in Section::all_of(service, SERVER, "server", notes) {
        section.check_keys(&["address", "weight"], notes);
        let weight = weight(&section, notes);
        let Some(address) = server_address(&section, service_port, context, notes) else {
            continue;
        };
        let (span, address) = (address.span(), address.into_inner());
        if servers.len() == MAX_SERVERS_OF_SERVICE {
            let message = format!(
                "a service has at most {MAX_SERVERS_OF_SERVICE} servers; remove this and the \
                 following, or divide them between services"
            );
            notes.add(span, message);
            break;
        }
        let same = |other: &&Spanned<ServerSpec>| other.get_ref().address == address;
        if let Some(first) = servers.iter().find(same) {
            let line = notes.line(&first.span());
            let message =
                format!("server {address} is there already, on line {line}; remove one of the two");
            notes.add(span, message);
            continue;
        }
        servers.push(Spanned::new(span, ServerSpec { address, weight }));
    }
    servers.into_iter().map(Spanned::into_inner).collect()
}

fn server_address(
    section: &Section,
    service_port: Option<u16>,
    context: &Context,
    notes: &mut Notes,
) -> Option<Spanned<SocketAddrV4>> {
    if section.value("address").is_none() {
        section.missing("address", "\"10.0.100.11:80\"", notes);
        return None;
    }
    let text = section.text("address", notes)?;
    let checked = address::address_and_port(text.get_ref()).and_then(|(address, port)| {
        address::unicast(address)?;
        Ok((address, port))
    });
    let (address, port) = match checked {
        Ok(checked) => checked,
        Err(message) => {
            notes.add(text.span(), message);
            return None;
        }
    };
    let is_vip = |vips: &[Ipv4Net]| vips.iter().any(|vip| vip.addr() == address);
    if context.vips.is_some_and(is_vip) {
        let message = format!("{address} is a VIP; a real server needs its own, private address");
        notes.add(text.span(), message);
        return None;
    }
    let port = port.or(service_port)?;
    Some(Spanned::new(text.span(), SocketAddrV4::new(address, port)))
}

fn weight(section: &Section, notes: &mut Notes) -> Weight {
    let Some(number) = section.integer("weight", notes) else {
        return Weight::ONE;
    };
    let weight = u32::try_from(*number.get_ref()).ok();
    match weight.and_then(|weight| Weight::new(weight).ok()) {
        Some(weight) => weight,
        None => {
            let message = format!(
                "weight must be from 0 (no new connections) to {}",
                Weight::MAX
            );
            notes.add(number.span(), message);
            Weight::ONE
        }
    }
}
