//! A command as one readable line.

use std::fmt::Write;

use vsnat_api::{Command, Forwarding, ServerSpec, ServiceSpec, SetTimeouts, Source};

/// One readable line for a command, as a difference is shown.
pub fn describe(command: &Command) -> String {
    match command {
        Command::AddService(spec) => {
            format!("+ service {} {}{}", spec.key, spec.scheduler, manner(spec))
        }
        Command::EditService(spec) => format!(
            "~ service {} scheduler {}{}",
            spec.key,
            spec.scheduler,
            manner(spec)
        ),
        Command::DeleteService(key) => format!("- service {key}"),
        Command::Clear => "- all services".to_owned(),
        Command::AddServer { service, server } => format!("+ {} of {service}", share(server)),
        Command::EditServer { service, server } => format!("~ {} of {service}", share(server)),
        Command::DeleteServer { service, address } => format!("- server {address} of {service}"),
        Command::Zero(Some(key)) => format!("~ counters of {key} to zero"),
        Command::Zero(None) => "~ all counters to zero".to_owned(),
        Command::DenyAdd(prefix) => format!("+ deny {prefix}"),
        Command::DenyDelete(prefix) => format!("- deny {prefix}"),
        Command::SetTimeouts(timeouts) => format!("~ timeouts{}", spans(timeouts)),
        Command::Set(setting) => format!("~ setting {} {}", setting.name(), setting.value()),
        Command::MarkAdd(rule) => format!("+ rule {rule}"),
        Command::MarkDelete(rule) => format!("- rule {rule}"),
    }
}

/// What a service has beside its scheduler.
fn manner(spec: &ServiceSpec) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    if !spec.flags.is_empty() {
        let _ = write!(text, " ({})", spec.flags.names(spec.scheduler));
    }
    if let Some(persistence) = spec.persistence {
        let timeout_s = persistence.timeout_s;
        let _ = write!(text, " persistent {timeout_s} s");
        if persistence.netmask != vsnat_api::Persistence::EVERY_CLIENT {
            let _ = write!(text, " mask {}", persistence.netmask);
        }
    }
    if spec.one_packet {
        text += " one packet";
    }
    if let Some(helper) = spec.helper {
        let _ = write!(text, " helper {helper}");
    }
    if let Some(clamp) = spec.mss_clamp {
        let _ = write!(text, " MSS clamp {clamp}");
    }
    match spec.source {
        Source::Client => {}
        Source::Director => text += " source director",
    }
    text
}

fn share(server: &ServerSpec) -> String {
    let ServerSpec {
        address,
        forwarding,
        weight,
        upper_threshold,
        lower_threshold,
    } = server;
    let mut text = format!("server {address} weight {}", weight.get());
    if *forwarding != Forwarding::default() {
        let _ = write!(text, " by {}", forwarding.name());
    }
    if *upper_threshold > 0 {
        let _ = write!(text, " thresholds {upper_threshold} {lower_threshold}");
    }
    text
}

fn spans(timeouts: &SetTimeouts) -> String {
    let named = [
        ("tcp", timeouts.tcp_s),
        ("tcp_fin", timeouts.tcp_fin_s),
        ("udp", timeouts.udp_s),
    ];
    let named = named.into_iter().filter(|(_, seconds)| *seconds > 0);
    let spans = named.map(|(name, seconds)| format!(" {name} {seconds} s"));
    spans.collect()
}
