//! Runs the kernel tests under another kernel: Debian's own image in QEMU.
//!
//! No KVM, no root and no installation is needed: kernel and busybox are packages
//! that are only unpacked, and the guest's whole disk is an initramfs made of the
//! test programs and the libraries they are linked with.

mod console;
pub mod cpio;
pub mod image;
pub mod initramfs;
pub mod modules;
mod qemu;

use std::fmt;
use std::fs;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::build::{self, Role};
use crate::ebpf;
use crate::libtest::Counts;
use crate::packages::{self, Purpose};
use crate::workspace::Workspace;

use console::{GuestReport, Reader};
use image::Image;
use initramfs::Job;

/// Test programs for the guest: they need no checkout, no daemon and no network.
const TEST_PATTERN: &str = "privileged_kernel*";
/// How much of the guest's console is shown when something went wrong.
const SHOWN_LINES: usize = 60;

/// A kernel series such as 6.1, which becomes part of package and directory names.
#[derive(Debug, Clone)]
pub struct Series(String);

impl Series {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Series {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Series {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_number = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
        if !text.split('.').all(is_number) {
            bail!("`{text}` is no kernel series; write it like 6.1");
        }
        Ok(Self(text.to_owned()))
    }
}

pub fn run(workspace: &Workspace, series: &Series, filter: &[String]) -> Result<()> {
    packages::ensure(&[Purpose::Kernel])?;
    ebpf::build(workspace)?;
    let jobs = build_jobs(workspace, filter)?;
    let directory = workspace.target(&format!("kernel/{series}"));
    let image = Image::prepare(&directory, series)?;
    println!(
        "xtask: kernel {} with {} test program(s)",
        image.release,
        jobs.len()
    );

    let initrd = directory.join("initramfs.cpio");
    initramfs::write(&initrd, &image, &jobs, &directory)?;

    let mut reader = Reader::default();
    let mut log: Vec<String> = Vec::new();
    let ending = qemu::boot(&image.kernel, &initrd, |line| {
        if let Some(shown) = reader.read(line) {
            println!("{shown}");
        }
        log.push(line.to_owned());
    })?;

    let log_file = directory.join("console.log");
    fs::write(&log_file, log.join("\n"))
        .with_context(|| format!("cannot write {}", log_file.display()))?;
    let verdict = judge(&reader.finish(), &jobs, &ending);
    if verdict.is_err() {
        println!(
            "xtask: the end of the guest's console ({} has all of it):",
            log_file.display()
        );
        for line in log.iter().skip(log.len().saturating_sub(SHOWN_LINES)) {
            println!("  | {line}");
        }
    }
    verdict
}

fn build_jobs(workspace: &Workspace, filter: &[String]) -> Result<Vec<Job>> {
    let programs =
        build::artifacts(
            workspace
                .cargo()
                .args(["test", "--no-run", "--test", TEST_PATTERN]),
        )?;
    let mut arguments = filter.to_vec();
    arguments.push("--test-threads=1".to_owned());
    Ok(programs
        .into_iter()
        .filter(|program| program.role == Role::Tests)
        .map(|program| Job {
            name: program.name,
            executable: program.executable,
            arguments: arguments.clone(),
        })
        .collect())
}

fn judge(report: &GuestReport, jobs: &[Job], ending: &qemu::Ending) -> Result<()> {
    match ending {
        qemu::Ending::PoweredOff => {}
        qemu::Ending::TimedOut => bail!(
            "the guest was still running after {} s",
            qemu::LIMIT.as_secs()
        ),
        qemu::Ending::Failed(status) => bail!("QEMU failed ({status})"),
    }
    let Some(release) = &report.kernel else {
        bail!("the guest did not reach its init script");
    };
    let mut total = Counts::default();
    for job in jobs {
        let Some(result) = report.jobs.iter().find(|result| result.name == job.name) else {
            bail!("the guest stopped before the end of {}", job.name);
        };
        total += result.counts;
        if result.exit_code != 0 {
            bail!(
                "{} failed under kernel {release} (exit code {})",
                job.name,
                result.exit_code
            );
        }
    }
    println!(
        "xtask: kernel {release}: {} passed, {} failed, {} ignored in {} programs",
        total.passed,
        total.failed,
        total.ignored,
        jobs.len()
    );
    if total.passed == 0 {
        bail!("no test ran under kernel {release}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_numbers_and_points() {
        assert_eq!("6.1".parse::<Series>().unwrap().as_str(), "6.1");
        for text in ["", "latest", "6.", "../6.1", "6.1; reboot"] {
            assert!(text.parse::<Series>().is_err(), "{text}");
        }
    }
}
