//! From servers and weights to what the schedulers read.
//!
//! The order of picks is IPVS's, and so is what a change does to it: `rr`
//! goes on behind the server it used last, `wrr` starts at the head of the
//! list with its current weight put on the new steps. Servers come newest
//! first.

use vsnat_abi::service::{Entry, LEVEL_ENTRIES, Level, NO_ENTRY, View, scheduler};
use vsnat_api::Scheduler;

use crate::plane::tables;

/// A server in the list of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub dest: u32,
    pub weight: u32,
    /// The last weight that was not zero.
    pub last_weight: u32,
    /// Address and port, in the host's order: what `mh` hashes.
    pub address: u32,
    pub port: u16,
}

/// Where a scheduler stands between two picks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// `rr`: the destination used last; `None` is the head of the list.
    pub last: Option<u32>,
    /// `wrr`: the current weight; 0 before the first server.
    pub current_weight: u64,
    /// `lblc` and `lblcr`: since when they remember; 0: nothing yet.
    pub bound: u64,
}

/// A view without its place in the ring, and its ring entries.
#[derive(Clone, Debug, Default)]
pub struct Order {
    pub view: View,
    pub entries: Vec<u64>,
}

/// The number of a scheduler in the kernel.
pub fn scheduler_number(name: Scheduler) -> u32 {
    match name {
        Scheduler::Rr => scheduler::RR,
        Scheduler::Wrr => scheduler::WRR,
        Scheduler::Lc => scheduler::LC,
        Scheduler::Wlc => scheduler::WLC,
        Scheduler::Sed => scheduler::SED,
        Scheduler::Nq => scheduler::NQ,
        Scheduler::Fo => scheduler::FO,
        Scheduler::Ovf => scheduler::OVF,
        Scheduler::Twos => scheduler::TWOS,
        Scheduler::Sh => scheduler::SH,
        Scheduler::Dh => scheduler::DH,
        Scheduler::Mh => scheduler::MH,
        Scheduler::Lblc => scheduler::LBLC,
        Scheduler::Lblcr => scheduler::LBLCR,
    }
}

pub fn scheduler_of(number: u32) -> Option<Scheduler> {
    Scheduler::ALL
        .into_iter()
        .find(|name| scheduler_number(*name) == number)
}

/// Prepares the order in which `servers` are picked from `standing` on.
pub fn order(name: Scheduler, servers: &[Listed], standing: Standing) -> Order {
    let mut order = match name {
        Scheduler::Rr => round_robin(servers, standing),
        Scheduler::Wrr => weighted(servers, standing),
        Scheduler::Lc
        | Scheduler::Wlc
        | Scheduler::Sed
        | Scheduler::Nq
        | Scheduler::Fo
        | Scheduler::Ovf
        | Scheduler::Lblc
        | Scheduler::Lblcr => usable_in_order(servers),
        Scheduler::Twos => with_sums(usable_in_order(servers)),
        Scheduler::Sh => slots(tables::by_source(servers)),
        Scheduler::Dh => slots(tables::by_destination(servers)),
        Scheduler::Mh => slots(tables::maglev(servers)),
    };
    order.view.scheduler = scheduler_number(name);
    order.view.ring_entries = order.entries.len() as u32;
    order
}

/// Where the scheduler of a view stands after `picks` of it.
pub fn standing(view: &View, entry: impl Fn(u32) -> u64, picks: u64) -> Standing {
    match scheduler_of(view.scheduler) {
        Some(Scheduler::Rr) => Standing {
            last: round_robin_last(view, entry, picks),
            ..Standing::default()
        },
        Some(Scheduler::Wrr) => Standing {
            current_weight: weighted_current(view, entry, picks),
            ..Standing::default()
        },
        Some(Scheduler::Lblc | Scheduler::Lblcr) => Standing {
            bound: view.anchor,
            ..Standing::default()
        },
        Some(
            Scheduler::Lc
            | Scheduler::Wlc
            | Scheduler::Sed
            | Scheduler::Nq
            | Scheduler::Fo
            | Scheduler::Ovf
            | Scheduler::Twos
            | Scheduler::Sh
            | Scheduler::Dh
            | Scheduler::Mh,
        )
        | None => Standing::default(),
    }
}

fn usable_in_order(servers: &[Listed]) -> Order {
    let entries: Vec<u64> = servers.iter().filter(|s| s.weight > 0).map(entry).collect();
    let view = View {
        servers: entries.len() as u32,
        period: entries.len() as u64,
        ..View::default()
    };
    Order { view, entries }
}

/// `twos` draws a number below the sum of all weights.
fn with_sums(order: Order) -> Order {
    let mut sum = 0;
    let mut entries = Vec::new();
    for entry in order.entries {
        sum += u64::from(Entry::from_raw(entry).weight());
        entries.extend([sum, entry]);
    }
    let view = View {
        period: sum,
        ..order.view
    };
    Order { view, entries }
}

