//! A director in memory to which the acts of a script happen, and its judge.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vsnat_abi::counters::{COUNTERS, Reason};
use vsnat_api::{ConnectionView, Side};
use vsnat_core::Verdict;
use vsnat_core::sweep::Pressure;
use vsnat_core::way::Step;
use vsnat_dataplane::model::{Model, ModelPacket};
use vsnat_dataplane::{Backend, Limits, Plane};

use crate::act::{Act, Caller, Expected, Haste};
use crate::arrival::{Arrival, Front};
use crate::errors::Finding;
use crate::judge::{self, Passing};
use crate::machine::packet_of;
use crate::traces::Traces;
use crate::words::command_of;

/// So few that a script fills the table.
pub const CONNECTIONS: u32 = 40;
const LIMITS: Limits = Limits {
    connections: CONNECTIONS,
    services: 12,
    servers: 24,
};
/// Everything that the model draws comes from here.
const SEED: u64 = 42;
/// Longer than anything in the tables lives.
const FOR_EVER_MS: u64 = 32 * 24 * 60 * 60 * 1_000;
/// Longer than a slot rests.
const REST_MS: u64 = 2_000;
/// A template outlives its last connection by a minute, seen at the next sweep.
const LAST_SWEEPS: usize = 4;

pub struct World {
    plane: Plane<Model>,
    meanwhile: Arc<Mutex<Meanwhile>>,
    traces: Traces,
    /// How often each reason was given.
    totals: [u64; COUNTERS],
}

/// What another CPU does, and what the present packet has gone through.
#[derive(Default)]
struct Meanwhile {
    /// Each after so many steps.
    waiting: Vec<(u32, Intrusion)>,
    steps: DefaultHasher,
    intruded: u32,
    wrong: Option<String>,
}

enum Intrusion {
    Packet(Arrival),
    Sweep(u64),
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl World {
    pub fn new() -> Self {
        let meanwhile = Arc::new(Mutex::new(Meanwhile::default()));
        let mut model = Model::new(&LIMITS, SEED);
        let theirs = Arc::clone(&meanwhile);
        model.between_steps(move |model, step| intrude(&theirs, model, step));
        World {
            plane: Plane::new(model),
            meanwhile,
            traces: Traces::default(),
            totals: [0; COUNTERS],
        }
    }

    pub fn traces(&self) -> &Traces {
        &self.traces
    }

    pub fn connections(&self) -> Vec<ConnectionView> {
        self.plane.connections()
    }

    pub fn has_reached(&self, reason: Reason) -> bool {
        self.totals[reason.index() as usize] > 0
    }

    /// What happens, and whether it was right.
    pub fn act(&mut self, act: &Act) -> Result<(), Finding> {
        match act {
            Act::Packet(arrival) => self.packet(arrival)?,
            Act::MeanwhilePacket { after, arrival } => {
                self.wait(*after, Intrusion::Packet(arrival.clone()));
            }
            Act::MeanwhileSweep { after, ms } => self.wait(*after, Intrusion::Sweep(*ms)),
            Act::Draw { seed } => self.plane.backend_mut().draw_from(*seed),
            Act::Advance { ms } => self.plane.backend_mut().advance_ms(*ms),
            Act::Sweep(haste) => self.sweep(*haste),
            Act::Tend => self.plane.tend(),
            Act::Forget => self.plane.forget_next_hops(),
            Act::Restart => self.restart(),
            Act::Spare { first: 0, last: 0 } => self.plane.spare_ports(None),
            Act::Spare { first, last } => self.plane.spare_ports(Some((*first, *last))),
            Act::Expect(expected) => self.expect(expected),
            Act::Own { networks } => self.own(networks),
            Act::Ipvsadm(_)
            | Act::Lend(_)
            | Act::Set { .. }
            | Act::Deny { .. }
            | Act::Allow { .. }
            | Act::Mark(_)
            | Act::Unmark(_) => self.command(act)?,
        }
        self.note_reasons();
        self.counts_fit()
    }

    /// Everything ends at last: nothing may be left of it.
    pub fn end(&mut self) -> Result<(), Finding> {
        for connection in self.plane.connections() {
            let (protocol, state) = (connection.protocol, connection.state.name());
            self.traces
                .note(("left", protocol.map(|p| p.number()), state));
        }
        for _ in 0..LAST_SWEEPS {
            self.plane.backend_mut().advance_ms(FOR_EVER_MS);
            self.sweep(Haste::Relaxed);
            self.plane.backend_mut().advance_ms(REST_MS);
            self.sweep(Haste::Relaxed);
        }
        self.counts_fit()?;
        let table = self.plane.table();
        let waiting = self.plane.backend().waiting_slots();
        let entries = self.plane.backend().flow_entries();
        if table.free != CONNECTIONS || waiting != CONNECTIONS as usize || entries != 0 {
            return Err(Finding::new(format!(
                "left at the end: {table:?}, {waiting} slots waiting, {entries} flow entries"
            )));
        }
        self.note_reasons();
        Ok(())
    }

    fn meanwhile(&self) -> MutexGuard<'_, Meanwhile> {
        self.meanwhile
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&mut self, after: u32, intrusion: Intrusion) {
        self.meanwhile().waiting.push((after, intrusion));
    }

