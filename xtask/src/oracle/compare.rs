//! Holds the answers of the two worlds against each other, step by step.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use oracle::plan::{Answers, Plan, Sequence, Step};

use super::known::{Found, Known, Then};
use super::mask::masked;

/// The shortest-lived state is CLOSE, of ten seconds: what takes nearly as long may
/// have lost a connection in one world and not in the other.
const LONGEST_MS: u64 = 8_000;

/// A sequence whose answers differ, and where they begin to.
pub struct Different {
    pub number: u32,
    pub step: usize,
    ipvs: String,
    vsnat: String,
}

#[derive(Default)]
pub struct Verdict {
    pub sequences: usize,
    pub steps: usize,
    pub different: Vec<Different>,
    /// How often each known difference was met.
    pub known: BTreeMap<String, usize>,
    pub too_slow: Vec<u32>,
}

pub fn read(path: &Path) -> Result<HashMap<u32, Answers>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let answers = text
        .lines()
        .map(|line| {
            let answers: Answers = serde_json::from_str(line)?;
            Ok((answers.number, answers))
        })
        .collect::<Result<_>>();
    answers.with_context(|| format!("{} holds something else than answers", path.display()))
}

pub fn compare(
    plan: &Plan,
    ipvs: &HashMap<u32, Answers>,
    vsnat: &HashMap<u32, Answers>,
    known: &Known,
) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    for sequence in &plan.sequences {
        let number = sequence.number;
        let (Some(ipvs), Some(vsnat)) = (ipvs.get(&number), vsnat.get(&number)) else {
            bail!("sequence {number} was not carried out in both worlds");
        };
        let steps = sequence.steps.len();
        if ipvs.texts.len() != steps || vsnat.texts.len() != steps {
            bail!("sequence {number} has {steps} steps, and other numbers of answers");
        }
        if ipvs.took_ms.max(vsnat.took_ms) > LONGEST_MS {
            verdict.too_slow.push(number);
            continue;
        }
        verdict.sequences += 1;
        verdict.look_at(sequence, ipvs, vsnat, known);
    }
    Ok(verdict)
}

impl Verdict {
    fn look_at(&mut self, sequence: &Sequence, ipvs: &Answers, vsnat: &Answers, known: &Known) {
        for (index, step) in sequence.steps.iter().enumerate() {
            self.steps += 1;
            let ipvs = masked(sequence.number, step, &ipvs.texts[index]);
            let vsnat = masked(sequence.number, step, &vsnat.texts[index]);
            if ipvs == vsnat {
                continue;
            }
            let found = Found {
                before: &sequence.steps[..index],
                step,
                ipvs: only(&ipvs, &vsnat),
                vsnat: only(&vsnat, &ipvs),
            };
            match known.find(&found) {
                Some(difference) => {
                    let row = format!("{} ({})", difference.row, difference.recorded);
                    *self.known.entry(row).or_default() += 1;
                    match difference.then {
                        Then::Continue => {}
                        Then::Stop => return,
                    }
                }
                None => {
                    self.different.push(Different {
                        number: sequence.number,
                        step: index,
                        ipvs,
                        vsnat,
                    });
                    return;
                }
            }
        }
    }
}

impl Different {
    /// The steps up to the difference, and both answers of the last.
    pub fn tell(&self, sequence: &Sequence) -> String {
        let mut text = format!("sequence {}:\n", self.number);
        for (index, step) in sequence.steps[..=self.step].iter().enumerate() {
            // What was only looked at on the way was equal.
            if index == self.step || !only_looks(step) {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "  {step}");
            }
        }
        for (who, answer) in [("IPVS", &self.ipvs), ("vsnat", &self.vsnat)] {
            let _ = writeln!(text, "  {who} answers:");
            for line in answer.lines() {
                let _ = writeln!(text, "    | {line}");
            }
        }
        text
    }
}

/// Whether a step leaves everything as it is.
fn only_looks(step: &Step) -> bool {
    match step {
        Step::Ipvsadm(words) => words
            .first()
            .is_some_and(|word| word.starts_with("-L") || word.starts_with("-S")),
        Step::Open { .. }
        | Step::Talk(_)
        | Step::Close { .. }
        | Step::Reset(_)
        | Step::Datagram { .. }
        | Step::Set { .. }
        | Step::Wait { .. } => false,
    }
}

/// Lines of one text that the other does not have.
fn only<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    let others: Vec<&str> = other.lines().collect();
    let lines = text.lines().filter(|line| !others.contains(line));
    lines.collect()
}
