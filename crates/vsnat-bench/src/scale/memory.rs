//! Kernel memory, by what it is asked for: the tables are made whole at the
//! start, so the difference of two data planes tells what one more costs.

use std::fs;

use vsnat_dataplane::Limits;

use crate::BenchError;
use crate::scale::report::{Goal, Report};
use crate::scale::{ScaleError, Setup, on_a_thread};
use crate::world::World;

/// What a connection may take.
const BYTES_PER_CONNECTION: f64 = 320.0;

/// Beside few servers the orders of servers take a fixed 8 MB; between these
/// two numbers they grow as all else does.
const SERVERS: [u32; 2] = [65_536, 131_072];
const SERVICES: [u32; 2] = [1_024, 16_384];
const FEW: u32 = 64;

const MB: f64 = 1e6;

pub(super) fn measure(setup: &Setup, report: &mut Report<'_>) -> Result<(), ScaleError> {
    let few = Limits {
        connections: FEW,
        services: FEW,
        servers: FEW,
    };
    let default = bytes(setup, Limits::default())?;
    report.figure("memory, default limits", default / MB, "MB");
    let connections = setup.sizes.connections;
    let [least, most] = [few, Limits { connections, ..few }];
    let growth = bytes(setup, most)? - bytes(setup, least)?;
    let each = growth / f64::from(connections - FEW);
    let case = format!("memory of one of {connections} connections");
    report.goal(case, each, "B", Goal::Below(BYTES_PER_CONNECTION));

    let [less, more] = SERVICES.map(|services| bytes(setup, Limits { services, ..few }));
    let each = (more? - less?) / f64::from(SERVICES[1] - SERVICES[0]);
    report.figure("memory of one service", each, "B");
    let [less, more] = SERVERS.map(|servers| bytes(setup, Limits { servers, ..few }));
    let each = (more? - less?) / f64::from(SERVERS[1] - SERVERS[0]);
    report.figure("memory of one server, on these CPUs", each, "B");
    Ok(())
}

/// Kernel memory of a data plane of this size.
fn bytes(setup: &Setup, limits: Limits) -> Result<f64, ScaleError> {
    let object = setup.object.clone();
    on_a_thread(move || of_world(&World::new(limits, object)?))
}

pub(super) fn of_world(world: &World) -> Result<f64, ScaleError> {
    let maps = world.plane.footprint()?;
    Ok(maps.iter().map(|map| map.bytes).sum::<u64>() as f64)
}

/// What the kernel holds for itself on this whole machine: large arrays, small
/// pieces, and what there is for each CPU.
pub(super) fn of_kernel() -> Result<f64, ScaleError> {
    const KINDS: [&str; 3] = ["VmallocUsed:", "Slab:", "Percpu:"];
    let text = fs::read_to_string("/proc/meminfo").map_err(|source| BenchError::System {
        doing: "read /proc/meminfo",
        source,
    })?;
    let kilobytes = |line: &str| {
        let mut words = line.split_whitespace();
        let kind = words.next()?;
        KINDS.contains(&kind).then_some(())?;
        words.next()?.parse::<u64>().ok()
    };
    Ok(text.lines().filter_map(kilobytes).sum::<u64>() as f64 * 1_024.0)
}
