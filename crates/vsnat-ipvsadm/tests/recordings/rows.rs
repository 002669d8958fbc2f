//! The rows of a recording that the director can have.
//!
//! A sorted listing has a row for each line of the saved table, in the same
//! order: so the line tells which rows to expect, names and cut columns apart.

use std::net::SocketAddr;

use vsnat_api::{Command, ConnectionState, ConnectionView, Counters, Protocol, Rates, ServerView};
use vsnat_ipvsadm::{Names, NoNames, Request, parse};

use crate::hexadecimal;
use crate::kernel::Kernel;
use crate::names::RecordedNames;
use crate::recording::Recording;

/// The lines of a saved table that the director can hold.
pub fn supported_lines(lines: &[String]) -> Vec<String> {
    let kept = lines.iter().filter(|line| is_supported(line, lines));
    kept.cloned().collect()
}

/// All but marks of IPv6, engines of persistence and tunnels.
fn is_supported(line: &str, table: &[String]) -> bool {
    if line.contains(" -6 ") || line.contains(" --pe ") {
        return false;
    }
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["-A", ..] => true,
        ["-a", option, address, "-r", _, "-m" | "-g", "-w", _] => {
            let service = format!("-A {option} {address} ");
            let service = table.iter().find(|line| line.starts_with(&service));
            service.is_some_and(|service| is_supported(service, table))
        }
        _ => false,
    }
}

/// A line that the director saves, as IPVS would: without thresholds.
pub fn as_saved_by_ipvs(line: &str) -> String {
    let end = [" -x ", " -y "]
        .iter()
        .filter_map(|option| line.find(option));
    line[..end.min().unwrap_or(line.len())].to_owned()
}

/// The table before the line without what the director lacks.
pub fn plain(mut recording: Recording) -> Recording {
    for line in &mut recording.before {
        *line = line.replace(" -g ", " -m ");
        if let Some((service, _)) = line.clone().split_once(" -s ") {
            *line = format!("{service} -s wlc");
        }
    }
    recording
}

/// What `-R` reads, as far as the director can hold it.
pub fn supported_input(recording: &Recording) -> String {
    if !recording.has("-R") {
        return String::new();
    }
    if let Some(lines) = recording.note.strip_prefix("input: ") {
        return lines.replace(" / ", "\n");
    }
    if !recording.stdout.is_empty() {
        // Shown by `cat -A`, which marks line ends.
        return recording.stdout.replace("$\n", "\n");
    }
    match recording.before.is_empty() {
        true => supported_lines(&recording.after).join("\n"),
        false => supported_lines(&recording.before).join("\n"),
    }
}

/// What is expected on standard output.
pub fn stdout(recording: &Recording) -> String {
    if recording.has("-R") {
        return String::new();
    }
    let supported = |line: &str| is_supported(line, &recording.before);
    let lines = recording.stdout.lines();
    let text: Vec<&str> = if recording.has("/proc/net/ip_vs_stats") {
        lines.collect()
    } else if recording.lists_connections() {
        lines
            .filter(|line| is_title(line) || connection(line).is_some())
            .collect()
    } else {
        let table = table_lines(recording);
        let rows = recording
            .stdout
            .lines()
            .filter(|line| !is_title(line) && is_row(line));
        assert!(
            [0, table.len()].contains(&rows.count()),
            "rows and lines of the table differ"
        );
        let mut table = table.into_iter();
        let is_kept =
            |line: &&str| is_title(line) || !is_row(line) || table.next().is_some_and(supported);
        lines.filter(is_kept).collect()
    };
    let text: String = text.iter().map(|line| format!("{line}\n")).collect();
    comparable(recording, &text)
}

/// Unsorted services stand in the order of a hash table; ours are oldest
/// first. The order of the servers within each service is compared.
pub fn comparable(recording: &Recording, stdout: &str) -> String {
    if !recording.is_unsorted() || recording.lists_connections() {
        return stdout.to_owned();
    }
    let mut blocks: Vec<String> = Vec::new();
    for line in stdout.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with("  -> ") => *block += &format!("{line}\n"),
            _ => blocks.push(format!("{line}\n")),
        }
    }
    blocks.sort();
    blocks.concat()
}

