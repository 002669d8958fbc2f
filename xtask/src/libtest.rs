//! Runs one test program and counts what it reports.
//!
//! The counts are read from the program's own result line, so that "passed" never
//! means "nothing ran".

use std::ops::AddAssign;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::build::Artifact;
use crate::process::{self, Ending};
use crate::workspace::{OBJECT_VARIABLE, OTHER_OBJECT_VARIABLE, Workspace, cargo_executable};

/// Far above what any test program takes; only a hang meets it.
const PROGRAM_LIMIT: Duration = Duration::from_secs(15 * 60);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u32,
    pub failed: u32,
    pub ignored: u32,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// What became of one program.
#[derive(Debug)]
pub struct Outcome {
    pub counts: Counts,
    /// Why the program counts as failed, if it does.
    pub failure: Option<String>,
}

/// How many tests of one program run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    Many,
    /// For programs whose tests share the machine's network.
    One,
}

/// Runs a test program as `cargo test` would.
pub fn run(
    workspace: &Workspace,
    program: &Artifact,
    threads: Threads,
    filter: &[String],
) -> Result<Outcome> {
    println!(
        "\nxtask: {} ({})",
        program.name,
        short_path(workspace, &program.package_dir)
    );
    let mut command = Command::new(&program.executable);
    command
        .current_dir(&program.package_dir)
        .env("CARGO_MANIFEST_DIR", &program.package_dir)
        .env("CARGO", cargo_executable())
        .env(OBJECT_VARIABLE, workspace.object())
        .env(OTHER_OBJECT_VARIABLE, workspace.other_object())
        .args(filter);
    match threads {
        Threads::Many => {}
        Threads::One => {
            command.arg("--test-threads=1");
        }
    }
    watch(&mut command)
}

/// Runs anything that writes libtest's result lines.
pub fn watch(command: &mut Command) -> Result<Outcome> {
    let mut counts = Counts::default();
    let ending = process::watch(command, PROGRAM_LIMIT, |line| {
        println!("{line}");
        if let Some(result) = parse_result(line) {
            counts += result;
        }
    })?;
    let failure = match ending {
        Ending::Exited(status) if status.success() => None,
        Ending::Exited(status) => Some(status.to_string()),
        Ending::TimedOut(limit) => {
            Some(format!("still running after {} s, ended", limit.as_secs()))
        }
    };
    Ok(Outcome { counts, failure })
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
pub fn parse_result(line: &str) -> Option<Counts> {
    let (_, figures) = line
        .trim()
        .strip_prefix("test result: ")?
        .split_once(". ")?;
    let mut counts = Counts::default();
    for figure in figures.split("; ") {
        let Some((number, what)) = figure.split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse() else { continue };
        match what {
            "passed" => counts.passed = number,
            "failed" => counts.failed = number,
            "ignored" => counts.ignored = number,
            _ => {}
        }
    }
    Some(counts)
}

fn short_path(workspace: &Workspace, path: &Path) -> String {
    path.strip_prefix(workspace.root())
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read() {
        let ok = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.05s";
        let bad = "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s";

        assert_eq!(
            parse_result(ok),
            Some(Counts {
                passed: 12,
                failed: 0,
                ignored: 1
            })
        );
        assert_eq!(
            parse_result(bad),
            Some(Counts {
                passed: 2,
                failed: 1,
                ignored: 0
            })
        );
        assert_eq!(parse_result("test result_lines_are_read ... ok"), None);
        assert_eq!(parse_result("running 12 tests"), None);
    }

    #[test]
    fn a_failing_program_is_a_failure_even_without_a_result_line() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'test result: ok. 1 passed; 0 failed; 0 ignored'; kill -9 $$",
        ]);
        let outcome = watch(&mut command).unwrap();

        assert_eq!(outcome.counts.passed, 1);
        assert!(outcome.failure.is_some());
    }
}
