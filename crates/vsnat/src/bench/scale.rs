//! `vsnat bench scale`: how large it may be.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use vsnat_bench::scale::{Goal, Part, Row, Setup, Sizes, Verdict, scale};

use crate::output;

#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Measure these parts only; may be given several times.
    #[arg(long, value_name = "PART")]
    only: Vec<PartName>,
    /// Print JSON, when everything is measured.
    #[arg(long)]
    json: bool,
    /// Measure this eBPF object instead of the embedded one.
    #[arg(long, value_name = "FILE")]
    bpf_object: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PartName {
    /// Kernel memory of a connection, a service and a server.
    Memory,
    /// A million connections: opened, beyond the full table, and their end.
    Table,
    /// Adding and removing a server where there are many.
    Changes,
    /// The same through a director; its restore, its listing, its restart.
    Daemon,
    /// Established traffic beside a SYN flood of spoofed sources.
    Flood,
}

impl PartName {
    fn part(self) -> Part {
        match self {
            PartName::Memory => Part::Memory,
            PartName::Table => Part::Table,
            PartName::Changes => Part::Changes,
            PartName::Daemon => Part::Daemon,
            PartName::Flood => Part::Flood,
        }
    }
}

pub fn main(args: ScaleArgs) -> anyhow::Result<ExitCode> {
    let ScaleArgs {
        only,
        json,
        bpf_object,
    } = args;
    let setup = Setup {
        sizes: Sizes::default(),
        parts: match only.is_empty() {
            true => Part::ALL.to_vec(),
            false => only.into_iter().map(PartName::part).collect(),
        },
        object: bpf_object,
        vsnat: env::current_exe().context("cannot find the own executable, for a director")?,
    };
    let mut tell = |figure: &Row| {
        if !json {
            // A reader who went away misses the rest.
            let _ = output::text(&row(figure));
        }
    };
    let rows = scale(&setup, &mut tell).context("cannot measure the scale")?;
    if json {
        output::text(&(serde_json::to_string_pretty(&rows)? + "\n"))?;
    }
    match rows.iter().any(|row| row.verdict == Verdict::NotMet) {
        true => Ok(ExitCode::FAILURE),
        false => Ok(ExitCode::SUCCESS),
    }
}

fn row(row: &Row) -> String {
    let Row {
        case,
        value,
        unit,
        goal,
        verdict,
    } = row;
    let verdict = match verdict {
        Verdict::Met => "met",
        Verdict::NotMet => "NOT MET",
        Verdict::NoGoal => "",
    };
    let goal = match goal {
        Some(Goal::Below(limit)) => format!("< {}", number(*limit)),
        Some(Goal::AtLeast(limit)) => format!("≥ {}", number(*limit)),
        Some(Goal::Exactly(wanted)) => format!("= {}", number(*wanted)),
        None => String::new(),
    };
    let value = number(*value);
    let line = format!("{case:<72} {value:>12} {unit:<8} {goal:<12} {verdict}");
    line.trim_end().to_owned() + "\n"
}

/// Three digits or all of those before the point.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size.fract() == 0.0 || size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_was_wanted() {
        let figure = Row {
            case: "memory of one connection".to_owned(),
            value: 244.25,
            unit: "B",
            goal: Some(Goal::Below(320.0)),
            verdict: Verdict::Met,
        };
        let words: Vec<String> = row(&figure).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words.join(" "), "memory of one connection 244 B < 320 met");
        assert_eq!(number(0.9), "0.900");
    }
}