/// A table of slots, each with a server or none.
fn slots(table: Vec<Option<Listed>>) -> Order {
    let entries: Vec<u64> = table
        .iter()
        .map(|slot| slot.as_ref().map_or(NO_ENTRY, entry))
        .collect();
    let view = View {
        servers: entries.len() as u32,
        ..View::default()
    };
    Order { view, entries }
}

fn entry(server: &Listed) -> u64 {
    Entry::new(server.dest, server.weight).raw()
}

/// The first pick is the first usable server behind the one used last.
fn round_robin(servers: &[Listed], standing: Standing) -> Order {
    let mut order = usable_in_order(servers);
    let behind = standing
        .last
        .and_then(|last| servers.iter().position(|s| s.dest == last));
    let passed = behind.map_or(0, |place| place + 1);
    let before = servers[..passed].iter().filter(|s| s.weight > 0).count() as u64;
    let period = order.view.period;
    order.view.start = if before >= period { 0 } else { before };
    order.view.anchor = match behind {
        Some(place) => u64::from(servers[place].dest) + 1,
        None => 0,
    };
    order
}

fn round_robin_last(view: &View, entry: impl Fn(u32) -> u64, picks: u64) -> Option<u32> {
    if picks == 0 || view.period == 0 {
        return u32::try_from(view.anchor.checked_sub(1)?).ok();
    }
    let place = (picks - 1 + view.start) % view.period;
    Some(Entry::from_raw(entry(view.ring + place as u32)).dest())
}

/// IPVS's step and largest current weight of a list.
struct Steps {
    step: u64,
    largest: u64,
}

fn steps(servers: &[Listed]) -> Steps {
    let weights = servers.iter().map(|s| u64::from(s.weight));
    let largest = weights.clone().max().unwrap_or(0);
    let step = weights.filter(|w| *w > 0).fold(0, gcd).max(1);
    Steps {
        step,
        largest: (largest + 1).saturating_sub(step),
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What a change of the list does to the current weight.
fn settle(current: u64, steps: &Steps) -> u64 {
    if current > steps.largest || current == 0 {
        return steps.largest;
    }
    if steps.step > 1 {
        return current / steps.step * steps.step + 1;
    }
    current
}

fn weighted(servers: &[Listed], standing: Standing) -> Order {
    let steps = steps(servers);
    let current = settle(standing.current_weight, &steps);
    let mut heights: Vec<u64> = servers
        .iter()
        .map(|s| u64::from(s.weight) / steps.step)
        .collect();
    heights.retain(|height| *height > 0);
    heights.sort_unstable_by(|a, b| b.cmp(a));
    heights.dedup();

    let mut levels = Vec::new();
    let mut members = Vec::new();
    let mut begins = 0;
    let mut start = 0;
    let wanted = (current + steps.step).saturating_sub(1) / steps.step;
    for (number, height) in heights.iter().enumerate() {
        let below = heights.get(number + 1).copied().unwrap_or(0);
        let level: Vec<u64> = servers
            .iter()
            .filter(|s| u64::from(s.weight) / steps.step >= *height)
            .map(entry)
            .collect();
        let offset = heights.len() as u32 * LEVEL_ENTRIES + members.len() as u32;
        if wanted > below && wanted <= *height {
            start = begins + (height - wanted) * level.len() as u64;
        }
        levels.extend([begins, Level::new(offset, level.len() as u32).raw()]);
        begins += (height - below) * level.len() as u64;
        members.extend(level);
    }
    let view = View {
        servers: servers.iter().filter(|s| s.weight > 0).count() as u32,
        levels: heights.len() as u32,
        period: begins,
        start,
        anchor: current,
        ..View::default()
    };
    levels.extend(members);
    Order {
        view,
        entries: levels,
    }
}

/// The current weight at the last pick: it sinks within a level by one step
/// for each round of the level's servers.
fn weighted_current(view: &View, entry: impl Fn(u32) -> u64, picks: u64) -> u64 {
    if picks == 0 || view.period == 0 {
        return view.anchor;
    }
    let place = (picks - 1 + view.start) % view.period;
    let begins = |level: u32| entry(view.ring + level * LEVEL_ENTRIES);
    let members = |level: u32| Level::from_raw(entry(view.ring + level * LEVEL_ENTRIES + 1));
    let Some(level) = (0..view.levels).rev().find(|level| begins(*level) <= place) else {
        return view.anchor;
    };
    let weight_of = |at: u32| u64::from(Entry::from_raw(entry(view.ring + at)).weight());
    let span = |level: u32| {
        let members = members(level);
        (0..members.servers()).map(move |i| weight_of(members.offset() + i))
    };
    let step = span(view.levels - 1).fold(0, gcd).max(1);
    let height = span(level).min().unwrap_or(1) / step;
    let round = (place - begins(level)) / u64::from(members(level).servers().max(1));
    (height - round - 1) * step + 1
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
