//! What cannot be equal in two worlds: how much of a timeout is left, the size of a
//! hash table, the order in which a hash table is read, and what earlier sequences left.

use oracle::plan::Step;
use oracle::world;

/// Where the column of connections ends in a listing of counters.
const CONNECTIONS_END: usize = 42;
/// Stands for an address of a sequence, whichever it is.
const CLIENTS_OF_SEQUENCE: u8 = 0;

/// A step's answer, as far as it is compared.
pub fn masked(sequence: u32, step: &Step, answer: &str) -> String {
    match step {
        Step::Ipvsadm(_) if answer.contains("IPVS connection entries") => {
            connections(sequence, answer)
        }
        Step::Ipvsadm(words) if words.iter().any(|word| word == "--nosort") => {
            services_sorted(&table(answer))
        }
        Step::Ipvsadm(words) if words.iter().any(|word| word == "--stats") => {
            counters(&table(answer))
        }
        Step::Ipvsadm(_) => table(answer),
        Step::Open { .. }
        | Step::Talk(_)
        | Step::Close { .. }
        | Step::Reset(_)
        | Step::Datagram { .. }
        | Step::Set { .. }
        | Step::Wait { .. } => answer.to_owned(),
    }
}

fn table(answer: &str) -> String {
    answer.lines().map(|line| size(line) + "\n").collect()
}

/// TCP itself decides when it acknowledges: of services that may carry it only the
/// connections are compared, of UDP everything.
fn counters(answer: &str) -> String {
    let mut has_tcp = false;
    let mut text = String::new();
    for line in answer.lines() {
        if is_service(line) {
            has_tcp = !line.starts_with("UDP ");
        }
        let end = match has_tcp {
            true => line.len().min(CONNECTIONS_END),
            false => line.len(),
        };
        text.push_str(&line[..end]);
        text.push('\n');
    }
    text
}

/// Services lie in a hash table of the kernel; the order of a service's servers is its
/// own and counts.
fn services_sorted(answer: &str) -> String {
    let mut head = String::new();
    let mut services: Vec<String> = Vec::new();
    for line in answer.lines() {
        if is_service(line) {
            services.push(String::new());
        }
        let text = services.last_mut().unwrap_or(&mut head);
        text.push_str(line);
        text.push('\n');
    }
    services.sort();
    head + &services.concat()
}

fn is_service(line: &str) -> bool {
    let starts = ["TCP ", "UDP ", "FWM "];
    starts.iter().any(|start| line.starts_with(start))
}

/// The connections of this sequence's clients, sorted, without their timers.
fn connections(sequence: u32, answer: &str) -> String {
    let network = world::client(sequence, CLIENTS_OF_SEQUENCE).to_string();
    // "10.16.5.0" without its last octet.
    let network = network.trim_end_matches('0');
    let mut head = Vec::new();
    let mut rows = Vec::new();
    for line in answer.lines() {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [protocol, expires, state, source, to, server] if expires.contains(':') => {
                if source.starts_with(network) {
                    rows.push(format!("{protocol} {state} {source} {to} {server}"));
                }
            }
            _ => head.push(line.to_owned()),
        }
    }
    rows.sort();
    head.extend(rows);
    head.join("\n")
}

/// `(size=4096)` is the number of buckets there, and of connections here.
fn size(line: &str) -> String {
    match (line.find("(size="), line.rfind(')')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}(size){}", &line[..start], &line[end + 1..])
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_other_sequences_and_timers_are_not_compared() {
        let answer = "exit 0\nIPVS connection entries\n\
            pro expire state       source             virtual            destination\n\
            TCP 00:59  SYN_RECV    10.16.5.2:2001     10.0.1.100:80      10.32.5.1:80\n\
            TCP 01:59  TIME_WAIT   10.16.4.1:2001     10.0.1.100:80      10.32.4.1:80\n\
            TCP 14:59  ESTABLISHED 10.16.5.1:2002     10.0.1.100:80      10.32.5.1:80\n";
        let masked = masked(5, &Step::Ipvsadm(vec!["-Lnc".to_owned()]), answer);

        assert_eq!(
            masked.lines().skip(3).collect::<Vec<_>>(),
            [
                "TCP ESTABLISHED 10.16.5.1:2002 10.0.1.100:80 10.32.5.1:80",
                "TCP SYN_RECV 10.16.5.2:2001 10.0.1.100:80 10.32.5.1:80"
            ]
        );
    }

    #[test]
    fn services_are_sorted_and_their_servers_are_not() {
        let answer = "head\nUDP  b rr\n  -> 2\n  -> 1\nTCP  a rr\n  -> 3\n";

        assert_eq!(
            services_sorted(answer),
            "head\nTCP  a rr\n  -> 3\nUDP  b rr\n  -> 2\n  -> 1\n"
        );
    }

    #[test]
    fn of_tcp_only_the_connections_are_compared() {
        let line = "TCP  10.0.1.100:80                       4       23       16     1232      868";
        assert_eq!(
            counters(line).trim_end(),
            "TCP  10.0.1.100:80                       4"
        );
        let line = "UDP  10.0.1.100:53                       4       23       16     1232      868";
        assert_eq!(counters(line).trim_end(), line);
    }

    #[test]
    fn the_size_of_the_table_is_masked() {
        assert_eq!(
            size("IP Virtual Server version 1.2.1 (size=4096)"),
            "IP Virtual Server version 1.2.1 (size)"
        );
    }
}
