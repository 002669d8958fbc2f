//! What a plan gives, in words and in JSON.

use std::fmt::Write;

use serde::Serialize;
use vsnat_bench::capacity::{
    Answer, ByteRate, Curve, Limit, LimitKind, Nanoseconds, Units, grouped, grouped_down, terminal,
};

use super::inputs::{Inputs, Price, Source, Translation};
use super::links::Links;

#[derive(Serialize)]
struct Json<'a> {
    inputs: &'a Inputs,
    answer: &'a Answer,
    /// By the programs alone, where the whole way was given too.
    programs_alone: Option<Answer>,
}

pub fn json(inputs: &Inputs, answer: &Answer) -> serde_json::Result<String> {
    let json = Json {
        inputs,
        answer,
        programs_alone: inputs.programs_alone().map(|plan| plan.answer()),
    };
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

pub fn text(inputs: &Inputs, answer: &Answer, curve: &Curve) -> String {
    let mut text = assumptions(inputs);
    text.push('\n');
    text += &table(inputs, answer);
    text.push('\n');
    text += &verdict(inputs, answer);
    text.push('\n');
    text += &terminal(curve, inputs.units);
    for part in &curve.beyond {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "beyond the picture: {}, {}",
            part.name,
            rate(part.bytes_per_s, inputs.units)
        );
    }
    text + &notes(inputs, answer)
}

/// What a figure is of, in a line.
pub fn subtitle(inputs: &Inputs) -> String {
    let time = match inputs.price {
        Price::ProgramsAlone(translation) => translated(translation),
        Price::WholePath { path_ns, .. } => format!("{path_ns} on its whole way"),
    };
    format!(
        "A packet of {} bytes: {time}; servers of {}; CPUs: {}",
        grouped(f64::from(inputs.traffic.packet_bytes)),
        inputs.server_bytes_per_s.told(inputs.units),
        inputs.cpus
    )
}

fn assumptions(inputs: &Inputs) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    match inputs.price {
        Price::ProgramsAlone(translation) => row("translation", &translated(translation)),
        Price::WholePath { path_ns, programs } => {
            row("whole path", &format!("{path_ns} for a packet (given)"));
            if let Some(translation) = programs {
                row("translation", &translated(translation));
            }
        }
    }
    let traffic = &inputs.traffic;
    let bytes = grouped(f64::from(traffic.packet_bytes));
    let back = match traffic.packets_back {
        0.0 => "none".to_owned(),
        back => back.to_string(),
    };
    let packets = format!("{bytes} bytes to the clients, {back} back for each of them");
    row("packets", &packets);
    if let Some(connection) = traffic.connection {
        let opening = Nanoseconds::new(connection.opening_ns);
        let opening = opening.map_or_else(String::new, |time| format!(", opened in {time}"));
        let bytes = connection.bytes;
        row("connections", &format!("{bytes} bytes each{opening}"));
    }
    let server = inputs.server_bytes_per_s.told(inputs.units);
    let source = source(inputs.server_source, "--server-rate");
    row("servers", &format!("{server} each ({source})"));
    row("outer link", &linked(&inputs.outer, "--outer"));
    row("inner links", &linked(&inputs.inner, "--inner"));
    text
}

fn translated(translation: Translation) -> String {
    let ns = |ns| Nanoseconds::new(ns).map_or_else(String::new, |time| time.to_string());
    let (client, server) = (
        translation.price.to_client_ns,
        translation.price.to_server_ns,
    );
    let source = source(translation.source, "--translation");
    if client == server {
        return format!("{} ({source})", ns(client));
    }
    format!(
        "{} to a client, {} to a server ({source})",
        ns(client),
        ns(server)
    )
}

fn source(source: Source, option: &str) -> String {
    match source {
        Source::Given => "given".to_owned(),
        Source::Original => "the original's".to_owned(),
        Source::Measured => "measured here".to_owned(),
        Source::Assumed => format!("assumed; say it by {option}"),
    }
}

fn linked(links: &Links, option: &str) -> String {
    match (links.bytes_per_s, links.told()) {
        (Some(rate), None) => format!("{} (given)", rate.told_in_bits()),
        (Some(_), Some(told)) => told,
        (None, Some(told)) => format!("{told}; say it by {option}-link"),
        (None, None) => {
            format!("unknown; name the interface by {option}, or say its speed by {option}-link")
        }
    }
}

