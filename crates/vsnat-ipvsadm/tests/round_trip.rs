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

use std::net::{Ipv4Addr, SocketAddrV4};

use kernel::Kernel;
use proptest::prelude::*;
use vsnat_api::{
    Command, Protocol, Scheduler, SchedulerFlags, ServerSpec, ServiceKey, ServiceSpec, Weight,
};
use vsnat_ipvsadm::{
    Ends, ListOptions, NameStyle, Names, NoNames, Request, parse, render_save, render_services,
    restore_lines,
};

/// Knows a name for every number, and no other.
struct MadeUpNames;

impl Names for MadeUpNames {
    fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        let bits = host.strip_prefix("host-")?.parse().ok()?;
        Some(Ipv4Addr::from_bits(bits))
    }

    fn port_of(&self, service: &str, _protocol: Protocol) -> Option<u16> {
        service.strip_prefix("port-")?.parse().ok()
    }

    fn host_of(&self, address: Ipv4Addr) -> Option<String> {
        Some(format!("host-{}", address.to_bits()))
    }

    fn service_of(&self, port: u16, _protocol: Protocol) -> Option<String> {
        Some(format!("port-{port}"))
    }
}

fn address() -> impl Strategy<Value = SocketAddrV4> {
    let host = prop_oneof![
        any::<u32>(),
        // Near enough to each other to collide.
        (0x0a00_0001..0x0a00_0004_u32)
    ];
    (host, 1..=u16::MAX).prop_map(|(host, port)| SocketAddrV4::new(Ipv4Addr::from_bits(host), port))
}

fn service() -> impl Strategy<Value = ServiceSpec> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    let scheduler = proptest::sample::select(Scheduler::ALL.as_slice());
    (protocol, address(), scheduler, 0u8..8).prop_map(|(protocol, address, scheduler, flags)| {
        ServiceSpec {
            key: ServiceKey { protocol, address },
            scheduler,
            flags: SchedulerFlags::from_bits(flags),
        }
    })
}

fn server() -> impl Strategy<Value = ServerSpec> {
    (address(), 0..=Weight::MAX).prop_map(|(address, weight)| ServerSpec {
        address,
        weight: Weight::new(weight).expect("a weight in range"),
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
        let listing = render_services(&kernel.tables, &ListOptions::default(), &NoNames);
        let rows = kernel.tables.services.iter().map(|service| 1 + service.servers.len());
        let listing = listing.expect("all services can be listed");
        prop_assert_eq!(listing.lines().count(), 3 + rows.sum::<usize>());
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
