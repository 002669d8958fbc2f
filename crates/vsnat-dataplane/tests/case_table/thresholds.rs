//! Servers that have enough connections.

use vsnat_api::{Command, Protocol, Scheduler, SchedulerFlags, Side};

use super::frame::{Flags, Frame};
use super::talk::*;
use super::*;

/// So many new connections of one client to a TCP service of this scheduler,
/// whose servers have these weights and upper thresholds.
#[track_caller]
fn order(
    world: &mut dyn World,
    scheduler: Scheduler,
    servers: &[(u32, u32)],
    number: u16,
) -> String {
    flagged_order(world, scheduler, SchedulerFlags::default(), servers, number)
}

#[track_caller]
fn flagged_order(
    world: &mut dyn World,
    scheduler: Scheduler,
    flags: SchedulerFlags,
    servers: &[(u32, u32)],
    number: u16,
) -> String {
    let port = 80 + world.services().len() as u16;
    let key = service(world, Protocol::Tcp, port);
    flagged(world, key, scheduler, flags, servers);
    let from = client(world, 5, 1_024 + 64 * port);
    let vip = (world.vip(), port);
    picks(world, from, vip, number)
}

pub fn full_servers_take_no_more(world: &mut dyn World) {
    let full = [(1, 2), (1, 2)];
    for (scheduler, wanted) in [
        (Scheduler::Rr, "BABA--"),
        (Scheduler::Wrr, "BABA--"),
        (Scheduler::Wlc, "BABA--"),
        (Scheduler::Lc, "BABA--"),
        (Scheduler::Sed, "BABA--"),
        (Scheduler::Nq, "BABA--"),
        (Scheduler::Fo, "BBAA--"),
        (Scheduler::Ovf, "BBAA--"),
    ] {
        assert_eq!(order(world, scheduler, &full, 6), wanted, "{scheduler}");
    }
    // Whoever is drawn, each takes two.
    let drawn = order(world, Scheduler::Twos, &full, 6);
    for server in ["A", "B"] {
        assert_eq!(drawn.matches(server).count(), 2, "{drawn}");
    }
    assert!(drawn.ends_with("--"), "{drawn}");
}

pub fn a_full_server_between_two_others(world: &mut dyn World) {
    for (scheduler, wanted) in [
        (Scheduler::Rr, "CBACACACAC"),
        (Scheduler::Wrr, "CBACACACAC"),
    ] {
        let servers = [(1, 0), (1, 1), (1, 0)];
        assert_eq!(order(world, scheduler, &servers, 10), wanted, "{scheduler}");
    }
    let servers = [(1, 0), (2, 1), (1, 0)];
    assert_eq!(order(world, Scheduler::Wrr, &servers, 9), "CBACACACA");
    // The heaviest is full after two: its turns are passed by.
    let servers = [(3, 2), (2, 0), (1, 0)];
    assert_eq!(order(world, Scheduler::Wrr, &servers, 9), "CBAABCBBC");
}

pub fn a_full_server_of_a_hash_is_refused_or_replaced(world: &mut dyn World) {
    let (fallback, none) = (SchedulerFlags::FALLBACK, SchedulerFlags::default());
    for scheduler in [Scheduler::Sh, Scheduler::Mh, Scheduler::Dh] {
        let served = flagged_order(world, scheduler, none, &[(1, 2), (1, 2)], 4);
        assert!(
            served == "AA--" || served == "BB--",
            "{scheduler}: {served}"
        );
    }
    for scheduler in [Scheduler::Sh, Scheduler::Mh] {
        let served = flagged_order(world, scheduler, fallback, &[(1, 2), (1, 2)], 6);
        assert!(
            served == "AABB--" || served == "BBAA--",
            "{scheduler}: {served}"
        );
    }
}