fn table(inputs: &Inputs, answer: &Answer) -> String {
    let mut text = format!(
        "{:<34} {:>12} {:>12} {:>10} {:>10}\n",
        "", "packets/s", "throughput", "servers", "headroom"
    );
    for limit in &answer.limits {
        if limit.kind == LimitKind::OneCpu && inputs.cpus == 1 {
            continue;
        }
        text += &row(name(limit.kind, inputs.cpus), limit, inputs);
    }
    if let Some(alone) = inputs.programs_alone() {
        let alone = alone.answer();
        if let Some(limit) = alone.limit(LimitKind::AllCpus) {
            let headroom = limit.bytes_per_s / answer.bytes_per_s;
            let limit = Limit { headroom, ..*limit };
            let name = "all CPUs, by the programs alone".to_owned();
            text += &row(name, &limit, inputs);
        }
    }
    text
}

fn row(name: String, limit: &Limit, inputs: &Inputs) -> String {
    let packets = grouped(limit.packets_per_s);
    let throughput = rate(limit.bytes_per_s, inputs.units);
    let servers = grouped_down(limit.whole_servers());
    // One of several CPUs gives nothing out.
    let headroom = match limit.kind {
        LimitKind::OneCpu => String::new(),
        LimitKind::AllCpus | LimitKind::OuterLink | LimitKind::InnerLink | LimitKind::Servers => {
            format!("{:.1} x", limit.headroom)
        }
    };
    let line = format!("{name:<34} {packets:>12} {throughput:>12} {servers:>10} {headroom:>10}");
    line.trim_end().to_owned() + "\n"
}

fn name(kind: LimitKind, cpus: u32) -> String {
    match (kind, cpus) {
        (LimitKind::AllCpus, 1) | (LimitKind::OneCpu, _) => "the director's CPU".to_owned(),
        (LimitKind::AllCpus, cpus) => format!("the director's {cpus} CPUs"),
        (LimitKind::OuterLink, _) => "the outer link".to_owned(),
        (LimitKind::InnerLink, _) => "the inner links".to_owned(),
        (LimitKind::Servers, _) => "the servers themselves".to_owned(),
    }
}

fn verdict(inputs: &Inputs, answer: &Answer) -> String {
    let carried = rate(answer.bytes_per_s, inputs.units);
    let servers = grouped_down(answer.servers);
    match answer.first {
        LimitKind::Servers => format!(
            "The servers give out first: all {servers} of them send {carried}, and the director \
             carries that.\n"
        ),
        first => format!(
            "First to give out: {}, at {carried}, which is {servers} servers at full rate.\n",
            name(first, inputs.cpus)
        ),
    }
}

fn notes(inputs: &Inputs, answer: &Answer) -> String {
    let mut text = String::from("\n");
    if inputs.is_the_original() {
        return text + &as_the_original(answer);
    }
    match inputs.price {
        Price::ProgramsAlone(_) => {
            text += "The CPUs are counted by the programs alone, so this is the most they carry: \
                     driver and kernel\ntake several times as much besides. `vsnat bench path` \
                     measures the whole way; give it by --path.\n";
        }
        Price::WholePath { .. } => {
            text += "`vsnat bench path` counts the sender's own work too, so this is the least \
                     that the CPUs carry.\n";
        }
    }
    if inputs.cpus > 1 {
        text += "Several CPUs carry so much only if the network card spreads the packets over \
                 them.\n";
    }
    text
}

fn as_the_original(answer: &Answer) -> String {
    const MEGABYTE: f64 = 1_048_576.0;
    format!(
        "In the original's words: a bandwidth of {:.1} MB/s, which allows up to {} real servers. \
         Its MB has\n1,048,576 bytes, and it counts the packets to the clients only.\n",
        answer.bytes_per_s / MEGABYTE,
        answer.servers
    )
}

fn rate(bytes_per_s: f64, units: Units) -> String {
    ByteRate::new(bytes_per_s).map_or_else(String::new, |rate| rate.told(units))
}
