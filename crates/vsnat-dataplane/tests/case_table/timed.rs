//! What takes time: on the model, whose clock is turned by hand.

use vsnat_api::{
    Command, ConnectionState, Mark, MarkRule, Persistence, Protocol, Scheduler, ServerSpec,
    ServiceSpec, SettingName, Side, Weight,
};
use vsnat_core::sweep::Pressure;

use super::frame::{Flags, Frame};
use super::model_world::ModelWorld;
use super::talk::*;
use super::*;

/// Lets so much time pass, with the sweeper at work.
fn wait_s(world: &mut ModelWorld, seconds: u64) {
    for _ in 0..seconds {
        world.plane.backend_mut().advance_ms(1_000);
        world.plane.backend_mut().sweep(Pressure::Relaxed);
    }
    world.plane.tend();
}

fn keeping_for(world: &mut ModelWorld, timeout_s: u32) -> (ServiceKey, End) {
    let key = service(world, Protocol::Tcp, 80);
    let keeps = Persistence {
        timeout_s,
        ..every_client()
    };
    keeping(world, key, keeps, 80);
    (key, (world.vip(), 80))
}

fn left_s(world: &ModelWorld, client: End) -> Option<u64> {
    let connections = world.connections();
    let mut all = connections.iter();
    let found = all.find(|c| c.client == endpoint(client.0, client.1))?;
    Some(found.expires_ms / 1_000)
}

/// Ends a connection in ten seconds.
fn reset(world: &mut ModelWorld, from: End, vip: End, server: End) {
    say(world, from, vip, Flags::Ack);
    reply(world, server, from, Flags::Rst);
}

pub fn a_template_ends_after_its_time(world: &mut ModelWorld) {
    let (key, vip) = keeping_for(world, 20);
    let from = client(world, 5, 5_000);
    let server = open(world, from, vip).unwrap();
    reset(world, from, vip, server);
    wait_s(world, 15);
    assert_eq!(templates(world).len(), 1);
    assert_eq!(lines(world).len(), 1, "the connection is over");
    // A new connection gives it its time again.
    let from = client(world, 5, 5_001);
    assert_eq!(open(world, from, vip), Some(server));
    reset(world, from, vip, server);
    wait_s(world, 15);
    assert_eq!(templates(world).len(), 1);
    wait_s(world, 7);
    assert_eq!(templates(world).len(), 0);
    assert_eq!(counts(world, key, server.0), (0, 0, 0));
    // The next one is scheduled.
    assert_eq!(letter(open(world, peer(5, 5_002), vip)), 'B');
}

pub fn a_template_waits_for_its_connections(world: &mut ModelWorld) {
    let (key, vip) = keeping_for(world, 8);
    let (from, kept) = (client(world, 5, 5_000), client(world, 5, 0));
    let server = open(world, from, vip).unwrap();
    wait_s(world, 9);
    // IPVS looks again after a minute, and a minute is its time from then on.
    assert!((57..=60).contains(&left_s(world, kept).unwrap()));
    wait_s(world, 30);
    assert!((27..=31).contains(&left_s(world, kept).unwrap()));
    let other = client(world, 5, 5_001);
    assert_eq!(open(world, other, vip), Some(server));
    assert!((59..=60).contains(&left_s(world, kept).unwrap()));
    wait_s(world, 300);
    assert_eq!(counts(world, key, server.0), (2, 0, 1));
    for from in [from, other] {
        reset(world, from, vip, server);
    }
    wait_s(world, 12);
    assert_eq!(lines(world).len(), 1);
    wait_s(world, 60);
    assert_eq!(lines(world).len(), 0);
    assert_eq!(counts(world, key, server.0), (0, 0, 0));
}

