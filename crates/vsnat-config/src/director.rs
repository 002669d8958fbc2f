//! `[director]`: interfaces, VIPs, masquerade, the deny set and the way packets
//! are taken.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};
use toml::Spanned;
use toml::de::DeValue;
use vsnat_api::Attach;

use crate::address;
use crate::attach;
use crate::mistake::Notes;
use crate::section::{Section, kind};
use crate::{DirectorName, Masquerade, VipsInUse};

const KEYS: [&str; 8] = [
    "name",
    "outer",
    "inner",
    "vips",
    "force_vips",
    "masquerade",
    "deny",
    "attach",
];

/// Longest name of an interface: the kernel's IFNAMSIZ less its closing zero.
const MAX_INTERFACE_NAME: usize = 15;

/// What `[director]` says; the outer interface is absent when it was wrong.
pub(crate) struct Director {
    pub name: DirectorName,
    pub outer: Option<String>,
    pub inner: Vec<String>,
    pub vips: Vec<IpNet>,
    pub vips_in_use: VipsInUse,
    pub masquerade: Masquerade,
    pub deny: Vec<IpNet>,
    pub attach: BTreeMap<String, Attach>,
}

pub(crate) fn read(section: &Section, notes: &mut Notes) -> Option<Director> {
    section.check_keys(&KEYS, notes);
    let outer = outer(section, notes);
    let inner = inner(section, outer.as_deref(), notes);
    let interfaces: Vec<&String> = outer.iter().chain(&inner).collect();
    Some(Director {
        name: name(section, notes),
        attach: attach::read(section, &interfaces, notes),
        inner,
        outer,
        vips: vips(section, notes),
        vips_in_use: vips_in_use(section, notes),
        masquerade: masquerade(section, notes),
        deny: deny(section, notes),
    })
}

fn name(section: &Section, notes: &mut Notes) -> DirectorName {
    let Some(text) = section.text("name", notes) else {
        return DirectorName::default();
    };
    text.get_ref().parse().unwrap_or_else(|error| {
        notes.add(text.span(), format!("{error}"));
        DirectorName::default()
    })
}

fn outer(section: &Section, notes: &mut Notes) -> Option<String> {
    if section.value("outer").is_none() {
        section.missing(
            "outer",
            "\"eth0\", the interface towards the clients",
            notes,
        );
        return None;
    }
    let text = section.text("outer", notes)?;
    interface(&text, notes)
}

fn inner(section: &Section, outer: Option<&str>, notes: &mut Notes) -> Vec<String> {
    let Some(value) = section.value("inner") else {
        section.missing(
            "inner",
            "[\"eth1\"], the interfaces towards the real servers",
            notes,
        );
        return Vec::new();
    };
    let Some(texts) = section.texts("inner", notes) else {
        return Vec::new();
    };
    if texts.is_empty() {
        let message = "inner is empty; name the interface towards the real servers";
        notes.add(value.span(), message);
    }
    let mut names: Vec<String> = Vec::new();
    for text in texts {
        let Some(name) = interface(&text, notes) else {
            continue;
        };
        if outer == Some(name.as_str()) {
            let message = format!(
                "{name} is the outer interface too; real servers need an interface of their own"
            );
            notes.add(text.span(), message);
        } else if names.contains(&name) {
            notes.add(
                text.span(),
                format!("{name} is named twice; remove one of the two"),
            );
        } else {
            names.push(name);
        }
    }
    names
}

fn interface(text: &Spanned<&str>, notes: &mut Notes) -> Option<String> {
    let name = *text.get_ref();
    let odd = |c: char| c == '/' || c == ':' || c == '"' || c.is_whitespace() || c.is_control();
    let fits = (1..=MAX_INTERFACE_NAME).contains(&name.len());
    if !fits || name.contains(odd) || name == "." || name == ".." {
        let message = format!(
            "\"{name}\" cannot be an interface's name; `ip link` lists those of this machine"
        );
        notes.add(text.span(), message);
        return None;
    }
    Some(name.to_owned())
}

