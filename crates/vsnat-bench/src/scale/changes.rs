//! Adding and removing a server where there are many: ten thousand services,
//! and one with thousands of servers.

use std::net::SocketAddrV4;
use std::time::Instant;

use vsnat_api::{Command, Protocol, Scheduler, ServerSpec, ServiceKey, ServiceSpec, Side, Weight};
use vsnat_dataplane::{Frame, Limits};

use crate::clock::pin;
use crate::frames::{Segment, from_client};
use crate::scale::report::{Goal, Report, median};
use crate::scale::stopwatch::{Spent, Stopwatch};
use crate::scale::{ScaleError, Setup, Sizes};
use crate::world::{VIP, World, client, server};

/// The administrator does not wait.
const CHANGE_US: f64 = 1_000.0;

/// A few, for what is measured without being filled.
const CONNECTIONS: u32 = 65_536;
/// Where the frame that leaves has its destination.
const DESTINATION: std::ops::Range<usize> = 30..34;

pub(super) fn measure(setup: &Setup, report: &mut Report<'_>) -> Result<(), ScaleError> {
    pin()?;
    let sizes = &setup.sizes;
    let limits = Limits {
        connections: CONNECTIONS,
        services: sizes.services + 16,
        servers: sizes.services * sizes.servers_each + 2 * (sizes.servers_of_one + sizes.changes),
    };
    let world = World::new(limits, setup.object.clone())?;
    let mut changes = Changes { world, clients: 0 };
    changes.many_services(sizes, report)?;
    for scheduler in Scheduler::ALL {
        changes.one_service(scheduler, sizes, report)?;
    }
    Ok(())
}

struct Changes {
    world: World,
    /// Clients that have opened connections.
    clients: u32,
}

impl Changes {
    fn many_services(&mut self, sizes: &Sizes, report: &mut Report<'_>) -> Result<(), ScaleError> {
        let start = Instant::now();
        for number in 0..sizes.services {
            let service = service(number);
            let spec = ServiceSpec::new(service, Scheduler::Rr);
            self.apply(Command::AddService(spec))?;
            for place in 0..sizes.servers_each {
                let server = ServerSpec::new(server(place), Weight::ONE);
                self.apply(Command::AddServer { service, server })?;
            }
        }
        let size = format!(
            "{} services × {} servers",
            sizes.services, sizes.servers_each
        );
        report.figure(
            format!("{size}: all added in"),
            start.elapsed().as_secs_f64(),
            "s",
        );
        let services = |change: u32| service(change.wrapping_mul(0x9e37_79b1) % sizes.services);
        self.add_and_remove(&size, sizes, services, report)?;
        let one = service(sizes.services / 2);
        self.serves(
            &size,
            one,
            server(sizes.servers_each),
            sizes.servers_each,
            report,
        )
    }

    fn one_service(
        &mut self,
        scheduler: Scheduler,
        sizes: &Sizes,
        report: &mut Report<'_>,
    ) -> Result<(), ScaleError> {
        let service = service(sizes.services + 1);
        self.apply(Command::AddService(ServiceSpec::new(service, scheduler)))?;
        // Room for one more, which comes and goes.
        let servers = sizes.servers_of_one - 1;
        let start = Instant::now();
        for place in 0..servers {
            let server = ServerSpec::new(numbered(place), Weight::ONE);
            self.apply(Command::AddServer { service, server })?;
        }
        let size = format!("1 service × {} servers, {scheduler}", sizes.servers_of_one);
        report.figure(
            format!("{size}: all added in"),
            start.elapsed().as_secs_f64(),
            "s",
        );
        self.add_and_remove(&size, sizes, |_| service, report)?;
        if scheduler == Scheduler::Rr {
            self.serves(&size, service, numbered(servers), servers, report)?;
        }
        self.apply(Command::DeleteService(service))
    }

    /// One server more and one less, over and over.
    fn add_and_remove(
        &mut self,
        size: &str,
        sizes: &Sizes,
        service: impl Fn(u32) -> ServiceKey,
        report: &mut Report<'_>,
    ) -> Result<(), ScaleError> {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for change in 0..sizes.changes {
            let service = service(change);
            // Nobody has been there before.
            let address = numbered(sizes.servers_of_one + change);
            let server = ServerSpec::new(address, Weight::ONE);
            added.push(self.timed(Command::AddServer { service, server })?);
            removed.push(self.timed(Command::DeleteServer {
                service,
                address: address.into(),
            })?);
        }
        for (what, spent) in [("a server added", added), ("a server removed", removed)] {
            let median = median(spent.iter().map(|spent| spent.us).collect());
            let goal = Goal::Below(CHANGE_US);
            report.goal(format!("{size}: {what}, median"), median, "µs", goal);
            let own = spent.iter().map(|spent| spent.own_us).fold(0.0, f64::max);
            report.goal(
                format!("{size}: {what}, longest on the CPU"),
                own,
                "µs",
                goal,
            );
            let waits: i64 = spent.iter().map(|spent| spent.waits).sum();
            let case = format!("{size}: {what}, had to wait");
            report.goal(case, waits as f64, "times", Goal::Exactly(0.0));
        }
        Ok(())
    }

    /// A new server gets its share: one round of clients meets it once.
    fn serves(
        &mut self,
        size: &str,
        service: ServiceKey,
        address: SocketAddrV4,
        others: u32,
        report: &mut Report<'_>,
    ) -> Result<(), ScaleError> {
        let server = ServerSpec::new(address, Weight::ONE);
        self.apply(Command::AddServer { service, server })?;
        let mut met = 0;
        for _ in 0..=others {
            self.clients += 1;
            let port = service.address().map_or(0, |address| address.port());
            let to = SocketAddrV4::new(VIP, port);
            let frame = from_client(client(self.clients), to, Segment::Syn);
            let frame = Frame {
                bytes: &frame,
                ifindex: self.world.outer_index(),
                segment_size: 0,
            };
            let (_, sent) = self.world.plane.test_run(Side::Outer, &frame)?;
            met += u32::from(sent.get(DESTINATION) == Some(&address.ip().octets()));
        }
        let case = format!("{size}: of one round of clients, to the added server");
        report.goal(case, f64::from(met), "", Goal::Exactly(1.0));
        self.apply(Command::DeleteServer {
            service,
            address: address.into(),
        })
    }

    fn apply(&mut self, command: Command) -> Result<(), ScaleError> {
        Ok(self.world.plane.apply(&command)?)
    }

    fn timed(&mut self, command: Command) -> Result<Spent, ScaleError> {
        let clock = Stopwatch::start();
        self.apply(command)?;
        Ok(clock.stop())
    }
}

/// Services of one VIP, then of the next.
pub(super) fn service(number: u32) -> ServiceKey {
    const PORTS: u32 = 1_000;
    let address = u32::from(VIP) + number / PORTS;
    let port = (number % PORTS) as u16 + 1;
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: SocketAddrV4::new(address.into(), port).into(),
    }
}

/// A server that no other service has.
fn numbered(number: u32) -> SocketAddrV4 {
    const FIRST: u32 = 0x1000;
    server(FIRST + number)
}
