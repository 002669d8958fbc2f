//! Every recorded run of the real program, as a test of its own name.
//!
//! A recording holds a command line, the table before it, what was printed, the
//! exit code, and the table after it. The test carries the same line out on a
//! table in memory and compares all of them. Rows that belong to services the
//! director does not have yet are taken out of both sides; lines that ask for
//! such a service must be refused, see `scope`. So it is with what IPVS showed
//! as files.

#![allow(
    clippy::panic,
    reason = "this is a test, though not one of the built-in harness"
)]

mod hexadecimal;
mod kernel;
mod names;
mod recording;
mod rows;
mod run;
mod scope;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kernel::Kernel;
use libtest_mimic::{Arguments, Failed, Trial};
use recording::Recording;
use run::{Outcome, run};
use scope::Expected;

fn main() {
    let arguments = Arguments::from_args();
    let files = recorded_files();
    let mut trials: Vec<Trial> = files.iter().map(|file| trial(file.clone())).collect();
    trials.push(Trial::test(
        "scope_names_only_files_that_exist",
        move || scope::check_files(&files),
    ));
    libtest_mimic::run(&arguments, trials).exit();
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded"))
}

/// Paths below the folder, such as "errors/005-A.txt".
fn recorded_files() -> Vec<String> {
    let entries = |path: &Path| -> Vec<_> {
        let entries = fs::read_dir(path).expect("reading the folder of recordings");
        entries
            .map(|entry| entry.expect("a folder entry").path())
            .collect()
    };
    let folders = entries(folder()).into_iter().filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| entries(&folder));
    let mut files: Vec<String> = files
        .map(|file| {
            let below = file
                .strip_prefix(folder())
                .expect("a path below the folder");
            below.display().to_string()
        })
        .collect();
    files.sort();
    assert!(
        !files.is_empty(),
        "no recordings below {}",
        folder().display()
    );
    files
}

fn trial(file: String) -> Trial {
    let name = file.trim_end_matches(".txt").to_owned();
    Trial::test(name, move || check(&file))
}

fn check(file: &str) -> Result<(), Failed> {
    let text = fs::read_to_string(folder().join(file))?;
    let recording = Recording::read(&text);
    match scope::expected(file) {
        Expected::AsRecorded => check_recorded(file, &recording),
        Expected::PlainService => check_recorded(file, &rows::plain(recording)),
        Expected::NoDaemon => check_no_daemon(&recording),
        Expected::Refused(words) => check_refused(&recording, words),
        Expected::OwnHelp => check_help(&recording),
    }
}

fn check_recorded(file: &str, recording: &Recording) -> Result<(), Failed> {
    let mut kernel = Kernel::load(&rows::supported_lines(&recording.before));
    for line in scope::history(file) {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        equal("history", &0, &run(&args, "", &mut kernel).exit_code)?;
    }
    rows::fill(&mut kernel, recording);
    let outcome = run(
        &recording.args,
        &rows::supported_input(recording),
        &mut kernel,
    );
    equal("exit code", &recording.exit_code, &outcome.exit_code)?;
    equal(
        "stdout",
        &rows::stdout(recording),
        &rows::comparable(recording, &outcome.stdout),
    )?;
    equal("stderr", &rows::stderr(recording), &outcome.stderr)?;
    equal(
        "table",
        &rows::supported_lines(&recording.after),
        &as_saved_by_ipvs(&kernel),
    )
}

fn as_saved_by_ipvs(kernel: &Kernel) -> Vec<String> {
    let lines = kernel.save();
    lines
        .iter()
        .map(|line| rows::as_saved_by_ipvs(line))
        .collect()
}

/// No daemon runs, so none is listed, and none can be stopped.
fn check_no_daemon(recording: &Recording) -> Result<(), Failed> {
    let outcome = run(&recording.args, "", &mut Kernel::default());
    let (exit_code, stderr) = match recording.has("--daemon") {
        true => (0, ""),
        false => (255, "No daemon is running\n"),
    };
    equal("exit code", &exit_code, &outcome.exit_code)?;
    equal("stdout", &String::new(), &outcome.stdout)?;
    equal("stderr", &stderr.to_owned(), &outcome.stderr)
}

/// One line that says what is missing, exit code 2, and nothing done.
fn check_refused(recording: &Recording, words: &str) -> Result<(), Failed> {
    let mut kernel = Kernel::load(&rows::supported_lines(&recording.before));
    let before = kernel.save();
    let outcome = run(&recording.args, "", &mut kernel);
    let Outcome {
        stdout,
        stderr,
        exit_code,
    } = outcome;
    equal("exit code", &2, &exit_code)?;
    equal("stdout", &String::new(), &stdout)?;
    equal("table", &before, &kernel.save())?;
    let one_line = stderr.lines().count() == 1 && stderr.ends_with('\n');
    if !one_line || !stderr.contains("vsnat does not support") || !stderr.contains(words) {
        return Err(format!("{words:?} is not refused in one line: {stderr:?}").into());
    }
    Ok(())
}

/// Our own words, which name every option of ipvsadm and no other.
fn check_help(recording: &Recording) -> Result<(), Failed> {
    let outcome = run(&recording.args, "", &mut Kernel::default());
    equal("exit code", &recording.exit_code, &outcome.exit_code)?;
    equal("stderr", &recording.stderr, &outcome.stderr)?;
    let ours = long_names(&outcome.stdout);
    let mut recorded = long_names(&recording.stdout);
    // ipvsadm has --version, and does not mention it.
    recorded.insert("--version");
    equal("names of options", &recorded, &ours)
}

/// Every long name in a text.
fn long_names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| c.is_whitespace() || "|[],".contains(c));
    words.filter(|word| word.starts_with("--")).collect()
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, recorded: &T, ours: &T) -> Result<(), Failed> {
    if recorded == ours {
        return Ok(());
    }
    Err(format!("{what} differs\nrecorded: {recorded:#?}\n    ours: {ours:#?}").into())
}
