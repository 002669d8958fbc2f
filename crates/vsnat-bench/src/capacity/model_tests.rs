//! The model gives the original's figures, and what every plan has to hold.

use proptest::prelude::*;

use super::model::{Connection, LimitKind, PacketPrice, Plan, Traffic};
use super::quantity::{ByteRate, Units};

fn rate(bytes_per_s: f64) -> ByteRate {
    ByteRate::new(bytes_per_s).unwrap()
}

/// 100 µs for a packet of 1,500 bytes, and servers of 300 KiB/s.
fn original() -> Plan {
    Plan {
        price: PacketPrice {
            to_client_ns: 100_000.0,
            to_server_ns: 100_000.0,
        },
        traffic: Traffic {
            packet_bytes: 1_500,
            packets_back: 0.0,
            connection: None,
        },
        cpus: 1,
        outer_link_bytes_per_s: None,
        inner_link_bytes_per_s: None,
        server_bytes_per_s: rate(300.0 * 1_024.0),
        servers: None,
    }
}

#[test]
fn the_original_carries_14_3_and_48_servers() {
    let answer = original().answer();
    assert_eq!(answer.first, LimitKind::AllCpus);
    assert_eq!(answer.bytes_per_s.round(), 15_000_000.0);
    let told = rate(answer.bytes_per_s).told(Units::Binary);
    assert_eq!(told, "14.3 MiB/s");
    assert_eq!(answer.servers, 48);
    let cpu = answer.limit(LimitKind::OneCpu).unwrap();
    assert_eq!(cpu.packets_per_s.round(), 10_000.0);
    assert_eq!(format!("{:.2}", cpu.servers), "48.83");
}

#[test]
fn the_lowest_limit_gives_out_first() {
    let mut plan = original();
    plan.outer_link_bytes_per_s = ByteRate::of_bits(100e6);
    plan.inner_link_bytes_per_s = ByteRate::of_bits(1e9);
    let answer = plan.answer();
    assert_eq!(answer.first, LimitKind::OuterLink);
    // 1,500 of 1,538 bytes on the wire are the packet.
    assert_eq!(answer.bytes_per_s.round(), 12_191_157.0);
    assert_eq!(answer.servers, 39);
    let kinds: Vec<LimitKind> = answer.limits.iter().map(|limit| limit.kind).collect();
    let [link, one, all, inner] = kinds[..] else {
        panic!("{kinds:?}")
    };
    assert_eq!((link, inner), (LimitKind::OuterLink, LimitKind::InnerLink));
    assert_eq!([one, all], [LimitKind::OneCpu, LimitKind::AllCpus]);
    let headroom = answer.limit(LimitKind::InnerLink).unwrap().headroom;
    assert_eq!(format!("{headroom:.2}"), "10.00");

    plan.servers = Some(20);
    let answer = plan.answer();
    assert_eq!(answer.first, LimitKind::Servers);
    assert_eq!(answer.servers, 20);
    let headroom = answer.limit(LimitKind::AllCpus).unwrap().headroom;
    assert_eq!(format!("{headroom:.2}"), "2.44");
}

#[test]
fn both_directions_and_openings_are_paid() {
    let mut plan = original();
    plan.price = PacketPrice {
        to_client_ns: 120.0,
        to_server_ns: 160.0,
    };
    plan.traffic.packets_back = 0.5;
    plan.cpus = 2;
    // 200 ns for 1,500 bytes.
    let answer = plan.answer();
    let one = answer.limit(LimitKind::OneCpu).unwrap();
    assert_eq!(one.bytes_per_s.round(), 7.5e9);
    assert_eq!(one.packets_per_s.round(), 7.5e6);
    assert_eq!(answer.bytes_per_s.round(), 15e9);

    plan.traffic.connection = Some(Connection {
        bytes: 4_500.0,
        opening_ns: 1_400.0,
    });
    // Three packets of 200 ns, the opening, 4 × 160 ns and 3 × 120 ns.
    let answer = plan.answer();
    let one = answer.limit(LimitKind::OneCpu).unwrap();
    let connections_per_s = one.bytes_per_s / 4_500.0;
    assert_eq!((1e9 / connections_per_s).round(), 3_000.0);
    assert_eq!((one.packets_per_s / connections_per_s).round(), 13.0);
}

