//! What holds for every scheduler, whatever the servers and their weights.
//!
//! Connections come, end, and servers are edited, all by packets and commands
//! on the model. Beside it a few lines of simulation say which server IPVS
//! would pick; for the schedulers that draw, hash or remember they say which
//! ones it may.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod case_table;
mod simulated;

use case_table::frame::{Flags, Frame};
use case_table::model_world::ModelWorld;
use case_table::talk::{End, open, reply};
use case_table::{World, add_server, add_service, endpoint, service};
use proptest::prelude::*;
use simulated::{Allowed, Director, Limits};
use vsnat_api::{
    Command, Protocol, Scheduler, SchedulerFlags, ServerSpec, ServiceKey, ServiceSpec, Side, Weight,
};
use vsnat_core::sweep::Pressure;
use vsnat_dataplane::plane::order::{Listed, Standing, order};

const SERVERS_MAX: usize = 8;

/// Ten seconds in CLOSE, and one more.
const CLOSED_MS: u64 = 11_000;

fn ip(server: usize) -> [u8; 4] {
    [10, 9, 0, 11 + server as u8]
}

fn number(server: [u8; 4]) -> usize {
    usize::from(server[3] - 11)
}

#[derive(Clone, Debug)]
enum Step {
    Open,
    /// One of the connections ends, by this number of those that are open.
    End(usize),
    Edit(usize, Limits),
}

fn limits() -> impl Strategy<Value = Limits> {
    let upper = prop_oneof![2 => Just(0u32), 3 => 1u32..5];
    (0u32..5, upper, 0u32..5).prop_map(|(weight, upper, lower)| Limits {
        weight,
        upper,
        lower: lower.min(upper),
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Open),
        2 => any::<usize>().prop_map(Step::End),
        1 => (any::<usize>(), limits()).prop_map(|(server, limits)| Step::Edit(server, limits)),
    ];
    prop::collection::vec(step, 1..60)
}

/// A service on the model, and the simulation beside it.
struct Pair {
    world: ModelWorld,
    simulated: Director,
    key: ServiceKey,
    open: Vec<(End, usize)>,
    next_port: u16,
    last: LastPick,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastPick {
    Served,
    Refused,
}

impl Pair {
    fn new(scheduler: Scheduler, flags: SchedulerFlags, servers: &[Limits]) -> Self {
        let mut world = ModelWorld::new();
        let key = service(&world, Protocol::Tcp, 80);
        let spec = ServiceSpec {
            flags,
            ..ServiceSpec::new(key, scheduler)
        };
        world.apply(&Command::AddService(spec)).unwrap();
        let mut simulated = Director::new(scheduler);
        for (server, limits) in servers.iter().enumerate() {
            let server = spec_of(server, limits);
            let service = key;
            world
                .apply(&Command::AddServer { service, server })
                .unwrap();
            simulated.add(*limits);
        }
        Pair {
            world,
            simulated,
            key,
            open: Vec::new(),
            next_port: 1_024,
            last: LastPick::Served,
        }
    }

    fn carry_out(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Open => return self.one_more(),
            Step::End(_) if self.open.is_empty() => {}
            Step::End(which) => {
                let (from, server) = self.open.remove(which % self.open.len());
                reply(&mut self.world, (ip(server), 80), from, Flags::Rst);
                let model = self.world.plane.backend_mut();
                model.advance_ms(CLOSED_MS);
                model.sweep(Pressure::Relaxed);
                self.simulated.end(server);
            }
            // The current weight that `wrr` has after it found nobody is known
            // by its next picks only, and an edit comes before them.
            Step::Edit(..) if self.last == LastPick::Refused => {}
            Step::Edit(server, limits) => {
                let server = server % self.simulated.servers();
                let service = self.key;
                let edited = spec_of(server, limits);
                self.world
                    .apply(&Command::EditServer {
                        service,
                        server: edited,
                    })
                    .unwrap();
                self.simulated.edit(server, *limits);
            }
        }
        Ok(())
    }

    fn one_more(&mut self) -> Result<(), TestCaseError> {
        let vip = (self.world.vip(), 80);
        let from = (self.world.client(), self.next_port);
        self.next_port += 1;
        let allowed = self.simulated.pick();
        let picked = open(&mut self.world, from, vip).map(|(server, _)| number(server));
        match &allowed {
            Allowed::This(wanted) => prop_assert_eq!(picked, *wanted),
            Allowed::OneOf(servers) => prop_assert!(
                picked.is_none_or(|server| servers.contains(&server)),
                "{:?} of {:?}",
                picked,
                servers
            ),
        }
        self.last = match picked {
            Some(_) => LastPick::Served,
            None => LastPick::Refused,
        };
        if let Some(server) = picked {
            self.open.push((from, server));
            self.simulated.begin(server);
        }
        Ok(())
    }
}

