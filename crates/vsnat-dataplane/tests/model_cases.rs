//! The case table on the in-memory model.

mod case_table;

use case_table::model_world::ModelWorld;

/// One test for each case.
macro_rules! cases {
    ($($module:ident :: $case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                case_table::$module::$case(&mut ModelWorld::new());
            }
        )+
    };
}

include!("case_table/list.rs");

// What takes minutes on a clock that cannot be turned.
cases! {
    timed::a_template_ends_after_its_time,
    timed::a_template_waits_for_its_connections,
    timed::a_template_waits_for_no_single_packet,
    timed::a_server_returns_below_its_lower_threshold,
    timed::a_server_returns_below_three_quarters,
    timed::turns_go_on_where_everybody_was_full,
    timed::weighted_turns_go_on_where_everybody_was_full,
    timed::entries_without_an_answer_are_dropped,
    timed::quiet_datagrams_and_unassured_templates_are_dropped,
    timed::associations_without_an_answer_end_early,
    timed::a_destination_is_forgotten,
    timed::a_set_loses_its_busiest_server,
    timed::a_server_without_weight_comes_back,
    expected::nobody_is_expected_for_ever,
    expected::a_full_table_is_counted_and_tidied,
}

/// Frames shorter than the kernel's test facility takes.
#[test]
fn frames_without_a_whole_ip_header() {
    use case_table::{frame, passed, web};
    use vsnat_api::Side;

    let world = &mut ModelWorld::new();
    web(world);
    let syn = frame::Frame::outer(([203, 0, 113, 5], 5000), ([198, 51, 100, 7], 80));
    let syn = syn.tcp(frame::Flags::Syn);
    for length in 0..34 {
        passed(world, Side::Outer, syn[..length].to_vec(), "not_ours");
    }
}

/// The same without a whole IPv6 header.
#[test]
fn frames_without_a_whole_ipv6_header() {
    use case_table::{frame, frame6, passed, six, web};
    use vsnat_api::Side;

    let world = &mut ModelWorld::new();
    web(world);
    six::web6(world);
    let from = (case_table::World::client6(world), 5000);
    let syn = frame6::Frame6::outer(from, (case_table::World::vip6(world), 80));
    let syn = syn.tcp(frame::Flags::Syn);
    for length in 0..54 {
        passed(world, Side::Outer, syn[..length].to_vec(), "not_ours");
    }
}

/// Stand-ins come back when nobody needs them, and to others.
#[test]
fn stand_ins_are_used_again() {
    use case_table::{World, frame, frame6, sent, six};
    use std::net::Ipv6Addr;
    use vsnat_abi::stand_in::STAND_INS;
    use vsnat_api::Side;
    use vsnat_core::sweep::Pressure;
    use vsnat_dataplane::Limits;

    let limits = Limits {
        connections: STAND_INS,
        ..Limits::default()
    };
    let world = &mut ModelWorld::with_limits(&limits);
    six::web6(world);
    let vip6 = world.vip6();
    let syn = |number: u32| {
        let mut from = [0x20; 16];
        from[12..].copy_from_slice(&number.to_be_bytes());
        let to = frame6::Frame6::outer((from, 5_000), (vip6, 80));
        (Ipv6Addr::from(from), to.tcp(frame::Flags::Syn))
    };
    let many = STAND_INS / 64 + 1;
    for number in 0..many {
        sent(world, Side::Outer, syn(number).1);
    }
    let (first, _) = syn(0);
    // What connections name is nobody else's.
    world.plane.backend_mut().advance_ms(40_000);
    world.plane.tend();
    assert!(world.plane.stand_in(first).is_some());
    world.plane.backend_mut().advance_ms(120_000);
    for _ in 0..3 {
        world.plane.backend_mut().sweep(Pressure::Relaxed);
        world.plane.backend_mut().advance_ms(3_000);
    }
    world.plane.tend();
    assert_eq!(world.plane.stand_in(first), None);
    world.plane.backend_mut().advance_ms(3_000);
    world.plane.tend();
    let vip = Ipv6Addr::from(world.vip6());
    assert!(
        world.plane.stand_in(vip).is_some(),
        "a service keeps its own"
    );
    // Another client gets a place that was used before.
    let (other, packet) = syn(many + 1);
    let seen = frame::read(&sent(world, Side::Outer, packet));
    assert_eq!(world.plane.true_address(seen.src.0.into()), other);
    let place = u32::from(std::net::Ipv4Addr::from(seen.src.0)) & 0x1_ffff;
    assert!(place <= many + 1, "{place} of {many}");
}

#[test]
fn a_full_table_refuses_and_keeps() {
    use case_table::{dropped, frame, sent, web};
    use vsnat_api::Side;
    use vsnat_dataplane::Limits;

    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let world = &mut ModelWorld::with_limits(&limits);
    web(world);
    let syn = |port| {
        let to = frame::Frame::outer(([203, 0, 113, 5], port), ([198, 51, 100, 7], 80));
        to.tcp(frame::Flags::Syn)
    };
    for port in 1..=4 {
        sent(world, Side::Outer, syn(port));
    }
    dropped(world, Side::Outer, syn(5), "table_full");
    sent(world, Side::Outer, syn(1));
    assert_eq!(world.plane.table().free, 0);
}
