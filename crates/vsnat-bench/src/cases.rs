//! What is measured, case by case.

use std::net::SocketAddrV4;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vsnat_api::{Scheduler, Side};
use vsnat_dataplane::{Limits, Program};

use crate::clock::{pin, random_read_ns};
use crate::frames::{Segment, dying, from_client, from_server};
use crate::world::{FIXED_POINT, STRANGER, VIP, World, client, server};
use crate::xdp_cases::FLOWS;
use crate::{BenchError, Sample};

const OUTER: Program = Program::Side(Side::Outer);
const INNER: Program = Program::Side(Side::Inner);

const PASS: i32 = -1;
const REDIRECT: i32 = 7;

/// Runs in a row. Each takes one from a packet's time to live, of 255.
const REPEAT: u32 = 200;
/// Samples of a program whose packets are all alike.
const SAMPLES: u32 = 2_000;

/// Each scheduler, with few servers and with many.
const NEW_CASES: u32 = 2 * Scheduler::ALL.len() as u32;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Established connections, each of which is measured.
    pub flows: u32,
    /// New connections for each scheduler and number of servers.
    pub new_connections: u32,
    /// Servers of the larger services.
    pub servers: u32,
    /// Services beside the one that is measured.
    pub services: u32,
    /// Connections of the full table.
    pub table: u32,
}

impl Default for Scale {
    fn default() -> Self {
        Scale {
            flows: 10_000,
            new_connections: 2_000,
            servers: 4_096,
            services: 10_000,
            table: 1_000_000,
        }
    }
}

impl Scale {
    /// Tables as most directors have them, in which all but the full one has room.
    pub(crate) fn limits(&self) -> Limits {
        let needed = self.flows + NEW_CASES * self.new_connections;
        Limits {
            connections: needed.max(Limits::default().connections),
            services: self.services + 16,
            servers: self.services + 3 * self.servers,
        }
    }
}

/// A case and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub case: String,
    pub median_ns: f64,
    /// A tenth of the runs was faster, a tenth slower than these.
    pub low_ns: f64,
    pub high_ns: f64,
    /// Of the median, in bare redirects.
    pub multiple: f64,
    pub runs: usize,
}

/// Measures the price of a packet, with this eBPF object or the embedded one.
/// Each figure is told as soon as it is there.
pub fn packet(
    scale: &Scale,
    object: Option<PathBuf>,
    mut tell: impl FnMut(&Figure),
) -> Result<Vec<Figure>, BenchError> {
    let mut bench = Bench::open(scale.limits(), object.clone(), &mut tell)?;
    bench.calibrate()?;
    let fixed = bench.fixed_point()?;
    bench.establish(fixed, 0..scale.flows)?;
    bench.warm(fixed, scale.flows)?;
    bench.world.accelerate()?;
    bench.accelerated(fixed, FLOWS)?;
    bench.live(fixed)?;
    bench.refused(fixed)?;
    for scheduler in Scheduler::ALL {
        for servers in [4, scale.servers] {
            bench.new_connections(scheduler, servers, scale.new_connections)?;
        }
    }
    bench.more_services(scale.services)?;
    bench.established("established, many services", fixed, scale.flows)?;
    bench.not_ours("not ours, many services", STRANGER)?;
    let mut figures = bench.take_figures();
    drop(bench);
    figures.extend(full_table(scale, object, &mut tell)?);
    Ok(figures)
}

/// The cases of a table that is filled to the last connection.
fn full_table(
    scale: &Scale,
    object: Option<PathBuf>,
    tell: &mut dyn FnMut(&Figure),
) -> Result<Vec<Figure>, BenchError> {
    let limits = Limits {
        connections: scale.table,
        ..scale.limits()
    };
    let mut bench = Bench::open(limits, object, tell)?;
    bench.find_floor()?;
    let fixed = bench.fixed_point()?;
    bench.establish(fixed, 0..scale.table)?;
    bench.established("established, full table", fixed, scale.flows)?;
    bench.drawn_at_random(fixed, scale.table, scale.flows)?;
    bench.tell_random_read();
    Ok(bench.take_figures())
}

pub(crate) struct Bench<'a> {
    pub(crate) world: World,
    /// A bare redirect, many in a row.
    floor_ns: f64,
    /// A bare redirect run once: it contains two looks at the clock.
    single_ns: f64,
    figures: Vec<Figure>,
    /// Clients that have been used for new connections.
    opened: u32,
    tell: &'a mut dyn FnMut(&Figure),
}

