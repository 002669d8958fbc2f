//! Reads the guest's console: markers of our init script between whatever the
//! kernel and the test programs write.

use crate::libtest::{self, Counts};

/// Starts every line that the init script writes for us.
pub const MARKER: &str = "@@vsnat";

#[derive(Debug, PartialEq, Eq)]
pub struct JobResult {
    pub name: String,
    pub exit_code: i32,
    pub counts: Counts,
}

#[derive(Debug, Default)]
pub struct GuestReport {
    /// The guest's `uname -r`, once its init script has run.
    pub kernel: Option<String>,
    /// The jobs that ended, in order.
    pub jobs: Vec<JobResult>,
}

#[derive(Debug, Default)]
pub struct Reader {
    report: GuestReport,
    running: Option<(String, Counts)>,
}

impl Reader {
    /// Takes in one line and returns what a person should see of it, if anything.
    pub fn read<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        // A kernel message may stand before the marker on the same line.
        if let Some((_, words)) = line.split_once(MARKER) {
            self.read_marker(words.split_whitespace().collect::<Vec<_>>().as_slice());
            return None;
        }
        let (_, counts) = self.running.as_mut()?;
        if let Some(result) = libtest::parse_result(line) {
            *counts += result;
        }
        Some(line)
    }

    pub fn finish(self) -> GuestReport {
        self.report
    }

    fn read_marker(&mut self, words: &[&str]) {
        match words {
            ["kernel", release] => self.report.kernel = Some((*release).to_owned()),
            ["begin", name] => self.running = Some(((*name).to_owned(), Counts::default())),
            ["end", name, code] => {
                let counts = self
                    .running
                    .take()
                    .map(|(_, counts)| counts)
                    .unwrap_or_default();
                // A code that cannot be read counts as a failure.
                let exit_code = code.parse().unwrap_or(-1);
                self.report.jobs.push(JobResult {
                    name: (*name).to_owned(),
                    exit_code,
                    counts,
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (GuestReport, Vec<String>) {
        let mut reader = Reader::default();
        let shown = lines
            .iter()
            .filter_map(|line| reader.read(line))
            .map(str::to_owned)
            .collect();
        (reader.finish(), shown)
    }

    #[test]
    fn jobs_are_read_between_kernel_messages() {
        let (report, shown) = read(&[
            "SeaBIOS (version 1.16)",
            "@@vsnat kernel 6.1.0-56-cloud-amd64",
            "@@vsnat begin privileged_kernel",
            "running 2 tests",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 3.10s",
            "[   12.3] random: crng init done@@vsnat end privileged_kernel 0",
            "[   13.0] reboot: Power down",
        ]);

        assert_eq!(report.kernel.as_deref(), Some("6.1.0-56-cloud-amd64"));
        let counts = Counts {
            passed: 2,
            failed: 0,
            ignored: 0,
        };
        assert_eq!(
            report.jobs,
            [JobResult {
                name: "privileged_kernel".to_owned(),
                exit_code: 0,
                counts
            }]
        );
        assert_eq!(shown.len(), 2, "only what the job writes is shown");
    }

    #[test]
    fn a_guest_that_dies_in_a_job_has_no_result_for_it() {
        let (report, _) = read(&[
            "@@vsnat kernel 6.1",
            "@@vsnat begin a",
            "Kernel panic - not syncing",
        ]);

        assert!(report.jobs.is_empty());
    }

    #[test]
    fn a_failed_job_keeps_its_code() {
        let (report, _) = read(&[
            "@@vsnat begin a",
            "@@vsnat end a 101",
            "@@vsnat begin b",
            "@@vsnat end b ?",
        ]);

        assert_eq!(
            report
                .jobs
                .iter()
                .map(|job| job.exit_code)
                .collect::<Vec<_>>(),
            [101, -1]
        );
    }
}