    fn packet(&mut self, arrival: &Arrival) -> Result<(), Finding> {
        let before = self.plane.backend().counters();
        {
            let mut meanwhile = self.meanwhile();
            meanwhile.steps = DefaultHasher::new();
            meanwhile.intruded = 0;
        }
        let mut packet = packet_of(arrival);
        let verdict = run(self.plane.backend_mut(), arrival, &mut packet);
        let after = self.plane.backend().counters();
        let counted = |reason: Reason| {
            let at = reason.index() as usize;
            after[at] - before[at]
        };
        let (steps, intruded, wrong) = {
            let mut meanwhile = self.meanwhile();
            let wrong = meanwhile.wrong.take();
            (meanwhile.steps.finish(), meanwhile.intruded, wrong)
        };
        if let Some(wrong) = wrong {
            return Err(Finding::new(format!("{wrong}: between two steps")));
        }
        let judged = judge_all(&arrival.bytes, &packet.bytes, verdict, &counted, intruded)
            .and_then(|()| match intruded {
                0 => judge::handing(&counted, arrival.side, verdict),
                _ => Ok(()),
            });
        judged.map_err(|what| Finding::new(format!("{what}: {arrival}")))?;
        let given: Vec<u32> = Reason::ALL
            .into_iter()
            .filter(|reason| counted(*reason) > 0)
            .map(Reason::index)
            .collect();
        let protocol = arrival.bytes.get(23).copied().unwrap_or(0);
        let protocol = [1, 6, 17, 58, 132].into_iter().find(|p| *p == protocol);
        let fate = std::mem::discriminant(&verdict);
        self.traces.note((steps, &given, fate));
        self.traces
            .note((side(arrival.side), protocol, &given, fate, intruded > 0));
        Ok(())
    }

    fn sweep(&mut self, haste: Haste) {
        self.plane.backend_mut().sweep(match haste {
            Haste::Relaxed => Pressure::Relaxed,
            Haste::Short => Pressure::Short,
        });
    }

    fn restart(&mut self) {
        let empty = Plane::new(Model::new(
            &Limits {
                connections: 1,
                services: 1,
                servers: 1,
            },
            SEED,
        ));
        let left = std::mem::replace(&mut self.plane, empty);
        self.plane = Plane::new(left.into_backend());
    }

    /// Addresses are read as whatever the plane takes.
    fn expect(&mut self, expected: &Expected) {
        let (Ok(client), Ok(vip)) = (expected.client.parse(), expected.vip.parse()) else {
            return;
        };
        let Some(control) = self.plane.proxied(client, vip) else {
            return;
        };
        for step in 0..expected.count {
            let port = expected.port.wrapping_add(step).max(1);
            // A refusal is an answer, and the full table is counted.
            let done = match expected.caller {
                Caller::Client => self.plane.expect_client(&control, port).map(drop),
                Caller::Server => self.plane.expect_server(&control, port),
            };
            self.traces.note(("expected", done.is_ok()));
        }
    }

    fn own(&mut self, networks: &str) {
        let networks = networks.split_whitespace().map(str::parse);
        if let Ok(networks) = networks.collect::<Result<Vec<_>, _>>() {
            let done = self.plane.set_own_networks(&networks);
            self.traces.note(("own", done.is_ok()));
        }
    }