pub fn a_template_waits_for_no_single_packet(world: &mut ModelWorld) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    let spec = ServiceSpec {
        one_packet: true,
        persistence: Some(Persistence {
            timeout_s: 20,
            ..every_client()
        }),
        ..ServiceSpec::new(key, Scheduler::Rr)
    };
    world.apply(&Command::AddService(spec)).unwrap();
    add_server(world, key, endpoint(SERVER_A, 53), 1);
    for _ in 0..3 {
        datagram(world, peer(5, 5_000), vip);
        wait_s(world, 15);
        assert_eq!(templates(world).len(), 1);
    }
    wait_s(world, 7);
    assert_eq!(templates(world).len(), 0);
}

pub fn a_server_returns_below_its_lower_threshold(world: &mut ModelWorld) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    add_service(world, key, Scheduler::Rr);
    for ip in [SERVER_A, SERVER_B] {
        let server = ServerSpec {
            lower_threshold: 1,
            ..spec_of(ip, 1, 3)
        };
        world
            .apply(&Command::AddServer {
                service: key,
                server,
            })
            .unwrap();
    }
    let froms: Vec<End> = (0..6).map(|n| client(world, 5, 5_000 + n)).collect();
    let servers: Vec<End> = froms
        .iter()
        .map(|from| open(world, *from, vip).unwrap())
        .collect();
    assert_eq!(syn(world, peer(5, 5_100), vip), None);
    // Two of each end: one is left, and one is not below one.
    for at in 0..4 {
        reset(world, froms[at], vip, servers[at]);
    }
    wait_s(world, 11);
    assert_eq!(counts(world, key, SERVER_A), (1, 0, 0));
    assert_eq!(syn(world, peer(5, 5_101), vip), None);
    for at in 4..6 {
        reset(world, froms[at], vip, servers[at]);
    }
    wait_s(world, 11);
    assert_eq!(picks(world, peer(5, 6_000), vip, 7), "BABABA-");
}

pub fn a_server_returns_below_three_quarters(world: &mut ModelWorld) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    limited(world, key, Scheduler::Rr, &[(1, 4)]);
    let froms: Vec<End> = (0..4).map(|n| client(world, 5, 5_000 + n)).collect();
    for from in &froms {
        open(world, *from, vip).unwrap();
    }
    let end = |world: &mut ModelWorld, at: usize| {
        reset(world, froms[at], vip, (SERVER_A, 80));
        wait_s(world, 11);
    };
    assert_eq!(syn(world, peer(5, 5_100), vip), None);
    end(world, 0);
    assert_eq!(counts(world, key, SERVER_A), (3, 0, 0));
    assert_eq!(syn(world, peer(5, 5_101), vip), None);
    end(world, 1);
    assert_eq!(picks(world, peer(5, 6_000), vip, 3), "AA-");
}

pub fn turns_go_on_where_everybody_was_full(world: &mut ModelWorld) {
    for (port, scheduler) in [(80, Scheduler::Rr), (81, Scheduler::Wrr)] {
        let key = service(world, Protocol::Tcp, port);
        let vip = (world.vip(), port);
        limited(world, key, scheduler, &[(1, 1), (1, 2)]);
        let mut held = Vec::new();
        let mut some = |world: &mut ModelWorld, number| -> String {
            let from = 5_000 + 1_000 * (port - 80) + held.len() as u16;
            (0..number)
                .map(|place| {
                    let from = client(world, 5, from + place);
                    let server = open(world, from, vip);
                    held.push((from, server));
                    letter(server)
                })
                .collect()
        };
        assert_eq!(some(world, 5), "BAB--", "{scheduler}");
        for (from, server) in std::mem::take(&mut held) {
            if let Some(server) = server {
                reset(world, from, vip, server);
            }
        }
        wait_s(world, 11);
        assert_eq!(picks(world, peer(6, 5_000), vip, 4), "ABB-", "{scheduler}");
    }
}