impl<'a> Bench<'a> {
    pub(crate) fn open(
        limits: Limits,
        object: Option<PathBuf>,
        tell: &'a mut dyn FnMut(&Figure),
    ) -> Result<Self, BenchError> {
        pin()?;
        Ok(Bench {
            world: World::new(limits, object)?,
            floor_ns: 1.0,
            single_ns: 0.0,
            figures: Vec::new(),
            opened: 0,
            tell,
        })
    }

    /// The figures so far, each of which is given once.
    pub(crate) fn take_figures(&mut self) -> Vec<Figure> {
        std::mem::take(&mut self.figures)
    }

    /// The cases of one warm table, which a short run measures many times.
    pub(crate) fn warm(&mut self, fixed: SocketAddrV4, flows: u32) -> Result<(), BenchError> {
        self.not_ours("not ours, no VIP", STRANGER)?;
        self.established("established", fixed, flows)?;
        self.not_ours("not ours, to a VIP", FIXED_POINT)
    }

    pub(crate) fn calibrate(&mut self) -> Result<(), BenchError> {
        let floor = self.find_floor()?;
        self.record("bare redirect", &floor, 0.0);
        Ok(())
    }

    fn find_floor(&mut self) -> Result<Sample, BenchError> {
        let frame = from_client(client(0), address(STRANGER), Segment::Ack);
        let once = self.sample(SAMPLES, |world| world.run(Program::Bare, &frame, 1))?;
        let many = self.sample(SAMPLES, |world| world.run(Program::Bare, &frame, REPEAT))?;
        self.floor_ns = f64::from(many.median_ns()).max(1.0);
        self.single_ns = f64::from(once.median_ns());
        Ok(many)
    }

    /// A service whose translation leaves the packet as it was.
    pub(crate) fn fixed_point(&mut self) -> Result<SocketAddrV4, BenchError> {
        let address = address(FIXED_POINT);
        let servers = std::iter::once(address);
        self.world.add_service(address, Scheduler::Rr, servers)?;
        Ok(address)
    }

    pub(crate) fn establish(
        &mut self,
        service: SocketAddrV4,
        clients: std::ops::Range<u32>,
    ) -> Result<(), BenchError> {
        for number in clients {
            let end = client(number);
            for (program, frame) in [
                (OUTER, from_client(end, service, Segment::Syn)),
                (INNER, from_server(service, end, Segment::SynAck)),
                (OUTER, from_client(end, service, Segment::Ack)),
            ] {
                let run = self.world.run(program, &frame, 1)?;
                expect("establishing", run.answer, REDIRECT)?;
            }
        }
        Ok(())
    }

    /// Both directions, flow by flow, each many times in a row.
    fn established(
        &mut self,
        case: &str,
        service: SocketAddrV4,
        flows: u32,
    ) -> Result<(), BenchError> {
        for (direction, program) in [("to the server", OUTER), ("to the client", INNER)] {
            let case = format!("{case}, {direction}");
            let (mut times, mut floors) = (Vec::new(), Vec::new());
            for number in 0..flows {
                let end = client(number);
                let frame = match program {
                    INNER => from_server(service, end, Segment::Ack),
                    _ => from_client(end, service, Segment::Ack),
                };
                let run = self.world.run(program, &frame, REPEAT)?;
                expect(&case, run.answer, REDIRECT)?;
                times.push(run.ns);
                // The machine is faster at one time than at another.
                floors.push(self.world.run(Program::Bare, &frame, REPEAT)?.ns);
            }
            self.floor_ns = f64::from(Sample::new(floors).median_ns()).max(1.0);
            self.record(&case, &Sample::new(times), 0.0);
        }
        Ok(())
    }

    /// Flows drawn at random: nothing of them is in a cache.
    fn drawn_at_random(
        &mut self,
        service: SocketAddrV4,
        table: u32,
        draws: u32,
    ) -> Result<(), BenchError> {
        let case = "established, drawn at random from a full table";
        self.find_floor()?;
        let mut times = Vec::new();
        for draw in 0..draws {
            // An odd factor throws neighbours far apart.
            let number = draw.wrapping_mul(0x9e37_79b1) % table;
            let frame = from_client(client(number), service, Segment::Ack);
            let run = self.world.run(OUTER, &frame, 1)?;
            expect(case, run.answer, REDIRECT)?;
            times.push(run.ns);
        }
        self.record(case, &Sample::new(times), self.once());
        Ok(())
    }

