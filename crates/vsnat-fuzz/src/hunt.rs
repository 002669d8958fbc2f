//! The search: scripts that reach something new are kept, and changed further.

use std::panic::{self, AssertUnwindSafe};
use std::time::Instant;

use vsnat_abi::counters::Reason;

use crate::act::Act;
use crate::chance::Chance;
use crate::draw::{beginning, draw};
use crate::errors::Finding;
use crate::script::Script;
use crate::shrink::shrink;
use crate::traces::Traces;
use crate::world::World;

/// Acts that a script may have: the tables are small, and all that can happen
/// in them happens early.
const ACTS_MAX: usize = 160;
/// Acts that are drawn behind a script.
const ACTS_DRAWN: usize = 40;
/// Whole scripts of a corpus: more of them would make its replay slow.
const WHOLE_MAX: usize = 12;

/// What a search has come to.
#[derive(Debug)]
pub struct Hunt {
    chance: Chance,
    kept: Vec<(Script, Traces)>,
    traces: Traces,
    reached: [bool; Reason::ALL.len()],
    pub scripts: u64,
    pub acts: u64,
    pub packets: u64,
}

/// A script that did what must never happen, as short as it can be.
#[derive(Debug)]
pub struct Found {
    pub script: Script,
    pub finding: Finding,
}

impl Hunt {
    pub fn new(seed: u64) -> Self {
        Hunt {
            chance: Chance::new(seed),
            kept: Vec::new(),
            traces: Traces::default(),
            reached: [false; Reason::ALL.len()],
            scripts: 0,
            acts: 0,
            packets: 0,
        }
    }

    /// Begins with a script that is there.
    pub fn take(&mut self, script: Script) -> Result<(), Box<Found>> {
        let mut world = World::new();
        let done = carry_out(&mut world, &script);
        self.note(script, world, done)
    }

    /// Goes on until a moment, or until something is found.
    pub fn go_on(&mut self, until: Instant) -> Result<(), Box<Found>> {
        while Instant::now() < until {
            self.one()?;
        }
        Ok(())
    }

    /// Goes on for so many scripts.
    pub fn go_on_for(&mut self, scripts: u64) -> Result<(), Box<Found>> {
        (0..scripts).try_for_each(|_| self.one())
    }

    pub fn traces(&self) -> usize {
        self.traces.len()
    }

    pub fn reasons(&self) -> impl Iterator<Item = (Reason, bool)> + '_ {
        Reason::ALL.into_iter().zip(self.reached)
    }

    /// A short script for each reason that was reached, and those whole scripts
    /// that together reach the most.
    pub fn distilled(&self) -> Vec<Script> {
        let mut chosen = self.one_for_each_reason();
        let mut left: Vec<&(Script, Traces)> = self.kept.iter().collect();
        let mut covered = Traces::default();
        for _ in 0..WHOLE_MAX {
            let Some(best) = best_of(&left, &covered) else {
                break;
            };
            let (script, traces) = left.swap_remove(best);
            covered.add(traces);
            chosen.push(script.clone());
        }
        chosen
    }

    fn one_for_each_reason(&self) -> Vec<Script> {
        let mut chosen: Vec<Script> = Vec::new();
        for (reason, _) in self.reasons().filter(|(_, reached)| *reached) {
            if chosen.iter().any(|script| reaches(script, reason)) {
                continue;
            }
            let mut by_length: Vec<&Script> = self.kept.iter().map(|(s, _)| s).collect();
            by_length.sort_by_key(|script| script.acts.len());
            let shortest = by_length.into_iter().find(|script| reaches(script, reason));
            chosen.extend(shortest.map(|s| shrink(s, |s| reaches(s, reason))));
        }
        chosen
    }

    fn one(&mut self) -> Result<(), Box<Found>> {
        let mut script = self.parent();
        let mut world = World::new();
        let mut done = carry_out_without_end(&mut world, &script);
        let drawn = self.chance.below(ACTS_DRAWN);
        for _ in 0..drawn {
            if done.is_err() || script.acts.len() >= ACTS_MAX {
                break;
            }
            for act in draw(&mut self.chance, &world) {
                script.acts.push(act.clone());
                done = done.and_then(|()| guarded(|| world.act(&act)));
            }
        }
        let done = done.and_then(|()| guarded(|| world.end()));
        self.note(script, world, done)
    }

    /// A script that was kept, changed a little; or a new one.
    fn parent(&mut self) -> Script {
        let chance = &mut self.chance;
        let Some((parent, _)) = chance.pick(&self.kept).filter(|_| !chance.one_in(8)) else {
            let acts = beginning(chance);
            return Script { acts };
        };
        let mut acts = parent.acts.clone();
        for _ in 0..chance.below(3) {
            let at = chance.below(acts.len().max(1));
            match chance.below(4) {
                0 if at < acts.len() => drop(acts.remove(at)),
                1 if at < acts.len() => acts.insert(at, acts[at].clone()),
                2 if at < acts.len() => acts.truncate(at),
                _ => {
                    if let Some((other, _)) = chance.pick(&self.kept) {
                        let from = chance.below(other.acts.len());
                        acts.extend(other.acts.iter().skip(from).take(20).cloned());
                    }
                }
            }
        }
        acts.truncate(ACTS_MAX);
        Script { acts }
    }

    fn note(
        &mut self,
        script: Script,
        world: World,
        done: Result<(), Finding>,
    ) -> Result<(), Box<Found>> {
        self.scripts += 1;
        self.acts += script.acts.len() as u64;
        let packets = script.acts.iter().filter(|act| is_packet(act));
        self.packets += packets.count() as u64;
        if let Err(finding) = done {
            let same = |script: &Script| {
                let again = carry_out(&mut World::new(), script).err();
                again.is_some_and(|again| again.kind() == finding.kind())
            };
            let script = shrink(&script, same);
            return Err(Box::new(Found { script, finding }));
        }
        for (reached, reason) in self.reached.iter_mut().zip(Reason::ALL) {
            *reached |= world.has_reached(reason);
        }
        if !self.traces.has_all_of(world.traces()) {
            self.traces.add(world.traces());
            self.kept.push((script, world.traces().clone()));
        }
        Ok(())
    }
}

/// Carries a script out to its end.
pub fn carry_out(world: &mut World, script: &Script) -> Result<(), Finding> {
    carry_out_without_end(world, script)?;
    guarded(|| world.end())
}

fn carry_out_without_end(world: &mut World, script: &Script) -> Result<(), Finding> {
    script
        .acts
        .iter()
        .try_for_each(|act| guarded(|| world.act(act)))
}

/// A panic is a finding.
fn guarded(work: impl FnOnce() -> Result<(), Finding>) -> Result<(), Finding> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done,
        Err(cause) => {
            let text = cause
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| cause.downcast_ref::<&str>().copied())
                .unwrap_or("without a word");
            Err(Finding::new(format!("panic: {text}")))
        }
    }
}

fn is_packet(act: &Act) -> bool {
    matches!(act, Act::Packet(_) | Act::MeanwhilePacket { .. })
}

fn best_of(left: &[&(Script, Traces)], covered: &Traces) -> Option<usize> {
    let news = left
        .iter()
        .map(|(_, traces)| covered.news_of(traces).len())
        .enumerate();
    let (best, count) = news.max_by_key(|(_, count)| *count)?;
    (count > 0).then_some(best)
}

fn reaches(script: &Script, reason: Reason) -> bool {
    let mut world = World::new();
    carry_out(&mut world, script).is_ok() && world.has_reached(reason)
}