/// As a kernel IPVS was seen to do it.
pub fn weighted_turns_go_on_where_everybody_was_full(world: &mut ModelWorld) {
    type Seen<'a> = (&'a [(u32, u32)], &'a str, &'a str);
    let seen: [Seen<'_>; 7] = [
        (&[(3, 6), (1, 2), (2, 3)], "CBAACACBAAA---", "ACACBAACABA-"),
        (&[(3, 3), (1, 1)], "BAAA-", "AABA-"),
        (&[(3, 4), (1, 2)], "BAAABA---", "AABAAB-"),
        (&[(1, 1), (3, 4)], "BABBB-", "ABBBB-"),
        (&[(1, 2), (2, 3), (1, 1)], "CBABBA-", "BCBABA-"),
        (&[(2, 2), (1, 2), (3, 4)], "CBACCACB-", "ACCACBCB-"),
        (&[(4, 4), (2, 3), (4, 5)], "CBACACBACACB-", "ACACBACACBCB-"),
    ];
    for (number, (servers, before, after)) in seen.into_iter().enumerate() {
        weighted_turns(world, 80 + number as u16, servers, before, after);
    }
}

/// What is served, each connection being reset at once; and what is served
/// once all of them have ended.
fn weighted_turns(
    world: &mut ModelWorld,
    port: u16,
    servers: &[(u32, u32)],
    before: &str,
    after: &str,
) {
    let key = service(world, Protocol::Tcp, port);
    let vip = (world.vip(), port);
    limited(world, key, Scheduler::Wrr, servers);
    let mut served = String::new();
    for place in 0..before.len() as u16 {
        let from = client(world, 5, port * 100 + place);
        let server = open(world, from, vip);
        served.push(letter(server));
        if let Some(server) = server {
            reset(world, from, vip, server);
        }
    }
    assert_eq!(served, before);
    wait_s(world, 11);
    let from = peer(6, port * 100);
    assert_eq!(picks(world, from, vip, after.len() as u16), after);
}

pub fn entries_without_an_answer_are_dropped(world: &mut ModelWorld) {
    const NUMBER: u16 = 960;
    let vip = (world.vip(), 80);
    let key = web(world);
    let held = client(world, 6, 5_000);
    open(world, held, vip);
    for number in 0..NUMBER {
        syn(world, peer(5, 5_000 + number), vip);
    }
    set(world, SettingName::DropEntry, 3);
    let mut before = u32::from(NUMBER) + 1;
    for second in 1..=20 {
        wait_s(world, 1);
        let now = counts(world, key, SERVER_A).0;
        let (gone, mean) = (before - now, f64::from(before) / 32.0);
        assert!(
            f64::from(gone) < mean * 2.5 + 6.0,
            "{gone} of {before} in second {second}"
        );
        before = now;
    }
    // After 20 s a share of (31/32)^20 is left: 53 %.
    assert!((400..=620).contains(&before), "{before} left");
    assert_eq!(state(world, held), ConnectionState::Established);
    let dropped = world.count("drop_entry");
    assert_eq!(dropped, u64::from(u32::from(NUMBER) + 1 - before));
    set(world, SettingName::DropEntry, 0);
    wait_s(world, 5);
    assert_eq!(counts(world, key, SERVER_A).0, before);
}

pub fn quiet_datagrams_and_unassured_templates_are_dropped(world: &mut ModelWorld) {
    let key = service(world, Protocol::Udp, 53);
    let vip = (world.vip(), 53);
    keeping(world, key, every_client(), 53);
    let [quiet, busy, answered] = [5, 6, 7].map(|last| client(world, last, 5_000));
    datagram(world, quiet, vip);
    let server = datagram(world, busy, vip).unwrap();
    let once = datagram(world, answered, vip).unwrap();
    answer(world, once, answered);
    set(world, SettingName::DropEntry, 3);
    wait_s(world, 55);
    answer(world, server, busy);
    // A minute of silence, and then a chance of 1 in 32 each second.
    for _ in 0..190 {
        wait_s(world, 1);
        answer(world, server, busy);
    }
    // An assured template outlives its connection.
    let left = lines(world);
    let of = |last: &str| left.iter().filter(|line| line.contains(last)).count();
    assert_eq!(
        (of("113.5:"), of("113.6:"), of("113.7:")),
        (0, 2, 1),
        "{left:?}"
    );
    let assured = left.iter().filter(|line| line.contains("ASSURED"));
    assert_eq!(assured.count(), 2, "{left:?}");
}

