//! A machine that is or may become a server, from check to check.

use std::time::{Duration, Instant};

use vsnat_api::{Standing, Weight};

use super::candidate::Candidate;
use super::growth::{Growth, Step};

/// Checks that must fail one after the other: a single lost packet takes nobody
/// out.
const FAILURES: u32 = 3;

/// What a turn has found out about a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Serves,
    Fails(String),
    NoLease,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Join,
    Leave,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub weight: Weight,
    pub came_by: String,
    pub standing: Standing,
    /// Since when it is in or out.
    pub since: Instant,
    pub why: String,
    /// Of a weight that is not whole yet.
    pub growth: Option<Growth>,
    slow_start: Duration,
    failures: u32,
    /// Taken out by a command: it stays out until it has failed or left.
    removal: Removal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    None,
    ByCommand,
}

impl Member {
    /// One that is in the tables already was put there by the last daemon.
    pub fn new(candidate: &Candidate, running: Option<Weight>, now: Instant) -> Self {
        let (standing, why) = match running {
            Some(_) => (Standing::In, "found in the tables"),
            None => (Standing::Out, "not checked yet"),
        };
        let (full, time) = (candidate.weight, candidate.slow_start);
        Member {
            weight: candidate.weight,
            came_by: candidate.came_by.clone(),
            standing,
            since: now,
            why: why.to_owned(),
            growth: running.and_then(|found| Growth::resume(full, time, found, now)),
            slow_start: time,
            failures: 0,
            removal: Removal::None,
        }
    }

    pub fn is_in(&self) -> bool {
        self.standing == Standing::In
    }

    /// The weight to join with.
    pub fn first_weight(&self) -> Weight {
        self.growth.map_or(self.weight, Growth::told)
    }

    /// The weight that the tables are to have instead of the one they have.
    pub fn grow(&mut self, running: Weight, now: Instant) -> Option<Weight> {
        match self.growth?.step(running, now) {
            Step::Wait => None,
            Step::Over => {
                self.growth = None;
                None
            }
            Step::Tell(growth) => {
                self.growth = Some(growth);
                Some(growth.told())
            }
        }
    }

    /// Takes a finding in; `is_running` is what the tables say.
    pub fn judge(&mut self, finding: Finding, is_running: bool, now: Instant) -> Option<Change> {
        if self.is_in() && !is_running {
            self.removal = Removal::ByCommand;
            self.moved(Standing::Out, "removed by a command", now);
        }
        match finding {
            Finding::Serves => self.serves(is_running, now),
            Finding::Fails(why) => {
                self.failures = self.failures.saturating_add(1);
                self.removal = Removal::None;
                self.falls(&why, FAILURES, now)
            }
            Finding::NoLease => {
                self.failures = FAILURES;
                self.removal = Removal::None;
                self.falls("its lease is not active", FAILURES, now)
            }
        }
    }

    fn serves(&mut self, is_running: bool, now: Instant) -> Option<Change> {
        self.failures = 0;
        if self.removal == Removal::ByCommand && !is_running {
            return None;
        }
        self.removal = Removal::None;
        if self.is_in() {
            "it accepts connections".clone_into(&mut self.why);
            return None;
        }
        self.moved(Standing::In, "it accepts connections", now);
        if is_running {
            return None;
        }
        self.growth = Growth::begin(self.weight, self.slow_start, now);
        Some(Change::Join)
    }

    fn falls(&mut self, why: &str, limit: u32, now: Instant) -> Option<Change> {
        if !self.is_in() {
            why.clone_into(&mut self.why);
            return None;
        }
        if self.failures < limit {
            self.why = format!("{why} ({} of {limit} times)", self.failures);
            return None;
        }
        self.moved(Standing::Out, why, now);
        Some(Change::Leave)
    }

    fn moved(&mut self, standing: Standing, why: &str, now: Instant) {
        self.standing = standing;
        self.growth = None;
        self.since = now;
        why.clone_into(&mut self.why);
    }
}

#[cfg(test)]
mod tests {
    use super::super::candidate::Presence;
    use super::*;

    fn member(is_running: bool) -> Member {
        let candidate = Candidate {
            weight: Weight::new(11).unwrap(),
            slow_start: Duration::from_secs(10),
            came_by: "reservation 10.0.0.1".to_owned(),
            presence: Presence::Here,
        };
        let running = is_running.then_some(candidate.weight);
        Member::new(&candidate, running, Instant::now())
    }

    fn fails() -> Finding {
        Finding::Fails("refused".to_owned())
    }

    #[test]
    fn one_success_joins_and_three_failures_leave() {
        let now = Instant::now();
        let mut member = member(false);
        assert_eq!(member.judge(fails(), false, now), None);
        assert_eq!(
            member.judge(Finding::Serves, false, now),
            Some(Change::Join)
        );
        assert_eq!(member.judge(Finding::Serves, true, now), None);
        assert_eq!(member.judge(fails(), true, now), None);
        assert_eq!(member.judge(fails(), true, now), None);
        assert_eq!(
            member.judge(Finding::Serves, true, now),
            None,
            "it counts anew"
        );
        let changes = [fails(), fails(), fails()].map(|f| member.judge(f, true, now));
        assert_eq!(changes, [None, None, Some(Change::Leave)]);
        assert_eq!(member.why, "refused");
    }

    #[test]
    fn one_that_joins_grows_and_one_that_leaves_begins_anew() {
        let now = Instant::now();
        let mut member = member(false);
        for _ in 0..2 {
            let joined = member.judge(Finding::Serves, false, now);
            assert_eq!(joined, Some(Change::Join));
            assert_eq!(member.first_weight(), Weight::ONE);
            let later = now + Duration::from_secs(5);
            let half = Weight::new(6).unwrap();
            assert_eq!(member.grow(Weight::ONE, later), Some(half));
            assert_eq!(member.grow(half, later), None);
            let left = member.judge(Finding::NoLease, true, later);
            assert_eq!(left, Some(Change::Leave));
            assert_eq!(member.growth, None);
        }
    }

    #[test]
    fn without_a_lease_it_leaves_at_once() {
        let now = Instant::now();
        let mut member = member(true);
        assert_eq!(member.judge(Finding::Serves, true, now), None, "taken over");
        let left = member.judge(Finding::NoLease, true, now);
        assert_eq!(left, Some(Change::Leave));
        assert_eq!(member.judge(Finding::NoLease, false, now), None);
    }

    #[test]
    fn what_a_command_removed_stays_out_until_it_comes_anew() {
        let now = Instant::now();
        let mut member = member(true);
        assert_eq!(member.judge(Finding::Serves, false, now), None);
        assert_eq!(member.judge(Finding::Serves, false, now), None);
        assert_eq!(member.standing, Standing::Out);
        assert_eq!(member.judge(Finding::NoLease, false, now), None);
        assert_eq!(
            member.judge(Finding::Serves, false, now),
            Some(Change::Join)
        );
    }

    #[test]
    fn one_that_a_command_put_in_is_not_put_in_again() {
        let now = Instant::now();
        let mut member = member(false);
        assert_eq!(member.judge(Finding::Serves, true, now), None);
        assert!(member.is_in());
    }
}
