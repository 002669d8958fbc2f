//! Whatever table there is, `-S` and `-R` bring it back.

#![allow(
    clippy::panic,
    reason = "clippy knows tests by their attribute, and helpers have none"
)]

#[allow(
    dead_code,
    reason = "the table of the recordings' test, of which this one needs less"
)]
#[path = "recordings/kernel.rs"]
mod kernel;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use kernel::Kernel;
use proptest::prelude::*;
use vsnat_api::{
    Command, Forwarding, Mark, Persistence, Protocol, Scheduler, SchedulerFlags, ServerSpec,
    ServiceKey, ServiceSpec, SetTimeouts, Source, Weight,
};
use vsnat_ipvsadm::{
    Ends, Format, ListOptions, NameStyle, Names, NoNames, Request, parse, proc, render_save,
    render_services, restore_lines,
};

/// Knows a name for every number, and no other.
struct MadeUpNames;

impl Names for MadeUpNames {
    fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        let bits = host.strip_prefix("host-")?.parse().ok()?;
        Some(Ipv4Addr::from_bits(bits))
    }

    fn address6_of(&self, host: &str) -> Option<Ipv6Addr> {
        let bits = host.strip_prefix("six-")?.parse().ok()?;
        Some(Ipv6Addr::from_bits(bits))
    }

    fn port_of(&self, service: &str, _protocol: Protocol) -> Option<u16> {
        service.strip_prefix("port-")?.parse().ok()
    }

    fn host_of(&self, address: IpAddr) -> Option<String> {
        match address {
            IpAddr::V4(address) => Some(format!("host-{}", address.to_bits())),
            IpAddr::V6(address) => Some(format!("six-{}", address.to_bits())),
        }
    }

    fn service_of(&self, port: u16, _protocol: Protocol) -> Option<String> {
        Some(format!("port-{port}"))
    }
}

fn host() -> impl Strategy<Value = Ipv4Addr> {
    let host = prop_oneof![
        any::<u32>(),
        // Near enough to each other to collide.
        (0x0a00_0001..0x0a00_0004_u32)
    ];
    host.prop_map(Ipv4Addr::from_bits)
}

fn host6() -> impl Strategy<Value = Ipv6Addr> {
    let low = prop_oneof![any::<u128>(), 1..4_u128];
    low.prop_map(|low| Ipv6Addr::from_bits(0xfd00 << 112 | low))
}

/// Port 0 is there as often as all others, for it has rules of its own.
fn address() -> impl Strategy<Value = SocketAddr> {
    let port = prop_oneof![Just(0), any::<u16>()];
    let host = prop_oneof![
        3 => host().prop_map(IpAddr::V4),
        1 => host6().prop_map(IpAddr::V6),
    ];
    (host, port).prop_map(|(host, port)| SocketAddr::new(host, port))
}

fn key() -> impl Strategy<Value = ServiceKey> {
    let protocol = proptest::sample::select(Protocol::ALL.as_slice());
    let mark = prop_oneof![1..4_u32, 1..=u32::MAX];
    prop_oneof![
        3 => (protocol, address())
            .prop_map(|(protocol, address)| ServiceKey::Address { protocol, address }),
        1 => mark.prop_map(|mark| ServiceKey::Mark { mark: Mark::new(mark).expect("a mark") }),
    ]
}

fn persistence() -> impl Strategy<Value = Persistence> {
    let netmask = prop_oneof![
        Just(Persistence::EVERY_CLIENT),
        host().prop_map(IpAddr::V4),
        (1..=128_u8).prop_map(Persistence::netmask_of_prefix6),
    ];
    let timeout_s = 1..=Persistence::MAX_TIMEOUT_S;
    (timeout_s, netmask).prop_map(|(timeout_s, netmask)| Persistence { timeout_s, netmask })
}

/// Services that ipvsadm can ask for: without a port they are persistent, and
/// single packets are scheduled for UDP and marks only.
fn service() -> impl Strategy<Value = ServiceSpec> {
    let scheduler = proptest::sample::select(Scheduler::ALL.as_slice());
    let persistence = proptest::option::of(persistence());
    (key(), scheduler, 0u8..8, persistence, any::<bool>()).prop_map(
        |(key, scheduler, flags, persistence, one_packet)| {
            let needs_persistence = key.address().is_some_and(|address| address.port() == 0);
            let usual = Persistence {
                timeout_s: Persistence::DEFAULT_TIMEOUT_S,
                netmask: Persistence::EVERY_CLIENT,
            };
            ServiceSpec {
                key,
                scheduler,
                flags: SchedulerFlags::from_bits(flags),
                persistence: persistence
                    .filter(|persistence| fits(persistence, &key))
                    .or(needs_persistence.then_some(usual)),
                one_packet: one_packet && matches!(key.protocol(), None | Some(Protocol::Udp)),
                helper: None,
                mss_clamp: None,
                source: Source::Client,
            }
        },
    )
}

/// A mask of the service's family; marks are of IPv4.
fn fits(persistence: &Persistence, key: &ServiceKey) -> bool {
    let address = key.address().map(|address| address.ip());
    persistence.fits(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()))
}

