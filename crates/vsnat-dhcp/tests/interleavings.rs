//! Two hundred clients in any order, with crashes: no address is ever two
//! clients' at once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod kit;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;

use kit::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use vsnat_dhcp::wire::MessageType;
use vsnat_dhcp::{
    Action, Disk, Network, Owner, ProbeResult, Range, Request, Reservation, Server, Store, UnixTime,
};

const CLIENTS: u16 = 200;

/// A disk that keeps, over a crash, what was synced and some of the rest.
#[derive(Clone, Debug, Default)]
struct Crashing {
    bytes: Vec<u8>,
    synced: usize,
    next: Vec<u8>,
    /// The power is going: what is written now does not arrive as a whole.
    is_dying: bool,
}

impl Crashing {
    /// As after a crash: of what was not synced only so much is there.
    fn crashed(&self, extra: usize) -> Self {
        let kept = (self.synced + extra).min(self.bytes.len());
        Crashing {
            bytes: self.bytes[..kept].to_vec(),
            synced: kept,
            ..Crashing::default()
        }
    }
}

/// The disk outlives the process that writes to it.
#[derive(Clone, Debug, Default)]
struct Shared(Rc<RefCell<Crashing>>);

impl Disk for Shared {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.0.borrow().bytes.clone())
    }
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().bytes.extend(bytes);
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        if !disk.is_dying {
            disk.synced = disk.bytes.len();
        }
        Ok(())
    }
    fn write_next(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().next = bytes.to_vec();
        Ok(())
    }
    fn sync_next(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn rename_next(&mut self) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        if disk.is_dying {
            return Ok(());
        }
        disk.bytes = std::mem::take(&mut disk.next);
        disk.synced = disk.bytes.len();
        Ok(())
    }
    fn sync_folder(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Discover(u16),
    Select(u16),
    Reboot(u16),
    Renew(u16),
    Release(u16),
    Decline(u16),
    /// It hears of no answer from now on.
    Forget(u16),
    /// Asks for an address that may be another's.
    Grab(u16, u8),
    Wait(u32),
    /// The server dies between two messages.
    Crash,
    /// It dies while it writes what a client chose: so many bytes arrive.
    DieWriting(u16, usize),
    /// It starts with other pools and reservations.
    Reconfigure(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    prop_oneof![
        8 => client().prop_map(Step::Discover),
        8 => client().prop_map(Step::Select),
        2 => client().prop_map(Step::Reboot),
        4 => client().prop_map(Step::Renew),
        2 => client().prop_map(Step::Release),
        1 => client().prop_map(Step::Decline),
        1 => client().prop_map(Step::Forget),
        2 => (client(), any::<u8>()).prop_map(|(client, last)| Step::Grab(client, last)),
        2 => (1..400u32).prop_map(Step::Wait),
        1 => Just(Step::Crash),
        1 => (client(), 0..400usize).prop_map(|(client, bytes)| Step::DieWriting(client, bytes)),
        1 => any::<u8>().prop_map(Step::Reconfigure),
    ]
}

/// Clients and server, and what each client believes.
struct World {
    networks: Vec<Network>,
    reservations: Vec<Reservation>,
    server: Server,
    disk: Shared,
    store: Store<Shared>,
    now: UnixTime,
    offers: BTreeMap<u16, Ipv4Addr>,
    /// Until when each client uses which address.
    used: BTreeMap<u16, (Ipv4Addr, UnixTime)>,
}

impl World {
    fn new() -> Self {
        let networks = vec![network(120)];
        let disk = Shared::default();
        World {
            server: server(networks.clone(), Vec::new()),
            networks,
            reservations: Vec::new(),
            store: Store::open(disk.clone()).unwrap().0,
            disk,
            now: START,
            offers: BTreeMap::new(),
            used: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Discover(client) => self.say(client, &Ask::new(MessageType::Discover, client)),
            Step::Select(client) => {
                if let Some(address) = self.offers.get(&client) {
                    self.say(client, &select(client, *address));
                }
            }
            Step::Grab(client, last) => self.say(client, &select(client, host(last))),
            Step::Reboot(client) => {
                let address = self.used.get(&client).map_or(host(50), |(a, _)| *a);
                let reboot = Ask::new(MessageType::Request, client).requested(address);
                self.say(client, &reboot);
            }
            Step::Renew(client) => {
                if let Some(address) = self.uses(client) {
                    self.say(client, &renew(client, address));
                }
            }
            Step::Release(client) => {
                if let Some(address) = self.uses(client) {
                    self.used.remove(&client);
                    self.say(client, &release(client, address));
                }
            }
            Step::Decline(client) => {
                if let Some(address) = self.uses(client) {
                    self.used.remove(&client);
                    self.say(client, &decline(client, address));
                }
            }
            Step::Forget(client) => {
                self.offers.remove(&client);
            }
            Step::Wait(seconds) => self.now = self.now.plus_s(seconds),
            Step::Crash => self.restart(0),
            Step::DieWriting(client, bytes) => {
                self.disk.0.borrow_mut().is_dying = true;
                self.take(Step::Select(client));
                self.restart(bytes);
            }
            Step::Reconfigure(seed) => {
                self.reconfigure(seed);
                self.restart(0);
            }
        }
    }

    fn uses(&self, client: u16) -> Option<Ipv4Addr> {
        let (address, until) = self.used.get(&client)?;
        (*until > self.now).then_some(*address)
    }

    fn say(&mut self, client: u16, ask: &Ask) {
        let request = Request::read(&ask.bytes()).unwrap();
        let actions = self.server.handle(&request, &ask.arrival, self.now);
        self.carry_out(client, actions);
    }

    /// As a director does: probe, write, and only then send.
    fn carry_out(&mut self, client: u16, actions: Vec<Action>) {
        let mut writes = Vec::new();
        let mut answers = Vec::new();
        let mut probes = Vec::new();
        for action in actions {
            match action {
                Action::Write(lease) => writes.push(lease),
                Action::Send(answer) => answers.push(answer),
                Action::Probe(probe) => probes.push(probe.address),
                Action::Tell(_) => {}
            }
        }
        if !writes.is_empty() {
            let (count, all) = self.server.stored();
            self.store.write(&writes, count, all).unwrap();
        }
        if self.disk.0.borrow().is_dying {
            return;
        }
        for answer in answers {
            self.hear(client, &Heard::new(answer));
        }
        for address in probes {
            let is_used = self.users_of(address) > 0;
            let result = match is_used {
                true => ProbeResult::Answered,
                false => ProbeResult::Silent,
            };
            let actions = self.server.probed(address, result, self.now);
            self.carry_out(client, actions);
        }
    }

    fn hear(&mut self, client: u16, heard: &Heard) {
        let address = heard.message.yiaddr();
        match heard.kind() {
            MessageType::Offer => {
                self.offers.insert(client, address);
            }
            MessageType::Ack => {
                self.used
                    .insert(client, (address, self.now.plus_s(LEASE_S)));
            }
            MessageType::Nak => {
                self.used.remove(&client);
                self.offers.remove(&client);
            }
            other => panic!("{other:?}"),
        }
    }

    fn users_of(&self, address: Ipv4Addr) -> usize {
        let used = self.used.values();
        used.filter(|(used, until)| *used == address && *until > self.now)
            .count()
    }

    fn restart(&mut self, extra: usize) {
        let left = self.disk.0.borrow().crashed(extra);
        self.disk = Shared(Rc::new(RefCell::new(left)));
        let (store, loaded) = Store::open(self.disk.clone()).unwrap();
        assert_eq!(loaded.damaged, 0);
        self.store = store;
        let (networks, reservations) = (self.networks.clone(), self.reservations.clone());
        self.server = Server::new(networks, reservations, loaded.leases, self.now);
    }

    fn reconfigure(&mut self, seed: u8) {
        let first = 10 + seed % 40;
        let pool = Range::new(host(first), host(first + 60)).unwrap();
        self.networks[0].pools = vec![pool];
        let reservation = |number: u8| Reservation {
            owner: Owner::Hardware(mac(u16::from(number))),
            address: host(first + 3 * number),
            host_name: None,
        };
        self.reservations = (0..seed % 8).map(reservation).collect();
    }

    fn check(&self) {
        let mut owners: BTreeMap<Ipv4Addr, u16> = BTreeMap::new();
        for (client, (address, until)) in &self.used {
            if *until <= self.now {
                continue;
            }
            if let Some(other) = owners.insert(*address, *client) {
                panic!("{address} is used by clients {other} and {client}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_address_is_two_clients_at_once(steps in prop::collection::vec(step(), 1..400)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.check();
        }
    }
}

/// The same at length, so that the pool runs out and leases run off.
#[test]
fn two_hundred_clients_at_length() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut world = World::new();
    let mut acks = 0;
    for _ in 0..40_000 {
        let step = step().new_tree(&mut runner).unwrap().current();
        world.take(step);
        world.check();
        acks = acks.max(world.used.len());
    }
    assert!(acks > 50, "only {acks} clients ever had an address");
}