fn vips(section: &Section, notes: &mut Notes) -> Vec<IpNet> {
    let Some(value) = section.value("vips") else {
        section.missing(
            "vips",
            "[\"192.0.2.1/24\"], the addresses of the services",
            notes,
        );
        return Vec::new();
    };
    let Some(texts) = section.texts("vips", notes) else {
        return Vec::new();
    };
    if texts.is_empty() {
        notes.add(
            value.span(),
            "vips is empty; give the address of the services",
        );
    }
    let mut vips: Vec<IpNet> = Vec::new();
    for text in texts {
        match address::interface_address(text.get_ref()) {
            Err(message) => notes.add(text.span(), message),
            Ok(vip) if vips.iter().any(|v| v.addr() == vip.addr()) => notes.add(
                text.span(),
                format!("VIP {} is given twice; remove one of the two", vip.addr()),
            ),
            Ok(vip) => vips.push(vip),
        }
    }
    vips
}

fn vips_in_use(section: &Section, notes: &mut Notes) -> VipsInUse {
    let Some(value) = section.value("force_vips") else {
        return VipsInUse::Refuse;
    };
    match value.get_ref() {
        DeValue::Boolean(true) => VipsInUse::Take,
        DeValue::Boolean(false) => VipsInUse::Refuse,
        other => {
            let message = format!("force_vips must be true or false, not {}", kind(other));
            notes.add(value.span(), message);
            VipsInUse::Refuse
        }
    }
}

fn masquerade(section: &Section, notes: &mut Notes) -> Masquerade {
    let Some(value) = section.value("masquerade") else {
        return Masquerade::InnerNetworks;
    };
    match value.get_ref() {
        DeValue::Boolean(true) => Masquerade::InnerNetworks,
        DeValue::Boolean(false) => Masquerade::Off,
        DeValue::Array(_) => Masquerade::Networks(networks4(section, "masquerade", notes)),
        other => {
            let found = kind(other);
            notes.add(
                value.span(),
                format!("masquerade must be true, false or a list of networks, not {found}"),
            );
            Masquerade::Off
        }
    }
}

fn deny(section: &Section, notes: &mut Notes) -> Vec<IpNet> {
    if section.value("deny").is_none() {
        return Vec::new();
    }
    networks(section, "deny", notes)
}

/// The same where there is IPv4 only.
fn networks4(section: &Section, key: &str, notes: &mut Notes) -> Vec<Ipv4Net> {
    let mut kept = Vec::new();
    for network in networks(section, key, notes) {
        match (network, section.value(key)) {
            (IpNet::V4(network), _) => kept.push(network),
            (IpNet::V6(network), Some(value)) => notes.add(
                value.span(),
                format!("{key} lists networks of IPv4 only, and {network} is of IPv6; remove it"),
            ),
            (IpNet::V6(_), None) => {}
        }
    }
    kept
}

/// A list of networks of which none lies in another.
fn networks(section: &Section, key: &str, notes: &mut Notes) -> Vec<IpNet> {
    let mut kept: Vec<Spanned<IpNet>> = Vec::new();
    for text in section.texts(key, notes).unwrap_or_default() {
        let net = match address::network(text.get_ref()) {
            Ok(net) => net,
            Err(message) => {
                notes.add(text.span(), message);
                continue;
            }
        };
        if net.prefix_len() == 0 {
            let message = format!("{net} is every address there is; name the networks meant");
            notes.add(text.span(), message);
            continue;
        }
        let covers = |other: &IpNet| other.contains(&net) || net.contains(other);
        if let Some(other) = kept.iter().find(|other| covers(other.get_ref())) {
            let line = notes.line(&other.span());
            let other = other.get_ref();
            let message =
                format!("{net} and {other} (line {line}) overlap; keep the one that is meant");
            notes.add(text.span(), message);
            continue;
        }
        kept.push(Spanned::new(text.span(), net));
    }
    kept.into_iter().map(Spanned::into_inner).collect()
}
