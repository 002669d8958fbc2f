//! A table that is filled, is full, and expires all at once.
//!
//! Connections are opened by the kernel's test runs of the programs, one CPU,
//! a packet at a time: nobody sends anything, and what is counted is the time
//! of the program. The sweeper is the real one.

use std::net::SocketAddrV4;
use std::thread::sleep;
use std::time::{Duration, Instant};

use vsnat_api::{ConnectionState, Scheduler, Side};
use vsnat_dataplane::{Limits, Program, Timeouts};

use crate::Sample;
use crate::clock::pin;
use crate::frames::{Segment, from_client};
use crate::scale::memory;
use crate::scale::report::{Goal, Report};
use crate::scale::{ScaleError, Setup, Sizes};
use crate::world::{STRANGER, VIP, World, client, server};

const OUTER: Program = Program::Side(Side::Outer);

/// A tick runs in softirq: whoever comes meanwhile waits for it.
const TICK_US: f64 = 1_000.0;

/// The first and the last of so many parts of the table are told apart.
const PARTS: u32 = 10;
const SERVERS: u32 = 4;
/// Runs of the program that does nothing, for the price of the clock.
const BARE_RUNS: u32 = 2_000;
/// Established connections that are tried at the full table.
const TRIED: u32 = 10_000;

/// So many get the same timeout, which is then reckoned anew.
const AT_ONCE: u32 = 1_000;
/// What is still there so long after its end is a mistake.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn measure(setup: &Setup, report: &mut Report<'_>) -> Result<(), ScaleError> {
    pin()?;
    let sizes = setup.sizes;
    let before = memory::of_kernel()?;
    let limits = Limits {
        connections: sizes.connections,
        services: 16,
        servers: 64,
    };
    let world = World::new(limits, setup.object.clone())?;
    let mut table = Table { world, sizes };
    table
        .world
        .add_service(address(), Scheduler::Rr, (0..SERVERS).map(server))?;
    table.fill(report)?;
    table.refuse(report)?;
    let growth = (memory::of_kernel()? - before) / f64::from(sizes.connections);
    // Others may take and give back meanwhile: a check, and no goal.
    let case = "growth of the whole kernel's memory meanwhile, by connection";
    report.figure(case, growth, "B");
    table.idle(report);
    table.expire(report)
}

struct Table {
    world: World,
    sizes: Sizes,
}

impl Table {
    /// Each connection is opened by a SYN, which is counted, and established by
    /// the client's next segment, which is not.
    fn fill(&mut self, report: &mut Report<'_>) -> Result<(), ScaleError> {
        let clock_ns = self.clock_ns()?;
        let connections = self.sizes.connections;
        let mut part_ns = vec![0.0; PARTS as usize];
        for number in 0..connections {
            let ns = self.client_sends(number, Segment::Syn)?;
            part_ns[(u64::from(number) * u64::from(PARTS) / u64::from(connections)) as usize] +=
                f64::from(ns) - clock_ns;
            self.client_sends(number, Segment::Ack)?;
        }
        let live = f64::from(self.world.plane.table().live);
        let case = format!("connections in a table of {connections}");
        report.goal(case, live, "", Goal::Exactly(f64::from(connections)));
        let in_part = f64::from(connections) / f64::from(PARTS);
        let rate = |ns: f64, opened: f64| opened / ns * 1e6;
        let (first, last) = (part_ns[0], part_ns[PARTS as usize - 1]);
        let case = "opened in a second of the programs' time, first tenth of the table";
        report.figure(case, rate(first, in_part), "k/s");
        let case = "opened in a second of the programs' time, last tenth";
        report.figure(case, rate(last, in_part), "k/s");
        let all = rate(part_ns.iter().sum(), f64::from(connections));
        report.figure(
            "opened in a second of the programs' time, whole table",
            all,
            "k/s",
        );
        Ok(())
    }