/// What is expected on standard error: one line for each line restored.
pub fn stderr(recording: &Recording) -> String {
    let lines: Vec<&str> = recording.stderr.lines().collect();
    if !recording.has("-R") || lines.len() != recording.before.len() {
        return recording.stderr.clone();
    }
    let pairs = lines.iter().zip(&recording.before);
    let kept = pairs.filter(|(_, line)| is_supported(line, &recording.before));
    kept.map(|(text, _)| format!("{text}\n")).collect()
}

/// Gives the table the counters and connections that the recording shows.
pub fn fill(kernel: &mut Kernel, recording: &Recording) {
    if recording.lists_connections() {
        let rows = recording.stdout.lines().filter(|line| !is_title(line));
        kernel.connections = rows.filter_map(connection).collect();
        return;
    }
    if recording.has("/proc/net/ip_vs_stats") {
        fill_sums(kernel, recording);
        return;
    }
    let rows = recording
        .stdout
        .lines()
        .filter(|line| !is_title(line) && is_row(line));
    for (row, line) in rows.zip(table_lines(recording)) {
        if is_supported(line, &recording.before) {
            fill_row(kernel, recording, row, line);
        }
    }
}

/// Sums that belong to more services than the director can have: the first one
/// has them all.
fn fill_sums(kernel: &mut Kernel, recording: &Recording) {
    let rows = recording.stdout.lines().map(|row| {
        let numbers = row
            .split_whitespace()
            .map(|word| u64::from_str_radix(word, 16).ok());
        numbers.collect::<Option<Vec<u64>>>().unwrap_or_default()
    });
    let rows: Vec<[u64; 5]> = rows.filter_map(|row| row.try_into().ok()).collect();
    let [totals, rates] = rows.as_slice() else {
        panic!("{} rows of numbers", rows.len());
    };
    if let Some(service) = kernel.tables.services.first_mut() {
        service.counters = counters(*totals);
        service.rates = rates_of(*rates);
    }
}

fn fill_row(kernel: &mut Kernel, recording: &Recording, row: &str, line: &str) {
    let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let Ok(Request::Command(command)) = parse(&args, &NoNames) else {
        panic!("{line} is not supported");
    };
    let numbers: Vec<u64> = row
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let five = numbers.last_chunk::<5>().copied();
    let totals = five.filter(|_| recording.has("--stats"));
    let rates = five.filter(|_| recording.has("--rate"));
    match command {
        Command::AddService(spec) => {
            let service = kernel.service(spec.key).expect(line);
            service.counters = totals.map(counters).unwrap_or_default();
            service.rates = rates.map(rates_of).unwrap_or_default();
        }
        Command::AddServer { service, server } => {
            let service = kernel.service(service).expect(line);
            let mut servers = service.servers.iter_mut();
            let found = servers.find(|found| found.spec == server).expect(line);
            found.counters = totals.map(counters).unwrap_or_default();
            found.rates = rates.map(rates_of).unwrap_or_default();
            if totals.or(rates).is_none() {
                fill_server(found, recording, &numbers);
            }
        }
        other => panic!("{other:?} builds no table"),
    }
}

fn fill_server(server: &mut ServerView, recording: &Recording, numbers: &[u64]) {
    let numbers: Vec<u32> = numbers
        .iter()
        .map(|number| u32::try_from(*number).expect("a number of 32 bits"))
        .collect();
    // A saved line has but the weight.
    let [.., active, inactive] = numbers.as_slice() else {
        return;
    };
    (server.active, server.inactive) = (*active, *inactive);
    if recording.has("--thresholds") {
        (server.spec.upper_threshold, server.spec.lower_threshold) = (numbers[0], numbers[1]);
    }
    if recording.has("--persistent-conn") {
        server.persistent = numbers[1];
    }
}

fn counters([connections, in_packets, out_packets, in_bytes, out_bytes]: [u64; 5]) -> Counters {
    Counters {
        connections,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
    }
}

fn rates_of([connections, in_packets, out_packets, in_bytes, out_bytes]: [u64; 5]) -> Rates {
    Rates {
        connections,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
    }
}

