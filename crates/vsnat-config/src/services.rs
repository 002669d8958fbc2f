//! `[[service]]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Range, RangeInclusive};

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;
use vsnat_api::{
    Helper, MssClamp, Protocol, Scheduler, SchedulerFlags, Segment, ServiceKey, ServiceSpec, Source,
};

use crate::mistake::Notes;
use crate::persistence::{self, Asked};
use crate::section::{Section, kind};
use crate::suggest::nearest;
use crate::{DesiredService, Limits, address, marks, protocol, servers};

const KEYS: [&str; 12] = [
    "name",
    "protocol",
    "address",
    "mark",
    "scheduler",
    "scheduler_flags",
    "persistence",
    "one_packet",
    "helper",
    "mss_clamp",
    "source",
    "server",
];

/// What services are checked against. Without VIPs (their section was wrong)
/// nothing is said about addresses.
pub(crate) struct Context<'v> {
    pub vips: Option<&'v [IpNet]>,
}

pub(crate) fn read(
    sections: &[Section],
    vips: Option<&[IpNet]>,
    limits: Limits,
    notes: &mut Notes,
) -> Vec<DesiredService> {
    let context = Context {
        vips: vips.filter(|vips| !vips.is_empty()),
    };
    let mut seen = BTreeMap::new();
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

/// The services that have a name; none when one of them was wrong, since it may
/// be the one that is meant elsewhere.
pub(crate) fn names(
    sections: &[Section],
    services: &[DesiredService],
    notes: &mut Notes,
) -> Option<BTreeMap<String, ServiceKey>> {
    if sections.len() != services.len() {
        return None;
    }
    let mut names = BTreeMap::new();
    for (section, service) in sections.iter().zip(services) {
        let Some(name) = section.text("name", notes) else {
            continue;
        };
        let before = names.insert((*name.get_ref()).to_owned(), service.spec.key);
        if let Some(before) = before {
            let message = format!("{before} has this name already; give each service its own");
            notes.add(name.span(), message);
        }
    }
    Some(names)
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
    seen: &mut BTreeMap<ServiceKey, Range<usize>>,
    notes: &mut Notes,
) -> Option<DesiredService> {
    section.check_keys(&KEYS, notes);
    let key = key(section, context, notes);
    let scheduler = scheduler(section, notes);
    let flags = scheduler.and_then(|scheduler| scheduler_flags(section, scheduler, notes));
    let persistence = persistence::read(section, notes);
    let one_packet = one_packet(section, notes);
    let helper = helper(section, notes);
    let mss_clamp = mss_clamp(section, notes);
    let source = source(section, notes);
    // A mark leaves the port as it is.
    let port = key.as_ref().map(|key| {
        let address = key.get_ref().address();
        address.map_or(0, |address| address.port())
    });
    let servers = servers::read(section, port, context, notes);

    let (key, span) = key.map(|key| (*key.get_ref(), key.span()))?;
    if let Some(first) = seen.get(&key) {
        let line = notes.line(first);
        let message =
            format!("service {key} is there already, on line {line}; put its servers together");
        notes.add(span, message);
        return None;
    }
    seen.insert(key, span.clone());
    check_port(key, &persistence, span, notes);
    check_mask(section, key, &persistence, notes);
    check_one_packet(section, key, one_packet?, notes);
    let spec = ServiceSpec {
        key,
        scheduler: scheduler?,
        flags: flags?,
        persistence: match persistence {
            Asked::For(persistence) => Some(persistence),
            Asked::Nothing | Asked::Wrong => None,
        },
        one_packet: one_packet?,
        helper: helper?,
        mss_clamp: mss_clamp?,
        source: source?,
    };
    check_helper(section, &spec, notes);
    Some(DesiredService { spec, servers })
}

fn check_port(key: ServiceKey, persistence: &Asked, span: Range<usize>, notes: &mut Notes) {
    let is_any_port = key.address().is_some_and(|address| address.port() == 0);
    if is_any_port && matches!(persistence, Asked::Nothing) {
        let message = "port 0 stands for all ports, and such a service must keep its clients \
                       together: add persistence = \"5m\", or give a port from 1 to 65535";
        notes.add(span, message);
    }
}

/// Services by mark are for clients of IPv4.
fn check_mask(section: &Section, key: ServiceKey, persistence: &Asked, notes: &mut Notes) {
    let Asked::For(persistence) = persistence else {
        return;
    };
    let (address, whose) = match key.address().map(|address| address.ip()) {
        Some(address) => (address, address.to_string()),
        None => (Ipv4Addr::UNSPECIFIED.into(), "a service by mark".to_owned()),
    };
    let Some(value) = section.value("persistence") else {
        return;
    };
    if !persistence.fits(address) {
        let like = match address {
            IpAddr::V4(_) => "like \"255.255.255.0\"",
            IpAddr::V6(_) => "the length of a prefix like \"64\"",
        };
        let message = format!("the netmask is of the other family; for {whose} write {like}");
        notes.add(value.span(), message);
    }
}

fn check_one_packet(section: &Section, key: ServiceKey, one_packet: bool, notes: &mut Notes) {
    let Some(value) = section.value("one_packet") else {
        return;
    };
    if one_packet && matches!(key.protocol(), Some(Protocol::Tcp | Protocol::Sctp)) {
        let message = "one_packet needs protocol = \"udp\" or a mark; remove it";
        notes.add(value.span(), message);
    }
}

fn check_helper(section: &Section, spec: &ServiceSpec, notes: &mut Notes) {
    if let Some(value) = section.value("helper")
        && !spec.may_be_helped()
    {
        let message = "helper = \"ftp\" needs protocol = \"tcp\" and an address with a port; \
                       remove it, or a source = \"director\" beside it";
        notes.add(value.span(), message);
    }
}

/// By what a service is found, where it is written.
fn key(section: &Section, context: &Context, notes: &mut Notes) -> Option<Spanned<ServiceKey>> {
    let Some(mark) = section.value("mark") else {
        return address_key(section, context, notes);
    };
    for key in ["address", "protocol"] {
        if let Some(value) = section.value(key) {
            let message = format!(
                "a service by mark has no {key}: the rules under [[mark]] choose its packets; \
                 remove the one or the other"
            );
            notes.add(value.span(), message);
        }
    }
    let span = mark.span();
    let mark = marks::mark(section, notes)?;
    Some(Spanned::new(span, ServiceKey::Mark { mark }))
}

fn address_key(
    section: &Section,
    context: &Context,
    notes: &mut Notes,
) -> Option<Spanned<ServiceKey>> {
    let protocol = protocol(section, notes);
    let address = service_address(section, context, notes)?;
    let key = ServiceKey::Address {
        protocol: protocol?,
        address: *address.get_ref(),
    };
    Some(Spanned::new(address.span(), key))
}

fn protocol(section: &Section, notes: &mut Notes) -> Option<Protocol> {
    if section.value("protocol").is_none() {
        section.missing("protocol", "\"tcp\", \"udp\" or \"sctp\"", notes);
        return None;
    }
    let text = section.text("protocol", notes)?;
    protocol::read(&text, notes)
}

fn one_packet(section: &Section, notes: &mut Notes) -> Option<bool> {
    let Some(value) = section.value("one_packet") else {
        return Some(false);
    };
    let DeValue::Boolean(one_packet) = value.get_ref() else {
        let found = kind(value.get_ref());
        let message = format!("one_packet must be true or false, not {found}");
        notes.add(value.span(), message);
        return None;
    };
    Some(*one_packet)
}

/// Nothing is a helper too: none.
fn helper(section: &Section, notes: &mut Notes) -> Option<Option<Helper>> {
    if section.value("helper").is_none() {
        return Some(None);
    }
    let text = section.text("helper", notes)?;
    let found = Helper::ALL
        .into_iter()
        .find(|h| h.name() == *text.get_ref());
    if found.is_none() {
        let message = format!(
            "there is no helper \"{}\"; there is \"ftp\"",
            text.get_ref()
        );
        notes.add(text.span(), message);
        return None;
    }
    Some(found)
}

/// Bytes or the word for what the path takes; nothing is a choice too.
fn mss_clamp(section: &Section, notes: &mut Notes) -> Option<Option<MssClamp>> {
    let Some(value) = section.value("mss_clamp") else {
        return Some(None);
    };
    if let DeValue::String(text) = value.get_ref()
        && text.as_ref() == "path"
    {
        return Some(Some(MssClamp::Path));
    }
    if let DeValue::Integer(_) = value.get_ref() {
        let bytes = section.number("mss_clamp", SEGMENTS, notes)?;
        let segment = u16::try_from(bytes).ok().and_then(Segment::new)?;
        return Some(Some(MssClamp::To(segment)));
    }
    let message = "mss_clamp must be \"path\", for what the links take, or a number of bytes \
                   like 1360";
    notes.add(value.span(), message);
    None
}

/// Segments that may be asked for.
const SEGMENTS: RangeInclusive<u32> = Segment::MIN as u32..=u16::MAX as u32;

/// Whose address servers see.
fn source(section: &Section, notes: &mut Notes) -> Option<Source> {
    if section.value("source").is_none() {
        return Some(Source::Client);
    }
    let text = section.text("source", notes)?;
    let found = Source::ALL
        .into_iter()
        .find(|source| source.name() == *text.get_ref());
    if found.is_none() {
        let message = format!(
            "source must be \"client\" or \"director\", not \"{}\"",
            text.get_ref()
        );
        notes.add(text.span(), message);
    }
    found
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
) -> Option<Spanned<SocketAddr>> {
    if section.value("address").is_none() {
        section.missing("address", "\"192.0.2.1:80\", a VIP and its port", notes);
        return None;
    }
    let text = section.text("address", notes)?;
    let address = match address::service_address(text.get_ref()) {
        Ok(address) => address,
        Err(message) => {
            notes.add(text.span(), message);
            return None;
        }
    };
    let is_vip = |vips: &[IpNet]| vips.iter().any(|vip| vip.addr() == address.ip());
    if !context.vips.is_none_or(is_vip) {
        let ip = address.ip();
        let message =
            format!("{ip} is no VIP of this director; add \"{ip}\" to vips under [director]");
        notes.add(text.span(), message);
    }
    Some(Spanned::new(text.span(), address))
}