#[test]
fn servers_that_fit_exactly_fit() {
    let mut plan = original();
    plan.server_bytes_per_s = rate(0.1);
    assert_eq!(plan.answer().servers, 150_000_000);
    plan.server_bytes_per_s = rate(300_000.0);
    assert_eq!(plan.answer().servers, 50);
}

fn plans() -> impl Strategy<Value = Plan> {
    let links = || proptest::option::of(1e3..1e12_f64);
    let connection = proptest::option::of((1.0..1e9_f64, 1.0..1e6_f64));
    (
        (1.0..1e6_f64, 1.0..1e6_f64),
        (40..65_535_u32, 0.0..4.0_f64, connection),
        1..256_u32,
        (links(), links()),
        1.0..1e10_f64,
        proptest::option::of(1..100_000_u32),
    )
        .prop_map(|(price, traffic, cpus, links, server, servers)| Plan {
            price: PacketPrice {
                to_client_ns: price.0,
                to_server_ns: price.1,
            },
            traffic: Traffic {
                packet_bytes: traffic.0,
                packets_back: traffic.1,
                connection: traffic
                    .2
                    .map(|(bytes, opening_ns)| Connection { bytes, opening_ns }),
            },
            cpus,
            outer_link_bytes_per_s: links.0.map(rate),
            inner_link_bytes_per_s: links.1.map(rate),
            server_bytes_per_s: rate(server),
            servers,
        })
}

/// Changes of a plan that can only make it carry more.
fn better(plan: Plan, by: f64) -> Vec<Plan> {
    let wider = |link: Option<ByteRate>| link.map(|link| rate(link.bytes_per_s() * by));
    let changes: [fn(&mut Plan, f64); 7] = [
        |plan, by| plan.price.to_client_ns /= by,
        |plan, by| plan.price.to_server_ns /= by,
        |plan, by| plan.traffic.packets_back /= by,
        |plan, by| plan.traffic.packet_bytes = (f64::from(plan.traffic.packet_bytes) * by) as u32,
        |plan, by| {
            if let Some(connection) = &mut plan.traffic.connection {
                connection.bytes *= by;
                connection.opening_ns /= by;
            }
        },
        |plan, _| plan.cpus += 1,
        |plan, by| plan.servers = plan.servers.map(|n| (f64::from(n) * by) as u32),
    ];
    let mut plans: Vec<Plan> = changes
        .into_iter()
        .map(|change| {
            let mut better = plan;
            change(&mut better, by);
            better
        })
        .collect();
    plans.push(Plan {
        outer_link_bytes_per_s: wider(plan.outer_link_bytes_per_s),
        inner_link_bytes_per_s: wider(plan.inner_link_bytes_per_s),
        ..plan
    });
    plans
}

proptest! {
    #[test]
    fn a_better_part_never_carries_less(plan in plans(), by in 1.0..8.0_f64) {
        let before = plan.answer();
        for better in better(plan, by) {
            let after = better.answer();
            prop_assert!(
                after.bytes_per_s >= before.bytes_per_s * (1.0 - 1e-9),
                "{plan:?} {better:?}"
            );
            prop_assert!(after.servers >= before.servers, "{plan:?} {better:?}");
        }
    }

    #[test]
    fn stronger_servers_are_fewer(plan in plans(), by in 1.0..8.0_f64) {
        let plan = Plan { servers: None, ..plan };
        let stronger = rate(plan.server_bytes_per_s.bytes_per_s() * by);
        let after = Plan { server_bytes_per_s: stronger, ..plan }.answer();
        prop_assert!(after.servers <= plan.answer().servers);
        prop_assert_eq!(after.bytes_per_s, plan.answer().bytes_per_s);
    }

    #[test]
    fn nothing_carries_less_than_what_gives_out_first(plan in plans()) {
        let answer = plan.answer();
        for limit in &answer.limits {
            let counts = limit.kind != LimitKind::OneCpu || plan.cpus == 1;
            prop_assert!(!counts || limit.headroom >= 1.0, "{limit:?}");
            prop_assert!(limit.bytes_per_s.is_finite() && limit.bytes_per_s > 0.0);
        }
        prop_assert_eq!(answer.limit(answer.first).unwrap().headroom, 1.0);
        let ordered = answer.limits.is_sorted_by(|a, b| a.bytes_per_s <= b.bytes_per_s);
        prop_assert!(ordered);
    }
}