fn spec_of(server: usize, limits: &Limits) -> ServerSpec {
    let address = endpoint(ip(server), 80);
    ServerSpec {
        upper_threshold: limits.upper,
        lower_threshold: limits.lower,
        ..ServerSpec::new(address, Weight::new(limits.weight).unwrap())
    }
}

/// The servers of one datagram each, from these clients to port 53.
fn served(world: &mut ModelWorld, clients: &[u32], port: u16) -> Vec<Option<usize>> {
    let vip = (world.vip(), 53);
    let one = |client: &u32| {
        let from = (client.to_be_bytes(), port);
        let frame = Frame::outer(from, vip).udp();
        case_table::talk::pick(world, frame).map(|(server, _)| number(server))
    };
    clients.iter().map(one).collect()
}

/// A UDP service on port 53 with these weights.
fn datagrams(world: &mut ModelWorld, scheduler: Scheduler, weights: &[u32]) -> ServiceKey {
    let key = service(world, Protocol::Udp, 53);
    add_service(world, key, scheduler);
    for (server, weight) in weights.iter().enumerate() {
        add_server(world, key, endpoint(ip(server), 53), *weight);
    }
    key
}

fn hashing() -> impl Strategy<Value = Scheduler> {
    prop::sample::select(vec![Scheduler::Sh, Scheduler::Dh, Scheduler::Mh])
}

/// Sources that are nobody's network.
fn clients(number: usize) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0x0b00_0000u32..0x6400_0000, number)
}

