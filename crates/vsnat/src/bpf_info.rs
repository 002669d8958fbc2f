//! `vsnat bpf-info`: how much work each eBPF program is for the verifier.
//!
//! Loads every program once and keeps nothing; for those who change them.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};
use vsnat_director::{ProgramInfo, program_infos};

use crate::cli::BpfInfoArgs;
use crate::output;

pub fn main(args: BpfInfoArgs) -> anyhow::Result<ExitCode> {
    let infos = program_infos(args.bpf_object)
        .context("cannot measure the eBPF programs; loading them needs root")?;
    let text = match args.json {
        true => as_json(&infos)?,
        false => as_table(&infos),
    };
    output::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(infos: &[ProgramInfo]) -> serde_json::Result<String> {
    let programs = infos.iter().map(|info| {
        json!({
            "program": info.name,
            "verified_instructions": info.verified_instructions,
            "bytes": info.bytes,
        })
    });
    let programs: Vec<Value> = programs.collect();
    Ok(serde_json::to_string_pretty(&programs)? + "\n")
}

fn as_table(infos: &[ProgramInfo]) -> String {
    let mut text = format!("{:<16} {:>12} {:>10}\n", "program", "verified", "bytes");
    for ProgramInfo {
        name,
        verified_instructions,
        bytes,
    } in infos
    {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<16} {verified_instructions:>12} {bytes:>10}");
    }
    text
}