    /// What is refused must have changed nothing.
    fn command(&mut self, act: &Act) -> Result<(), Finding> {
        let Some(command) = command_of(act) else {
            return Ok(());
        };
        let before = self.plane.services();
        let done = self.plane.apply(&command);
        self.traces.note((
            std::mem::discriminant(&command),
            done.as_ref().err().map(std::mem::discriminant),
        ));
        if done.is_err() && before != self.plane.services() {
            return Err(Finding::new(format!(
                "a refused command changed the tables: {act}"
            )));
        }
        Ok(())
    }

    fn note_reasons(&mut self) {
        for count in self.plane.reasons() {
            let reason = Reason::ALL.into_iter().find(|r| r.name() == count.reason);
            if let Some(reason) = reason.filter(|_| count.packets > 0) {
                self.totals[reason.index() as usize] = count.packets;
                self.traces.note(("reason", reason.index()));
            }
        }
    }

    /// Connections of all servers together are those of the table.
    fn counts_fit(&self) -> Result<(), Finding> {
        let counts = self.plane.backend().memory().dest_counts;
        let (mut connections, mut templates) = (0, 0);
        for (_, count) in counts.iter() {
            connections += u64::from(count.active) + u64::from(count.inactive);
            templates += u64::from(count.persistent);
        }
        let live = u64::from(self.plane.table().live);
        if connections + templates != live {
            return Err(Finding::new(format!(
                "servers count {connections} connections and {templates} templates, the table has \
                 {live} of both"
            )));
        }
        Ok(())
    }
}

fn judge_all(
    before: &[u8],
    after: &[u8],
    verdict: Verdict,
    counted: judge::Counted<'_>,
    intruded: u32,
) -> Result<(), String> {
    let is_translated = counted(Reason::Forwarded) + counted(Reason::Returned) > 0;
    let passing = match is_translated || intruded > 0 {
        true => Passing::MayBeTranslated,
        false => Passing::Untouched,
    };
    judge::bytes(before, after, verdict, passing)?;
    // Others have counted too.
    if intruded > 0 {
        return Ok(());
    }
    judge::counters(counted, verdict)?;
    let left = matches!(
        verdict,
        Verdict::Redirect { .. } | Verdict::Neighbour { .. }
    );
    if left && is_translated {
        judge::translation(before, after)?;
    }
    if left && counted(Reason::IcmpSent) + counted(Reason::ResetSent) > 0 {
        judge::answer(before, after)?;
    }
    Ok(())
}

fn intrude(meanwhile: &Mutex<Meanwhile>, model: &mut Model, step: Step) {
    let mut meanwhile = meanwhile.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::discriminant(&step).hash(&mut meanwhile.steps);
    for (after, intrusion) in std::mem::take(&mut meanwhile.waiting) {
        if let Some(after) = after.checked_sub(1) {
            meanwhile.waiting.push((after, intrusion));
            continue;
        }
        meanwhile.intruded += 1;
        match intrusion {
            Intrusion::Packet(arrival) => {
                let mut packet = packet_of(&arrival);
                let verdict = run(model, &arrival, &mut packet);
                let judged = judge::bytes(
                    &arrival.bytes,
                    &packet.bytes,
                    verdict,
                    Passing::MayBeTranslated,
                );
                meanwhile.wrong = meanwhile.wrong.take().or(judged.err());
            }
            Intrusion::Sweep(ms) => {
                model.advance_ms(ms);
                model.sweep(Pressure::Relaxed);
            }
        }
    }
}

fn run(model: &mut Model, arrival: &Arrival, packet: &mut ModelPacket) -> Verdict {
    let ahead = match (arrival.front, arrival.side) {
        (Front::None, _) => None,
        (Front::Accelerator, Side::Outer) => model.outer_ahead(packet),
        (Front::Accelerator, Side::Inner) => model.inner_ahead(packet),
    };
    match (ahead, arrival.side) {
        (Some(verdict), _) => verdict,
        (None, Side::Outer) => model.outer(packet),
        (None, Side::Inner) => model.inner(packet),
    }
}

fn side(side: Side) -> u8 {
    match side {
        Side::Outer => 0,
        Side::Inner => 1,
    }
}

/// The ends of a connection: client, virtual address, server.
pub fn ends(connection: &ConnectionView) -> Option<[SocketAddr; 3]> {
    Some([
        connection.client.to_string().parse().ok()?,
        connection.virtual_address.to_string().parse().ok()?,
        connection.server.to_string().parse().ok()?,
    ])
}
