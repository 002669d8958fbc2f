//! The flows that the kernel translates, as its connection tracking lists them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::Ipv4Addr;

use vsnat_api::{NatDirection, NatEnd, NatFlow};

/// `/proc/net` is that of the process's first thread: this one's own may be in
/// another namespace.
const TABLE: &str = "/proc/thread-self/net/nf_conntrack";

/// Gives every translated IPv4 flow to `each`. A kernel without connection
/// tracking translates nothing, and one that does not list it says so.
pub fn each(mut each: impl FnMut(NatFlow)) -> io::Result<()> {
    for line in BufReader::new(File::open(TABLE)?).lines() {
        if let Some(flow) = read(&line?) {
            each(flow);
        }
    }
    Ok(())
}

/// One direction of a flow.
#[derive(Clone, Copy, Debug)]
struct Tuple {
    source: NatEnd,
    destination: NatEnd,
}

/// A line of the table: protocol, seconds, state where there is one, then the
/// ends as the first packet had them and as its answer has them.
fn read(line: &str) -> Option<NatFlow> {
    let mut words = line.split_whitespace();
    if words.next()? != "ipv4" {
        return None;
    }
    let protocol = words.nth(1)?.to_owned();
    let expires_s = words.nth(1)?.parse().ok()?;
    let mut state = None;
    let mut tuples: Vec<Tuple> = Vec::new();
    for word in words {
        match word.split_once('=') {
            Some(("src", address)) => tuples.push(Tuple {
                source: end(address)?,
                destination: end(address)?,
            }),
            Some((key, value)) => set(tuples.last_mut(), key, value),
            None if tuples.is_empty() => state = Some(word.to_owned()),
            None => {}
        }
    }
    let [sent, answer] = tuples[..] else {
        return None;
    };
    let (direction, translated) = if answer.destination != sent.source {
        (NatDirection::Out, answer.destination)
    } else if answer.source != sent.destination {
        (NatDirection::In, answer.source)
    } else {
        return None;
    };
    Some(NatFlow {
        direction,
        protocol,
        source: sent.source,
        destination: sent.destination,
        translated,
        state,
        expires_s,
    })
}

fn set(tuple: Option<&mut Tuple>, key: &str, value: &str) {
    let Some(tuple) = tuple else {
        return;
    };
    match key {
        "dst" => {
            if let Some(end) = end(value) {
                tuple.destination = end;
            }
        }
        "sport" => tuple.source.port = value.parse().ok(),
        "dport" => tuple.destination.port = value.parse().ok(),
        _ => {}
    }
}

fn end(address: &str) -> Option<NatEnd> {
    let address: Ipv4Addr = address.parse().ok()?;
    Some(NatEnd {
        address,
        port: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masqueraded_forwarded_and_neither() {
        let out = read(
            "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.100.11 dst=198.51.100.7 sport=40000 \
             dport=443 src=198.51.100.7 dst=192.0.2.1 sport=443 dport=1024 [ASSURED] mark=0 zone=0 \
             use=2",
        )
        .unwrap();
        assert_eq!(out.direction, NatDirection::Out);
        assert_eq!(out.protocol, "tcp");
        assert_eq!(
            (out.expires_s, out.state.as_deref()),
            (431_999, Some("ESTABLISHED"))
        );
        assert_eq!(out.source.port, Some(40_000));
        assert_eq!(out.translated.address.to_string(), "192.0.2.1");
        assert_eq!(out.translated.port, Some(1_024));

        let inward = read(
            "ipv4     2 udp      17 29 src=203.0.113.9 dst=192.0.2.1 sport=5000 dport=2201 \
             packets=1 bytes=40 [UNREPLIED] src=10.0.100.11 dst=203.0.113.9 sport=22 dport=5000 \
             packets=0 bytes=0 mark=0 use=1",
        )
        .unwrap();
        assert_eq!(inward.direction, NatDirection::In);
        assert_eq!(inward.state, None);
        assert_eq!(inward.translated.port, Some(22));

        let ping = read(
            "ipv4     2 icmp     1 29 src=10.0.100.11 dst=198.51.100.7 type=8 code=0 id=7 \
             src=198.51.100.7 dst=192.0.2.1 type=0 code=0 id=7 mark=0 use=1",
        );
        assert_eq!(ping.unwrap().source.port, None);
        let plain = "ipv4 2 tcp 6 10 CLOSE src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 \
                     dst=10.0.0.1 sport=2 dport=1 use=1";
        assert_eq!(read(plain), None);
        assert_eq!(read("ipv6 10 tcp 6 10 CLOSE src=::1 dst=::2"), None);
        assert_eq!(read(""), None);
    }
}
