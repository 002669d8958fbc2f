//! A measurement: the chains, what goes over each, and the turns.

use std::thread;
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use vsnat_dataplane::{AttachedBy, Limits};

use crate::path::chain::Chain;
use crate::path::director::{Kind, Vsnat};
use crate::path::error::PathError;
use crate::path::lane::Lane;
use crate::path::network::FLOWS_MAX;
use crate::path::report::Report;
use crate::path::row::Row;
use crate::path::traffic::Picks;
use crate::path::{Contender, CpuUse, Options};
use crate::world;

/// Before every program that has no deadline.
const PRIORITY: i32 = 1;
/// Where that is refused: the most that can be asked for.
const NICE: i32 = -20;
/// A rest is so much shorter than what went before it. Without rests the
/// kernel would enforce them: it keeps a twentieth of each second for others.
const WORK_PER_REST: u32 = 8;

pub struct Bench<'a, T> {
    options: &'a Options,
    tell: T,
    tracks: Vec<Track>,
}

/// A chain, its flows, and what goes over it.
struct Track {
    chain: Chain,
    picks: Picks,
    lanes: Vec<Lane>,
    /// Packets before each slice.
    warm: u64,
}

impl<'a, T: FnMut(&str)> Bench<'a, T> {
    /// Builds everything, opens every flow, and looks at a packet of each.
    pub fn prepare(options: &'a Options, tell: T) -> Result<Self, PathError> {
        check(options)?;
        world::refuse_statistics()?;
        world::remove_leftovers();
        stay()?;
        let mut bench = Bench {
            options,
            tell,
            tracks: Vec::new(),
        };
        bench.build()?;
        Ok(bench)
    }

    pub fn run(mut self) -> Result<Report, PathError> {
        let rows: usize = self.tracks.iter().map(|track| track.lanes.len()).sum();
        (self.tell)(&format!(
            "measuring {rows} rows in turn, {} times",
            self.options.repetitions
        ));
        match self.options.cpu {
            CpuUse::Alone => hurry(),
            CpuUse::Shared => {}
        }
        for _ in 0..self.options.repetitions {
            for track in &mut self.tracks {
                track.take_turn(self.options.packets)?;
            }
        }
        let attached_by = self.attached_by();
        let tracks = self.tracks.iter_mut();
        let lanes = tracks.flat_map(|track| track.lanes.drain(..));
        let slices = lanes.map(|lane| (lane.row, lane.slices_ns)).collect();
        Ok(Report::new(self.options, attached_by, slices))
    }

    fn attached_by(&self) -> Option<AttachedBy> {
        self.tracks
            .iter()
            .find_map(|track| track.chain.attached_by())
    }

    fn build(&mut self) -> Result<(), PathError> {
        let Options { flows, many, .. } = *self.options;
        let rows = [Row::Sender, Row::Routing, Row::RoutingReplies];
        self.track(Kind::Routing, flows, &rows)?;
        let contenders = self.options.contenders.clone();
        for contender in &contenders {
            match contender {
                Contender::Vsnat => {
                    let rows = [Row::Vsnat, Row::VsnatReplies, Row::NotOurs];
                    let kind = self.vsnat(0, Limits::default());
                    self.track(kind, flows, &rows)?;
                }
                Contender::Nftables => {
                    let rows = [Row::Nftables, Row::NftablesReplies];
                    self.track(Kind::Nftables, flows, &rows)?;
                }
                Contender::Ipvs => {
                    self.track(Kind::Ipvs, flows, &[Row::Ipvs, Row::IpvsReplies])?;
                }
            }
        }
        if many > 0 && contenders.contains(&Contender::Vsnat) {
            self.track(Kind::Routing, many, &[Row::RoutingMany])?;
            // Not so full that it would hurry.
            let connections = many + many / 2;
            let limits = Limits {
                connections,
                ..Limits::default()
            };
            let kind = self.vsnat(1, limits);
            self.track(kind, many, &[Row::VsnatMany])?;
        }
        Ok(())
    }

    fn vsnat(&self, number: u32, limits: Limits) -> Kind {
        Kind::Vsnat(Vsnat {
            number,
            limits,
            object: self.options.object.clone(),
        })
    }

    fn track(&mut self, kind: Kind, flows: u32, rows: &[Row]) -> Result<(), PathError> {
        if let Some(row) = rows.last() {
            (self.tell)(&format!("preparing {flows} flows: {row}"));
        }
        let chain = Chain::new(&kind)?;
        let mut picks = Picks::in_turn(flows);
        let mut lanes = Vec::new();
        for row in rows {
            let mut lane = Lane::new(*row, row.traffic(), flows);
            lane.check(&chain, &mut picks)?;
            lanes.push(lane);
        }
        self.tracks.push(Track {
            chain,
            picks,
            lanes,
            warm: u64::from(flows.min(self.options.flows)),
        });
        Ok(())
    }
}

impl Track {
    fn take_turn(&mut self, packets: u32) -> Result<(), PathError> {
        for lane in &mut self.lanes {
            let start = Instant::now();
            lane.slice(&mut self.chain, &self.picks, u64::from(packets), self.warm)?;
            thread::sleep(start.elapsed() / WORK_PER_REST);
        }
        Ok(())
    }
}

fn check(options: &Options) -> Result<(), PathError> {
    for flows in [options.flows, options.many.max(1)] {
        if flows == 0 || flows >= FLOWS_MAX {
            return Err(PathError::Flows {
                flows,
                most: FLOWS_MAX,
            });
        }
    }
    if options.packets == 0 || options.repetitions == 0 {
        return Err(PathError::Nothing);
    }
    Ok(())
}

/// Keeps the calling thread on the last CPU that it may use: the first takes
/// more of the interrupts than others.
fn stay() -> Result<(), PathError> {
    let failed = |error: nix::Error| PathError::system("stay on one CPU")(error.into());
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).map_err(failed)?;
    let last = (0..CpuSet::count())
        .rev()
        .find(|cpu| allowed.is_set(*cpu) == Ok(true));
    let mut set = CpuSet::new();
    set.set(last.unwrap_or(0)).map_err(failed)?;
    sched_setaffinity(this, &set).map_err(failed)
}

/// Keeps other programs out of the slices. Without it the figures only lie
/// further apart.
fn hurry() {
    let parameters = libc::sched_param {
        sched_priority: PRIORITY,
    };
    // SAFETY: the parameters live as long as the call; of the calling thread.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) } == 0 {
        return;
    }
    // SAFETY: plain arguments; of the calling thread.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}
