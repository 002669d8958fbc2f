//! `vsnat doctor`: looks at this machine, and tells what is wrong with it.

mod look;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use vsnat_doctor::{Finding, Severity, examine};

use crate::cli::Target;
use crate::output;

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub target: Target,
    /// The director's file, for its interfaces and VIPs where none runs.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Report<'f> {
    findings: &'f [Finding],
}

/// Exit code 1 when there is a fault; remarks are no reason for one.
pub fn main(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let facts = look::at(args)?;
    let findings = examine(&facts);
    let text = match args.json {
        true => {
            let findings = &findings;
            serde_json::to_string_pretty(&Report { findings })? + "\n"
        }
        false => render(&findings),
    };
    output::text(&text)?;
    let is_faulty = findings.iter().any(|f| f.severity == Severity::Fault);
    Ok(match is_faulty {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn render(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing is wrong\n".to_owned();
    }
    findings.iter().map(ToString::to_string).collect()
}