fn is_title(line: &str) -> bool {
    [
        "IP Virtual Server ",
        "Prot ",
        "  -> RemoteAddress",
        "IPVS connection",
        "pro ",
        "Pro FromIP",
    ]
    .iter()
    .any(|title| line.starts_with(title))
}

/// A row of a listing, or a line of a saved table.
fn is_row(line: &str) -> bool {
    ["TCP  ", "UDP  ", "SCTP ", "FWM  ", "  -> ", "-A ", "-a "]
        .iter()
        .any(|start| line.starts_with(start))
}

/// The line of the table for each row of the recorded output.
fn table_lines(recording: &Recording) -> Vec<&str> {
    let table = recording.before.iter().map(String::as_str);
    if recording.is_unsorted() {
        return unsorted_lines(recording);
    }
    if !recording.stdout.starts_with("Prot ") {
        return table.collect();
    }
    let mut options = ["-u", "-f", "--sctp-service"].into_iter();
    let protocol = options.find(|option| recording.has(option));
    let protocol = protocol.unwrap_or("-t");
    let is_listed = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        words[1] == protocol && recording.has(words[2])
    };
    table.filter(is_listed).collect()
}

fn unsorted_lines(recording: &Recording) -> Vec<&str> {
    let rows = recording
        .stdout
        .lines()
        .filter(|line| !is_title(line) && is_row(line));
    let mut service = String::new();
    let mut lines = Vec::new();
    for row in rows {
        let row = match recording.reads_file() {
            true => hexadecimal::readable(row),
            false => row.to_owned(),
        };
        let words: Vec<&str> = row.split_whitespace().collect();
        let option = match words[0] {
            "TCP" => "-t",
            "UDP" => "-u",
            "SCTP" => "--sctp-service",
            "FWM" => "-f",
            _ => "",
        };
        let start = if option.is_empty() {
            format!("-a {service} -r {} ", words[1])
        } else {
            service = format!("{option} {}", words[1]);
            format!("-A {service} ")
        };
        let line = recording
            .before
            .iter()
            .find(|line| line.starts_with(&start));
        lines.push(line.unwrap_or_else(|| panic!("no line {start:?}")).as_str());
    }
    lines
}

/// A row of the connection listing.
fn connection(row: &str) -> Option<ConnectionView> {
    let words: Vec<&str> = row.split_whitespace().collect();
    if let [protocol, _, _, _, _, _, _, state, expires] = words.as_slice() {
        return Some(ConnectionView {
            protocol: protocol_of(protocol)?,
            client: hexadecimal::address(words[1], words[2])?,
            virtual_address: hexadecimal::address(words[3], words[4])?,
            server: hexadecimal::address(words[5], words[6])?,
            state: state_of(state)?,
            expires_ms: expires_ms(expires.parse().ok()?),
        });
    }
    let [protocol, expires, state, client, virtual_address, server] = words.as_slice() else {
        return None;
    };
    let protocol = protocol_of(protocol)?;
    let (minutes, seconds) = expires.split_once(':')?;
    let seconds = minutes.parse::<u64>().ok()? * 60 + seconds.parse::<u64>().ok()?;
    Some(ConnectionView {
        protocol,
        client: address(client, protocol)?,
        virtual_address: address(virtual_address, protocol)?,
        server: address(server, protocol)?,
        state: state_of(state)?,
        expires_ms: expires_ms(seconds),
    })
}

/// A begun second is not shown.
fn expires_ms(seconds: u64) -> u64 {
    seconds * 1_000 + 999
}

/// The protocol, or none for the template of a mark.
fn protocol_of(name: &str) -> Option<Option<Protocol>> {
    if name == "IP" {
        return Some(None);
    }
    let found = Protocol::ALL.into_iter().find(|p| p.to_string() == name);
    found.map(Some)
}

fn address(text: &str, protocol: Option<Protocol>) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = bare
        .parse()
        .ok()
        .or_else(|| RecordedNames.any_address_of(bare))?;
    let port = port
        .parse()
        .ok()
        .or_else(|| RecordedNames.port_of(port, protocol?))?;
    Some(SocketAddr::new(host, port))
}

fn state_of(name: &str) -> Option<ConnectionState> {
    let mut states = ConnectionState::ALL.into_iter();
    states.find(|state| state.name() == name)
}