pub fn associations_without_an_answer_end_early(world: &mut ModelWorld) {
    use super::association_frame::Chunk;

    let key = service(world, Protocol::Sctp, 99);
    add_service(world, key, Scheduler::Rr);
    add_server(world, key, endpoint(SERVER_A, 99), 1);
    let from = client(world, 5, 5_000);
    let to = Frame::outer(from, (world.vip(), 99));
    sent(world, Side::Outer, to.sctp(Chunk::Init));
    wait_s(world, 3);
    assert_eq!(lines(world).len(), 1);
    wait_s(world, 2);
    assert_eq!(lines(world).len(), 0, "four seconds after one INIT");
    sent(world, Side::Outer, to.sctp(Chunk::Init));
    let back = Frame::inner((SERVER_A, 99), from);
    sent(world, Side::Inner, back.sctp(Chunk::InitAck));
    wait_s(world, 59);
    assert_eq!(lines(world).len(), 1);
    wait_s(world, 4);
    assert_eq!(lines(world).len(), 0, "61 s after its answer");
}

pub fn a_destination_is_forgotten(world: &mut ModelWorld) {
    let mark = Mark::new(7).unwrap();
    let key = ServiceKey::Mark { mark };
    let rule = MarkRule {
        mark,
        protocol: None,
        source: None,
        destination: None,
        ports: Vec::new(),
        interface: None,
    };
    world.apply(&Command::MarkAdd(rule)).unwrap();
    limited(world, key, Scheduler::Lblc, &[(9, 0), (1, 0)]);
    set(world, SettingName::LblcExpiration, 60);
    let vip = (world.vip(), 80);
    let first = client(world, 5, 5_000);
    assert_eq!(letter(open(world, first, vip)), 'B');
    wait_s(world, 50);
    assert_eq!(letter(open(world, peer(5, 5_001), vip)), 'B');
    wait_s(world, 65);
    assert_eq!(letter(open(world, peer(5, 5_002), vip)), 'A');
}

pub fn a_set_loses_its_busiest_server(world: &mut ModelWorld) {
    let key = service(world, Protocol::Tcp, 80);
    let vip = (world.vip(), 80);
    limited(world, key, Scheduler::Lblcr, &[(1, 0), (1, 0)]);
    set(world, SettingName::LblcrExpiration, 60);
    let mut next = 5_000;
    let mut some = |world: &mut ModelWorld, number| {
        let from = client(world, 5, next);
        next += number;
        picks(world, from, vip, number)
    };
    // Busy with more than its weight, B gets a companion; then the less
    // loaded of the two serves.
    assert_eq!(some(world, 2), "BB");
    assert_eq!(some(world, 2), "AA");
    wait_s(world, 55);
    assert_eq!(some(world, 2), "AB");
    // All of them are over. A, the first of equals, serves and is left out;
    // B is alone then, as long as A is not idle.
    wait_s(world, 61);
    assert_eq!(some(world, 5), "ABBBB");
}

pub fn a_server_without_weight_comes_back(world: &mut ModelWorld) {
    // The server rests until its last connection is gone, and no longer.
    let key = web(world);
    let vip = (world.vip(), 80);
    let from = client(world, 5, 5_000);
    let server = open(world, from, vip).unwrap();
    edit(world, key, spec_of(SERVER_A, 0, 0));
    assert_eq!(syn(world, peer(5, 5_001), vip), None);
    wait_s(world, 890);
    assert_eq!(say(world, from, vip, Flags::Ack).dst, server);
    wait_s(world, 890);
    assert_eq!(lines(world).len(), 1);
    wait_s(world, 15);
    assert_eq!(counts(world, key, SERVER_A), (0, 0, 0));
    let server = ServerSpec::new(endpoint(SERVER_A, 80), Weight::ONE);
    edit(world, key, server);
    assert_eq!(letter(syn(world, from, vip)), 'A');
}