pub fn a_destination_finds_another_server_when_its_own_is_full(world: &mut dyn World) {
    // All of them full, the locality schedulers refuse too.
    for scheduler in [Scheduler::Lblc, Scheduler::Lblcr] {
        let served = order(world, scheduler, &[(1, 1), (1, 1), (1, 1)], 1);
        assert_eq!(served, "C", "{scheduler}");
    }
    let servers = [(1, 1), (1, 1), (1, 1)];
    assert_eq!(order(world, Scheduler::Lblcr, &servers, 5), "CBA--");
}

pub fn closing_frees_nothing_before_it_expires(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    limited(world, key, Scheduler::Rr, &[(1, 2)]);
    for port in [5_000, 5_001] {
        let from = client(world, 5, port);
        open(world, from, vip);
        close(world, from, vip, (SERVER_A, 80));
    }
    assert_eq!(counts(world, key, SERVER_A), (0, 2, 0));
    assert_eq!(syn(world, peer(5, 5_002), vip), None);
    // The port of one that is over: IPVS takes it out first, so there is room.
    assert_eq!(letter(syn(world, peer(5, 5_000), vip)), '-');
}

pub fn an_edit_raises_removes_and_lowers(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    limited(world, key, Scheduler::Rr, &[(1, 2)]);
    let mut next = 5_000;
    let mut try_some = |world: &mut dyn World, number| {
        let from = client(world, 5, next);
        next += number;
        picks(world, from, vip, number)
    };
    assert_eq!(try_some(world, 3), "AA-");
    edit(world, key, spec_of(SERVER_A, 1, 4));
    assert_eq!(try_some(world, 3), "AA-");
    // The same again, or another weight: nothing new.
    edit(world, key, spec_of(SERVER_A, 7, 4));
    assert_eq!(try_some(world, 1), "-");
    edit(world, key, spec_of(SERVER_A, 1, 0));
    assert_eq!(try_some(world, 2), "AA");
    // Fewer than it has: the next connection is the one that notices.
    edit(world, key, spec_of(SERVER_A, 1, 1));
    assert_eq!(try_some(world, 3), "A--");
}

pub fn a_full_server_returns_full(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    limited(world, key, Scheduler::Rr, &[(1, 2), (1, 0)]);
    assert_eq!(picks(world, peer(5, 5_000), vip, 5), "BABAB");
    let again = |world: &mut dyn World, upper| {
        let (service, address) = (key, endpoint(SERVER_A, 80));
        world
            .apply(&Command::DeleteServer { service, address })
            .unwrap();
        let server = spec_of(SERVER_A, 1, upper);
        world
            .apply(&Command::AddServer { service, server })
            .unwrap();
    };
    again(world, 2);
    assert_eq!(counts(world, key, SERVER_A), (2, 0, 0));
    assert_eq!(picks(world, peer(5, 5_100), vip, 3), "BBB");
    // With more room than before it takes what it may.
    again(world, 3);
    let order = picks(world, peer(5, 5_200), vip, 4);
    assert_eq!(order.matches('A').count(), 1, "{order}");
}

pub fn a_lower_threshold_alone_is_refused(world: &mut dyn World) {
    let service = web(world);
    let before = world.services();
    for (upper, lower) in [(0, 5), (3, 5)] {
        let server = vsnat_api::ServerSpec {
            lower_threshold: lower,
            ..spec_of(SERVER_B, 1, upper)
        };
        let refused = world.apply(&Command::AddServer { service, server });
        assert_eq!(refused, Err(vsnat_api::CommandError::OutOfRange));
    }
    assert_eq!(world.services(), before);
}

pub fn the_last_full_server_refuses_aloud(world: &mut dyn World) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    limited(world, key, Scheduler::Wlc, &[(1, 1)]);
    let held = client(world, 5, 5_000);
    open(world, held, vip);
    world.let_icmp_recover();
    let frame = Frame::outer(client(world, 5, 5_001), vip).tcp(Flags::Syn);
    let answer = sent(world, Side::Outer, frame);
    assert_eq!(frame::read_error(&answer).kind, (3, 3));
    assert_eq!(say(world, held, vip, Flags::Ack).dst.0, SERVER_A);
}
