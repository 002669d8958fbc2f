//! A machine that is or may become a server, from check to check.

use std::time::Instant;

use vsnat_api::{Standing, Weight};

use super::candidate::Candidate;

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
    pub fn new(candidate: &Candidate, is_running: bool, now: Instant) -> Self {
        let (standing, why) = match is_running {
            true => (Standing::In, "found in the tables"),
            false => (Standing::Out, "not checked yet"),
        };
        Member {
            weight: candidate.weight,
            came_by: candidate.came_by.clone(),
            standing,
            since: now,
            why: why.to_owned(),
            failures: 0,
            removal: Removal::None,
        }
    }

    pub fn is_in(&self) -> bool {
        self.standing == Standing::In
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
        (!is_running).then_some(Change::Join)
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
            weight: Weight::default(),
            came_by: "reservation 10.0.0.1".to_owned(),
            presence: Presence::Here,
        };
        Member::new(&candidate, is_running, Instant::now())
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