/// Each life has tables of its own, of some megabytes.
const LIVES: u32 = 64;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(LIVES))]

    #[test]
    fn turns_are_those_of_ipvs(
        scheduler in prop::sample::select(vec![Scheduler::Rr, Scheduler::Wrr]),
        servers in prop::collection::vec(limits(), 1..=SERVERS_MAX),
        steps in steps(),
    ) {
        let mut pair = Pair::new(scheduler, SchedulerFlags::default(), &servers);
        for step in &steps {
            pair.carry_out(step)?;
        }
    }

    #[test]
    fn every_pick_is_the_one_of_ipvs(
        scheduler in prop::sample::select(Scheduler::ALL.to_vec()),
        flags in 0u8..4,
        servers in prop::collection::vec(limits(), 1..=SERVERS_MAX),
        steps in steps(),
    ) {
        let flags = SchedulerFlags::from_bits(flags);
        let mut pair = Pair::new(scheduler, flags, &servers);
        for step in &steps {
            pair.carry_out(step)?;
        }
        let active: u32 = pair.world.services()[0].servers.iter().map(|s| s.active).sum();
        prop_assert_eq!(active as usize, pair.open.len());
    }

    #[test]
    fn weights_are_kept_in_every_window(
        weights in prop::collection::vec(0u32..=9, 1..=SERVERS_MAX),
    ) {
        let sum: u32 = weights.iter().sum();
        prop_assume!(sum > 0);
        let mut world = ModelWorld::new();
        datagrams(&mut world, Scheduler::Wrr, &weights);
        let clients: Vec<u32> = (0..3 * sum).map(|n| 0x0b00_0000 + n).collect();
        let picks = served(&mut world, &clients, 5_000);
        for window in picks.windows(sum as usize) {
            for (server, weight) in weights.iter().enumerate() {
                let times = window.iter().filter(|pick| **pick == Some(server)).count();
                prop_assert_eq!(times, *weight as usize, "server {} in {:?}", server, window);
            }
        }
    }

    #[test]
    fn turns_are_kept_in_every_window(
        weights in prop::collection::vec(0u32..=3, 1..=SERVERS_MAX),
    ) {
        let working = weights.iter().filter(|weight| **weight > 0).count();
        prop_assume!(working > 0);
        let mut world = ModelWorld::new();
        datagrams(&mut world, Scheduler::Rr, &weights);
        let clients: Vec<u32> = (0..5 * working as u32).map(|n| 0x0b00_0000 + n).collect();
        for window in served(&mut world, &clients, 5_000).windows(working) {
            for (server, weight) in weights.iter().enumerate() {
                let times = window.iter().filter(|pick| **pick == Some(server)).count();
                prop_assert_eq!(times, usize::from(*weight > 0));
            }
        }
    }

    #[test]
    fn hashes_do_not_notice_their_neighbours(
        scheduler in hashing(),
        weights in prop::collection::vec(0u32..=4, 1..=SERVERS_MAX),
        clients in clients(40),
    ) {
        let mut world = ModelWorld::new();
        let key = datagrams(&mut world, scheduler, &weights);
        let before = served(&mut world, &clients, 5_000);
        let other = service(&world, Protocol::Udp, 54);
        add_service(&mut world, other, scheduler);
        for server in [3, 1, 2] {
            add_server(&mut world, other, endpoint(ip(server), 53), 2);
        }
        prop_assert_eq!(&served(&mut world, &clients, 5_001), &before);
        world.apply(&Command::DeleteServer { service: other, address: endpoint(ip(1), 53) }).unwrap();
        prop_assert_eq!(&served(&mut world, &clients, 5_002), &before);
        world.apply(&Command::DeleteService(other)).unwrap();
        prop_assert_eq!(&served(&mut world, &clients, 5_003), &before);
        // The order in which it stands survives the director, too.
        world.restart();
        prop_assert_eq!(&served(&mut world, &clients, 5_004), &before);
        world.apply(&Command::EditService(ServiceSpec::new(key, scheduler))).unwrap();
        prop_assert_eq!(&served(&mut world, &clients, 5_005), &before);
    }

    #[test]
    fn who_rests_in_mh_leaves_the_others_their_clients(
        weights in prop::collection::vec(1u32..=4, 2..=SERVERS_MAX),
        resting in any::<prop::sample::Index>(),
        clients in clients(60),
    ) {
        let mut world = ModelWorld::new();
        let service = datagrams(&mut world, Scheduler::Mh, &weights);
        let before = served(&mut world, &clients, 5_000);
        let resting = resting.index(weights.len());
        let address = endpoint(ip(resting), 53);
        let server = ServerSpec::new(address, Weight::new(0).unwrap());
        world.apply(&Command::EditServer { service, server }).unwrap();
        let rests = served(&mut world, &clients, 5_001);
        for (before, now) in before.iter().zip(&rests) {
            let wanted = before.filter(|server| *server != resting);
            prop_assert_eq!(*now, wanted);
        }
        let weight = Weight::new(weights[resting]).unwrap();
        let server = ServerSpec::new(address, weight);
        world.apply(&Command::EditServer { service, server }).unwrap();
        prop_assert_eq!(served(&mut world, &clients, 5_002), before);
    }

    #[test]
    fn who_leaves_mh_moves_two_nths_at_most(
        addresses in prop::collection::hash_set(any::<u32>(), 2..=20),
        port in any::<u16>(),
        leaving in any::<prop::sample::Index>(),
    ) {
        let listed = |(dest, address): (usize, &u32)| Listed {
            dest: dest as u32,
            weight: 1,
            last_weight: 1,
            address: *address,
            port,
        };
        let all: Vec<Listed> = addresses.iter().enumerate().map(listed).collect();
        let mut left = all.clone();
        left.remove(leaving.index(all.len()));
        let table = |servers: &[Listed]| order(Scheduler::Mh, servers, Standing::default()).entries;
        let (before, after) = (table(&all), table(&left));
        let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        prop_assert!(
            moved * all.len() <= 2 * before.len(),
            "{} of {} slots with {} servers", moved, before.len(), all.len()
        );
    }
}

/// Of two that are drawn the less loaded one: nobody starves, and the heavier
/// a server, the more it gets.
#[test]
fn draws_follow_the_weights() {
    let mut world = ModelWorld::new();
    datagrams(&mut world, Scheduler::Twos, &[1, 3, 0, 6]);
    let clients: Vec<u32> = (0..900).map(|n| 0x0b00_0000 + n).collect();
    let picks = served(&mut world, &clients, 5_000);
    let share = |server| picks.iter().filter(|pick| **pick == Some(server)).count();
    assert_eq!(share(2), 0);
    assert!((50..=130).contains(&share(0)), "{}", share(0));
    assert!((220..=320).contains(&share(1)), "{}", share(1));
    assert!((480..=600).contains(&share(3)), "{}", share(3));
}

#[test]
fn a_stray_answer_moves_no_scheduler() {
    let mut world = ModelWorld::new();
    datagrams(&mut world, Scheduler::Rr, &[1, 1]);
    let stray = Frame::inner((ip(0), 53), ([100, 64, 0, 1], 5_000)).udp();
    let before = served(&mut world, &[0x0b00_0001, 0x0b00_0002], 5_000);
    case_table::passed(&mut world, Side::Inner, stray, "not_ours");
    assert_eq!(
        served(&mut world, &[0x0b00_0003, 0x0b00_0004], 5_000),
        before
    );
}