fn server() -> impl Strategy<Value = ServerSpec> {
    let threshold = prop_oneof![Just(0), 0..=ServerSpec::MAX_THRESHOLD];
    let thresholds = (threshold.clone(), threshold);
    (address(), 0..=Weight::MAX, thresholds).prop_map(|(address, weight, (one, other))| {
        ServerSpec {
            address,
            forwarding: Forwarding::Masquerade,
            weight: Weight::new(weight).expect("a weight in range"),
            upper_threshold: one.max(other),
            lower_threshold: one.min(other),
        }
    })
}

fn table() -> impl Strategy<Value = Kernel> {
    let services = proptest::collection::vec(
        (service(), proptest::collection::vec(server(), 0..8)),
        0..12,
    );
    services.prop_map(|services| {
        let mut kernel = Kernel::default();
        for (spec, servers) in services {
            // Duplicates and addresses that are none are refused, as they should.
            let _ = kernel.execute(&Command::AddService(spec));
            for server in servers {
                let service = spec.key;
                let _ = kernel.execute(&Command::AddServer { service, server });
            }
        }
        kernel
    })
}

fn restore(text: &str, names: &dyn Names) -> Kernel {
    let mut kernel = Kernel::default();
    for line in restore_lines(text, names) {
        match line.request {
            Ok(Request::Command(command)) => kernel.execute(&command).expect("a saved line"),
            other => panic!("line {}: {other:?}", line.number),
        }
    }
    kernel
}

/// The table without the order in which it was built.
fn sorted(kernel: &Kernel) -> Vec<(ServiceSpec, Vec<ServerSpec>)> {
    let services = kernel.tables.services.iter().map(|service| {
        let mut servers: Vec<_> = service.servers.iter().map(|server| server.spec).collect();
        servers.sort_by_key(|server| server.address);
        (service.spec, servers)
    });
    let mut services: Vec<_> = services.collect();
    services.sort_by_key(|(spec, _)| spec.key);
    services
}

proptest! {
    #[test]
    fn restoring_what_was_saved_gives_the_same_table(kernel in table()) {
        for (style, names) in [
            (NameStyle::Numeric, &NoNames as &dyn Names),
            (NameStyle::Names, &MadeUpNames),
        ] {
            let saved = render_save(&kernel.tables, style, names);
            let restored = restore(&saved, names);
            prop_assert_eq!(sorted(&restored), sorted(&kernel));
            prop_assert_eq!(render_save(&restored.tables, style, names).lines().count(), saved.lines().count());
        }
    }

    #[test]
    fn a_listing_has_a_row_for_each_service_and_server(kernel in table()) {
        let rows = kernel.tables.services.iter().map(|service| 1 + service.servers.len());
        let lines = 3 + rows.sum::<usize>();
        let formats = [
            Format::Default,
            Format::Stats,
            Format::Rate,
            Format::Thresholds,
            Format::PersistentConn,
            Format::TunInfo,
        ];
        for format in formats {
            let options = ListOptions { format, ..ListOptions::default() };
            let listing = render_services(&kernel.tables, &options, &NoNames);
            let listing = listing.expect("all services can be listed");
            prop_assert_eq!(listing.lines().count(), lines);
        }
        prop_assert_eq!(proc::ip_vs(&kernel.tables).lines().count(), lines);
    }

    #[test]
    fn timeouts_are_read_as_they_are_written(timeouts in proptest::array::uniform3(0..=SetTimeouts::MAX_S)) {
        let [tcp_s, tcp_fin_s, udp_s] = timeouts;
        let line = format!("--set {tcp_s} {tcp_fin_s} {udp_s}");
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let command = Command::SetTimeouts(SetTimeouts { tcp_s, tcp_fin_s, udp_s });
        prop_assert_eq!(parse(&args, &NoNames), Ok(Request::Command(command)));
    }

    /// No line is accepted by half, and none makes the parser panic.
    #[test]
    fn any_words_are_a_request_or_one_refusal(
        words in proptest::collection::vec(
            prop_oneof![
                "[-=a-zA-Z0-9:.\\[\\] ü]{0,12}",
                proptest::sample::select(&[
                    "-A", "-E", "-a", "-L", "-t", "-u", "-r", "-m", "-w", "-s", "-n", "10.0.0.1:80",
                    "--stats", "--", "-Ln", "wlc", "1", "-p", "-i", "--tun-type", "gue", "-b",
                    "-f", "-6", "-M", "-o", "-x", "-y", "--set", "-Z", "-D", "-d", "-c", "--timeout",
                    "--daemon", "--sctp-service", "--start-daemon", "--stop-daemon", "master",
                ][..]).prop_map(str::to_owned),
            ],
            0..8,
        ),
    ) {
        if let Err(refusal) = parse(&words, &NoNames) {
            prop_assert!(matches!(refusal.ends, Ends::Line | Ends::Run));
            prop_assert!([2, 255].contains(&refusal.exit_code));
            prop_assert!(refusal.stderr.ends_with('\n'));
        }
    }
}
