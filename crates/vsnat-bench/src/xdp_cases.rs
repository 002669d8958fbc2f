//! What a packet costs that XDP sends on, in front of TC.
//!
//! Measured as at TC, with a bare redirect of XDP as the floor; and with live
//! frames, which really go through a veth to a neighbour that drops them. There
//! are far fewer samples than at TC: before each the kernel makes the program
//! the one it calls directly, and waits for all CPUs, which takes milliseconds.

use std::net::SocketAddrV4;

use vsnat_api::Side;
use vsnat_dataplane::{Program, Timed};

use crate::cases::Bench;
use crate::frames::{Segment, from_client, from_server};
use crate::world::{World, client};
use crate::{BenchError, Sample};

/// Runs in a row. Each takes one from a packet's time to live, of 255.
const REPEAT: u32 = 200;
/// Flows that a whole run measures, and each round of a short one.
pub(crate) const FLOWS: u32 = 100;
pub(crate) const FLOWS_OF_ROUND: u32 = 10;
/// Frames that are sent in a row: the kernel fills 64 at a time and uses their
/// memory again, so that each loses 100 of its time to live.
const LIVE_FRAMES: u32 = 64 * 100;
const LIVE_SAMPLES: u32 = 100;
/// A next hop is asked again every second, and by TC only: a run that meets the
/// moment is repeated.
const ATTEMPTS: u32 = 5;

/// Both directions, and how messages call them.
const DIRECTIONS: [(&str, Side); 2] = [
    ("to the server", Side::Outer),
    ("to the client", Side::Inner),
];

impl Bench<'_> {
    /// Established connections, of a service whose translation is a fixed
    /// point: so many flows in each direction.
    pub(crate) fn accelerated(
        &mut self,
        service: SocketAddrV4,
        flows: u32,
    ) -> Result<(), BenchError> {
        let frame = frame(Side::Outer, 0, service);
        let bare = self.sample(flows, |world| world.run(Program::BareXdp, &frame, REPEAT))?;
        let floor_ns = f64::from(bare.median_ns()).max(1.0);
        self.record_over(floor_ns, "bare XDP redirect", &bare, 0.0);
        for (name, side) in DIRECTIONS {
            let case = format!("established, XDP, {name}");
            let mut times = Vec::new();
            for number in 0..flows {
                let frame = self::frame(side, number, service);
                times.push(taken(&mut self.world, &case, side, &frame, Kind::Held)?.ns);
            }
            self.record_over(floor_ns, &case, &Sample::new(times), 0.0);
        }
        Ok(())
    }

    /// The same, and the frames really leave.
    pub(crate) fn live(&mut self, service: SocketAddrV4) -> Result<(), BenchError> {
        let frame = frame(Side::Outer, 0, service);
        let bare = self.sample(LIVE_SAMPLES, |world| {
            world.run_live(Program::BareXdp, &frame, LIVE_FRAMES)
        })?;
        let floor_ns = f64::from(bare.median_ns()).max(1.0);
        self.record_over(floor_ns, "bare XDP redirect, live frames", &bare, 0.0);
        for (name, side) in DIRECTIONS {
            let case = format!("established, XDP, {name}, live frames");
            let mut times = Vec::new();
            for number in 0..LIVE_SAMPLES {
                let frame = self::frame(side, number, service);
                times.push(taken(&mut self.world, &case, side, &frame, Kind::Live)?.ns);
            }
            self.record_over(floor_ns, &case, &Sample::new(times), 0.0);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Held,
    Live,
}

/// A run in which XDP sent every packet on. TC looks at the packet first, since
/// XDP asks for no next hop.
fn taken(
    world: &mut World,
    case: &str,
    side: Side,
    frame: &[u8],
    kind: Kind,
) -> Result<Timed, BenchError> {
    let frames = match kind {
        Kind::Held => REPEAT,
        Kind::Live => LIVE_FRAMES,
    };
    let mut sent = 0;
    for _ in 0..ATTEMPTS {
        world.run(Program::Side(side), frame, 1)?;
        let before = world.accelerated();
        let timed = match kind {
            Kind::Held => world.run(Program::Xdp(side), frame, frames)?,
            Kind::Live => world.run_live(Program::Xdp(side), frame, frames)?,
        };
        sent = world.accelerated() - before;
        if sent == u64::from(frames) {
            return Ok(timed);
        }
    }
    Err(BenchError::LeftToTc {
        case: case.to_owned(),
        sent,
        frames,
    })
}

fn frame(side: Side, number: u32, service: SocketAddrV4) -> Vec<u8> {
    let end = client(number);
    match side {
        Side::Outer => from_client(end, service, Segment::Ack),
        Side::Inner => from_server(service, end, Segment::Ack),
    }
}