    /// Beyond: new ones are dropped and counted, the others go on.
    fn refuse(&mut self, report: &mut Report<'_>) -> Result<(), ScaleError> {
        let clock_ns = self.clock_ns()?;
        let before = self.counted("table_full");
        let Sizes {
            connections,
            refused,
            ..
        } = self.sizes;
        let mut times = Vec::new();
        for number in connections..connections + refused {
            times.push(self.client_sends(number, Segment::Syn)?);
        }
        let counted = (self.counted("table_full") - before) as f64;
        let case = format!("refused and counted as table_full, of {refused} more");
        report.goal(case, counted, "", Goal::Exactly(f64::from(refused)));
        let price = f64::from(Sample::new(times).median_ns()) - clock_ns;
        report.figure("price of a refused packet", price, "ns");

        let before = self.counted("forwarded");
        let tried = TRIED.min(connections);
        for number in 0..tried {
            self.client_sends(number, Segment::Ack)?;
        }
        let forwarded = (self.counted("forwarded") - before) as f64;
        let case = format!("forwarded of {tried} packets of established connections");
        report.goal(case, forwarded, "", Goal::Exactly(f64::from(tried)));
        Ok(())
    }

    fn idle(&mut self, report: &mut Report<'_>) {
        self.world.plane.forget_longest_tick();
        sleep(self.sizes.idle);
        let longest = self.longest_tick_us();
        let case = "longest tick of the sweeper, full table, nothing to do";
        report.goal(case, longest, "µs", Goal::Below(TICK_US));
    }

    fn expire(&mut self, report: &mut Report<'_>) -> Result<(), ScaleError> {
        let Sizes {
            connections,
            expiring,
            lead,
            ..
        } = self.sizes;
        let end = Instant::now() + lead;
        for number in 0..expiring {
            if number % AT_ONCE == 0 {
                let mut timeouts = Timeouts::default();
                let left = end.saturating_duration_since(Instant::now());
                timeouts.set(ConnectionState::Established, left);
                self.world.plane.set_timeouts(&timeouts);
            }
            self.client_sends(number, Segment::Ack)?;
        }
        sleep(
            end.saturating_duration_since(Instant::now())
                .saturating_sub(LOOK),
        );
        self.world.plane.forget_longest_tick();
        let start = Instant::now();
        while self.world.plane.table().live > connections - expiring && start.elapsed() < PATIENCE {
            sleep(LOOK);
        }
        let lasted = start.elapsed().as_secs_f64();
        let gone = connections - self.world.plane.table().live;
        let case = format!("expired, of {expiring} whose time ends together");
        report.goal(
            case,
            f64::from(gone),
            "",
            Goal::Exactly(f64::from(expiring)),
        );
        report.figure("until all of them are gone", lasted, "s");
        let longest = self.longest_tick_us();
        let case = "longest tick of the sweeper, while they expire";
        report.goal(case, longest, "µs", Goal::Below(TICK_US));
        Ok(())
    }

    /// Nanoseconds of the program on the packet.
    fn client_sends(&mut self, number: u32, segment: Segment) -> Result<u32, ScaleError> {
        let frame = from_client(client(number), address(), segment);
        Ok(self.world.run(OUTER, &frame, 1)?.ns)
    }

    /// What a single run takes that is not its program: two looks at the clock.
    fn clock_ns(&mut self) -> Result<f64, ScaleError> {
        let to = SocketAddrV4::new(STRANGER, 1);
        let frame = from_client(client(0), to, Segment::Ack);
        let mut once = Vec::new();
        for _ in 0..BARE_RUNS {
            once.push(self.world.run(Program::Bare, &frame, 1)?.ns);
        }
        let many = self.world.run(Program::Bare, &frame, BARE_RUNS)?.ns;
        Ok((f64::from(Sample::new(once).median_ns()) - f64::from(many)).max(0.0))
    }

    fn counted(&self, reason: &str) -> u64 {
        let reasons = self.world.plane.reasons();
        let found = reasons.iter().find(|count| count.reason == reason);
        found.map_or(0, |count| count.packets)
    }

    fn longest_tick_us(&self) -> f64 {
        self.world.plane.sweeper().longest_tick_us as f64
    }
}

fn address() -> SocketAddrV4 {
    SocketAddrV4::new(VIP, 80)
}
