//! Listings.

use oracle::plan::Step;

use super::script::Script;

const LISTINGS: [&str; 7] = [
    "-Ln",
    "-Ln --nosort",
    "-Ln --thresholds",
    "-Ln --persistent-conn",
    "-Sn",
    "-Lnc",
    "-L --timeout",
];
const LISTING_WEIGHTS: [usize; 7] = [5, 4, 2, 2, 3, 5, 1];
/// The kernel copies its counters every two seconds.
const ESTIMATOR_MS: u64 = 2200;
/// Of a hundred sequences, as each has to wait.
const WITH_COUNTERS: usize = 6;

impl Script {
    pub fn list(&mut self) {
        let index = self.draw.weighted(&LISTING_WEIGHTS);
        let one = self.any_service().filter(|_| self.draw.percent(10));
        match one {
            None => self.line(LISTINGS[index]),
            Some(service) => {
                let mut words = vec!["-Ln".to_owned()];
                words.extend(self.services[service].key.words());
                self.ipvsadm(words);
            }
        }
    }

    /// Everything that a difference could still hide in.
    pub fn last_listings(&mut self) {
        if self.draw.percent(WITH_COUNTERS) {
            self.steps.push(Step::Wait {
                milliseconds: ESTIMATOR_MS,
            });
            self.line("-Ln --stats");
        }
        for line in ["-Ln --nosort", "-Lnc", "-Sn", "-Ln --persistent-conn"] {
            self.line(line);
        }
        if self.draw.percent(30) {
            self.line("-Ln --thresholds");
        }
    }
}
