//! A SYN flood of spoofed sources, at the full speed of one thread, beside
//! established traffic.
//!
//! Four namespaces: client, attacker, director and server. On veth links a
//! packet is carried all the way by the CPU that sends it, so the attacker has
//! one CPU and the established traffic, both ends, another; so has the sweeper,
//! which makes room while the flood fills the table. The flood is let in and
//! dropped at entry by an empty program, in turn; the share that the
//! established traffic keeps is that of two neighbouring slices.

mod attacker;
mod cpu;
mod entry;
mod network;
mod victim;

use std::thread::sleep;
use std::time::{Duration, Instant};

use vsnat_api::{Command, Protocol, Scheduler, ServerSpec, ServiceKey, ServiceSpec, Side, Weight};
use vsnat_dataplane::{DataPlane, Limits, OpenOptions};

use crate::scale::flood::attacker::Attacker;
use crate::scale::flood::cpu::ATTACKED;
use crate::scale::flood::network::Network;
use crate::scale::flood::victim::{Traffic, Victim};
use crate::scale::report::{Goal, Report, median};
use crate::scale::{ScaleError, Setup};
use crate::world::plane_name;

/// Of the throughput under the flood that is dropped at entry.
const SHARE_KEPT: f64 = 0.9;

/// Until a flood, or its end, has had its effect.
const SETTLE: Duration = Duration::from_millis(500);
/// The sweeper is calm when in such a span less than so much expires: what one
/// of its ticks may end.
const CALM: Duration = Duration::from_millis(400);
const CALM_EXPIRES: u64 = 512;
const PATIENCE: Duration = Duration::from_secs(8);

/// Whether the flood meets the director.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    DroppedAtEntry,
    LetIn,
}

pub(super) fn measure(setup: &Setup, report: &mut Report<'_>) -> Result<(), ScaleError> {
    let network = Network::raise()?;
    network.director.enter()?;
    // The sweeper's timer stays on the CPU where it is started. This is the
    // worse of the two places for the established traffic.
    cpu::stay_on(ATTACKED)?;
    let mut director = Director::start(setup)?;
    for traffic in Traffic::ALL {
        director.beside(traffic, &network, setup, report)?;
    }
    Ok(())
}

struct Director {
    plane: DataPlane,
    name: String,
}

/// What happened in a slice.
struct Slice {
    /// Units of the traffic in a second.
    throughput: f64,
    flood_rate: f64,
}

impl Director {
    fn start(setup: &Setup) -> Result<Self, ScaleError> {
        let name = plane_name(1);
        let options = OpenOptions {
            name: name.clone(),
            limits: Limits::default(),
            object: setup.object.clone(),
        };
        let (plane, _) = DataPlane::open(&options)?;
        let mut director = Director { plane, name };
        for traffic in Traffic::ALL {
            let service = ServiceKey::Address {
                protocol: Protocol::Tcp,
                address: network::service(traffic).into(),
            };
            let spec = ServiceSpec::new(service, Scheduler::Wlc);
            director.plane.apply(&Command::AddService(spec))?;
            let server = ServerSpec::new(network::server(traffic), Weight::ONE);
            let command = Command::AddServer { service, server };
            director.plane.apply(&command)?;
        }
        director.plane.attach(network::OUTER, Side::Outer)?;
        director.plane.attach(network::INNER, Side::Inner)?;
        Ok(director)
    }

    fn beside(
        &mut self,
        traffic: Traffic,
        network: &Network,
        setup: &Setup,
        report: &mut Report<'_>,
    ) -> Result<(), ScaleError> {
        let attacker = Attacker::start(network, network::service(traffic))?;
        let victim = Victim::start(network, traffic)?;
        let length = setup.sizes.flood_slice;
        let alone = self.slice(&victim, None, length);
        let case = format!("{traffic} without a flood");
        report.figure(case, alone.throughput, traffic.unit());
        let (mut kept, mut dropped, mut let_in) = (Vec::new(), Vec::new(), Vec::new());
        let before = self.plane.reasons();
        for _ in 0..setup.sizes.flood_slices {
            self.let_flood(Flood::DroppedAtEntry)?;
            let apart = self.slice(&victim, Some(&attacker), length);
            self.let_flood(Flood::LetIn)?;
            let beside = self.slice(&victim, Some(&attacker), length);
            kept.push(beside.throughput / apart.throughput.max(1.0));
            dropped.push(apart);
            let_in.push(beside);
        }
        let names = ["opened", "table_full"];
        let counted = names.map(|name| count(&self.plane.reasons(), name) - count(&before, name));
        for (what, slices) in [("dropped at entry", dropped), ("let in", let_in)] {
            let throughput = median(slices.iter().map(|slice| slice.throughput).collect());
            let case = format!("{traffic} under a flood that is {what}");
            report.figure(case, throughput, traffic.unit());
            let rate = median(slices.iter().map(|slice| slice.flood_rate).collect());
            report.figure(format!("flood that is {what}"), rate / 1e3, "k/s");
        }
        let [opened, refused] = counted;
        report.figure("of the flood, opened", opened as f64 / 1e3, "thousand");
        report.figure(
            "of the flood, refused for want of room",
            refused as f64 / 1e3,
            "thousand",
        );
        let case = format!("{traffic}: share kept under the flood that is let in");
        report.goal(case, median(kept), "", Goal::AtLeast(SHARE_KEPT));
        attacker.end()?;
        victim.end()
    }

    fn slice(&self, victim: &Victim, attacker: Option<&Attacker>, length: Duration) -> Slice {
        if let Some(attacker) = attacker {
            attacker.flood();
        }
        sleep(SETTLE);
        let sent = || attacker.map_or(0, Attacker::sent);
        let (units, packets, start) = (victim.units(), sent(), Instant::now());
        sleep(length);
        let (units, packets) = (victim.units() - units, sent() - packets);
        let seconds = start.elapsed().as_secs_f64();
        if let Some(attacker) = attacker {
            attacker.pause();
        }
        self.wait_for_calm();
        Slice {
            throughput: units / seconds,
            flood_rate: packets as f64 / seconds,
        }
    }

    fn let_flood(&mut self, flood: Flood) -> Result<(), ScaleError> {
        match flood {
            Flood::DroppedAtEntry => {
                self.plane.detach(network::FLOODED)?;
                entry::close(network::FLOODED)
            }
            Flood::LetIn => {
                entry::open(network::FLOODED)?;
                self.plane.attach(network::FLOODED, Side::Outer)?;
                Ok(())
            }
        }
    }

    /// What a flood left in the table must not be swept in the next slice.
    fn wait_for_calm(&self) {
        let start = Instant::now();
        let mut expired = self.plane.sweeper().expired;
        while start.elapsed() < PATIENCE {
            sleep(CALM);
            let now = self.plane.sweeper().expired;
            if now - expired < CALM_EXPIRES {
                return;
            }
            expired = now;
        }
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next measurement.
        let _ = DataPlane::remove(&self.name);
    }
}

fn count(reasons: &[vsnat_api::ReasonCount], name: &str) -> u64 {
    let found = reasons.iter().find(|count| count.reason == name);
    found.map_or(0, |count| count.packets)
}