    fn not_ours(&mut self, case: &str, to: std::net::Ipv4Addr) -> Result<(), BenchError> {
        self.find_floor()?;
        let frame = from_client(client(0), SocketAddrV4::new(to, 4_321), Segment::Ack);
        let first = self.world.run(OUTER, &frame, 1)?;
        expect(case, first.answer, PASS)?;
        let sample = self.sample(SAMPLES, |world| world.run(OUTER, &frame, REPEAT))?;
        self.record(case, &sample, 0.0);
        Ok(())
    }

    fn refused(&mut self, service: SocketAddrV4) -> Result<(), BenchError> {
        let frame = dying(client(0), service);
        let sample = self.sample(SAMPLES, |world| world.run(OUTER, &frame, 1))?;
        self.record(
            "answered by ICMP, or too often for that",
            &sample,
            self.once(),
        );
        Ok(())
    }

    pub(crate) fn new_connections(
        &mut self,
        scheduler: Scheduler,
        servers: u32,
        runs: u32,
    ) -> Result<(), BenchError> {
        let case = format!("new connection, {scheduler}, {servers} servers");
        self.find_floor()?;
        let service = address(VIP);
        let key = self
            .world
            .add_service(service, scheduler, (0..servers).map(server))?;
        let before = self.world.plane.table().live;
        // Made before: making one would clear the caches between the runs.
        let clients = self.opened..self.opened + runs;
        let frames: Vec<Vec<u8>> = clients
            .map(|number| from_client(client(number), service, Segment::Syn))
            .collect();
        let mut times = Vec::new();
        for frame in &frames {
            let run = self.world.run(OUTER, frame, 1)?;
            expect(&case, run.answer, REDIRECT)?;
            times.push(run.ns);
        }
        self.opened += runs;
        let opened = self.world.plane.table().live - before;
        if opened != runs {
            return Err(BenchError::NotOpened { case, opened, runs });
        }
        self.world.delete_service(key)?;
        self.record(&case, &Sample::new(times), self.once());
        Ok(())
    }

    fn more_services(&mut self, services: u32) -> Result<(), BenchError> {
        for number in 0..services {
            let port = 10_000 + (number % 50_000) as u16;
            let vip = SocketAddrV4::new(VIP, port);
            let servers = std::iter::once(server(number));
            self.world.add_service(vip, Scheduler::Wlc, servers)?;
        }
        Ok(())
    }

    fn tell_random_read(&mut self) {
        let ns = random_read_ns();
        let figure = Figure {
            case: "one read of memory at a random place".to_owned(),
            median_ns: ns,
            low_ns: ns,
            high_ns: ns,
            multiple: ns / self.floor_ns,
            runs: 1,
        };
        (self.tell)(&figure);
        self.figures.push(figure);
    }

    /// What a single run takes more than its program.
    fn once(&self) -> f64 {
        self.single_ns - self.floor_ns
    }

    pub(crate) fn sample(
        &mut self,
        runs: u32,
        mut run: impl FnMut(&mut World) -> Result<vsnat_dataplane::Timed, BenchError>,
    ) -> Result<Sample, BenchError> {
        let times: Result<Vec<u32>, BenchError> =
            (0..runs).map(|_| Ok(run(&mut self.world)?.ns)).collect();
        Ok(Sample::new(times?))
    }

    fn record(&mut self, case: &str, sample: &Sample, extra_ns: f64) {
        self.record_over(self.floor_ns, case, sample, extra_ns);
    }

    /// Records a case whose floor is another one than TC's.
    pub(crate) fn record_over(
        &mut self,
        floor_ns: f64,
        case: &str,
        sample: &Sample,
        extra_ns: f64,
    ) {
        let of = |ns: u32| (f64::from(ns) - extra_ns).max(0.0);
        let figure = Figure {
            case: case.to_owned(),
            median_ns: of(sample.median_ns()),
            low_ns: of(sample.quantile_ns(10)),
            high_ns: of(sample.quantile_ns(90)),
            multiple: of(sample.median_ns()) / floor_ns,
            runs: sample.runs(),
        };
        (self.tell)(&figure);
        self.figures.push(figure);
    }
}

fn expect(case: &str, got: i32, wanted: i32) -> Result<(), BenchError> {
    if got == wanted {
        return Ok(());
    }
    Err(BenchError::Verdict {
        case: case.to_owned(),
        got,
        wanted,
    })
}

fn address(ip: std::net::Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(ip, 80)
}
