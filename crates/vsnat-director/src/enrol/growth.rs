//! The weight of a server that has just come: it grows, so that a server with
//! cold caches is not given its whole share at once.

use std::time::{Duration, Instant};

use vsnat_api::{Growing, Weight};

/// A weight on its way up, in a straight line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Growth {
    full: Weight,
    time: Duration,
    began: Instant,
    /// What the tables were told last.
    told: Weight,
}

impl Growth {
    /// From the smallest weight that serves. Nothing grows to 0 or 1, or at once.
    pub fn begin(full: Weight, time: Duration, now: Instant) -> Option<Self> {
        let grows = full > Weight::ONE && !time.is_zero();
        grows.then_some(Growth {
            full,
            time,
            began: now,
            told: Weight::ONE,
        })
    }

    /// Of a server that the last daemon left with this weight. One of 0 was
    /// taken out of service by somebody, who will put it back.
    pub fn resume(full: Weight, time: Duration, found: Weight, now: Instant) -> Option<Self> {
        if found >= full || found.get() == 0 {
            return None;
        }
        let mut growth = Growth::begin(full, time, now)?;
        let done = u64::from(found.get() - 1) * nanos(time) / u64::from(full.get() - 1);
        growth.began = now.checked_sub(Duration::from_nanos(done))?;
        growth.told = found;
        Some(growth)
    }

    /// What the tables are to be told. One that was told otherwise by a command
    /// grows no further.
    pub fn step(self, running: Weight, now: Instant) -> Step {
        if running != self.told {
            return Step::Over;
        }
        let weight = self.weight(now);
        match (weight == self.told, weight == self.full) {
            (true, true) => Step::Over,
            (true, false) => Step::Wait,
            (false, _) => Step::Tell(Growth {
                told: weight,
                ..self
            }),
        }
    }

    pub fn told(self) -> Weight {
        self.told
    }

    pub fn view(self, now: Instant) -> Growing {
        let elapsed = now.saturating_duration_since(self.began);
        Growing {
            to: self.full,
            within_s: self.time.saturating_sub(elapsed).as_secs(),
        }
    }

    fn weight(self, now: Instant) -> Weight {
        let elapsed = now.saturating_duration_since(self.began);
        if elapsed >= self.time {
            return self.full;
        }
        let way = u128::from(self.full.get() - 1);
        let grown = way * elapsed.as_nanos() / self.time.as_nanos().max(1);
        // It is less than the way, which fits.
        let grown = u32::try_from(grown).unwrap_or(0);
        Weight::new(grown + 1).unwrap_or(self.full)
    }
}

/// What a turn does to a growing weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    Tell(Growth),
    Over,
}

/// The file's longest time, 31 days, fits many times over.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(100);

    fn weight(weight: u32) -> Weight {
        Weight::new(weight).unwrap()
    }

    #[test]
    fn it_grows_in_a_straight_line() {
        let now = Instant::now();
        let growth = Growth::begin(weight(101), TIME, now).unwrap();
        for (after_s, expected) in [(0, 1), (1, 2), (50, 51), (99, 100), (100, 101), (900, 101)] {
            let at = now + Duration::from_secs(after_s);
            assert_eq!(growth.weight(at), weight(expected), "after {after_s} s");
        }
        let view = growth.view(now + Duration::from_secs(30));
        assert_eq!((view.to, view.within_s), (weight(101), 70));
    }

    #[test]
    fn the_largest_weight_over_the_longest_time() {
        let now = Instant::now();
        let time = Duration::from_secs(31 * 24 * 3_600);
        let growth = Growth::begin(weight(Weight::MAX), time, now).unwrap();
        assert_eq!(growth.weight(now + time / 2), weight(Weight::MAX / 2 + 1));
    }

    #[test]
    fn some_do_not_grow() {
        let now = Instant::now();
        assert_eq!(Growth::begin(weight(0), TIME, now), None);
        assert_eq!(Growth::begin(Weight::ONE, TIME, now), None);
        assert_eq!(Growth::begin(weight(9), Duration::ZERO, now), None);
        for found in [0, 9, 10] {
            assert_eq!(Growth::resume(weight(9), TIME, weight(found), now), None);
        }
    }

    #[test]
    fn each_step_is_told_once_and_a_command_ends_it() {
        let now = Instant::now();
        let growth = Growth::begin(weight(11), TIME, now).unwrap();
        assert_eq!(growth.step(Weight::ONE, now), Step::Wait);
        let later = now + Duration::from_secs(10);
        let Step::Tell(growth) = growth.step(Weight::ONE, later) else {
            panic!("nothing is told");
        };
        assert_eq!(growth.told(), weight(2));
        assert_eq!(growth.step(weight(2), later), Step::Wait);
        assert_eq!(
            growth.step(weight(7), later),
            Step::Over,
            "set by a command"
        );
        let Step::Tell(growth) = growth.step(weight(2), now + TIME) else {
            panic!("nothing is told");
        };
        assert_eq!(growth.told(), weight(11));
        assert_eq!(growth.step(weight(11), now + TIME), Step::Over);
    }

    #[test]
    fn the_next_daemon_goes_on_where_the_last_one_was() {
        let now = Instant::now() + TIME;
        let growth = Growth::resume(weight(101), TIME, weight(51), now).unwrap();
        assert_eq!(growth.step(weight(51), now), Step::Wait);
        assert_eq!(growth.weight(now + TIME / 4), weight(76));
    }
}
