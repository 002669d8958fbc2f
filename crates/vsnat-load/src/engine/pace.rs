//! When the next request is due. Knows no clock: the time is an argument.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::plan::{Amount, Drive};

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send a request; in an open loop it was due at that moment.
    Send { number: u64, due: Option<Instant> },
    /// None is due before that moment.
    Wait(Instant),
    /// None is due any more.
    Over,
}

/// The pace of one thread of a run.
#[derive(Debug)]
pub(super) struct Pace<'a> {
    rhythm: Rhythm<'a>,
    begin: Instant,
    end: Option<Instant>,
    requests: u64,
}

/// What falls to one thread.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub thread: usize,
    pub threads: usize,
    /// Numbers of its connections.
    pub connections: Range<usize>,
}

#[derive(Debug)]
enum Rhythm<'a> {
    /// Each connection has a first request of its own, so that all of them are
    /// used however short the run is; then whoever has one free takes the next
    /// number.
    Closed {
        own: Range<u64>,
        taken: &'a AtomicU64,
    },
    /// Thread 0 of 3 sends the requests 0, 3, 6, …: no thread waits for another,
    /// and each knows when its own are due.
    Open {
        next: u64,
        step: u64,
        requests_per_s: f64,
    },
}

impl<'a> Pace<'a> {
    pub fn new(
        drive: Drive,
        amount: Amount,
        begin: Instant,
        taken: &'a AtomicU64,
        part: &Part,
    ) -> Self {
        let rhythm = match drive {
            Drive::Closed { .. } => Rhythm::Closed {
                own: part.connections.start as u64..part.connections.end as u64,
                taken,
            },
            Drive::Open { requests_per_s, .. } => Rhythm::Open {
                next: part.thread as u64,
                step: part.threads as u64,
                requests_per_s,
            },
        };
        Pace {
            rhythm,
            begin,
            end: amount.time().and_then(|time| begin.checked_add(time)),
            requests: amount.requests().unwrap_or(u64::MAX),
        }
    }

    pub fn next(&mut self, now: Instant) -> Next {
        match &mut self.rhythm {
            Rhythm::Closed { own, taken } => {
                if self.end.is_some_and(|end| now >= end) {
                    return Next::Over;
                }
                let number = own
                    .next()
                    .unwrap_or_else(|| taken.fetch_add(1, Ordering::Relaxed));
                match number < self.requests {
                    true => Next::Send { number, due: None },
                    false => Next::Over,
                }
            }
            Rhythm::Open {
                next,
                step,
                requests_per_s,
            } => {
                let after = Duration::try_from_secs_f64(*next as f64 / *requests_per_s);
                let due = after.ok().and_then(|after| self.begin.checked_add(after));
                let Some(due) = due.filter(|_| *next < self.requests) else {
                    return Next::Over;
                };
                if self.end.is_some_and(|end| due >= end) {
                    return Next::Over;
                }
                if due > now {
                    return Next::Wait(due);
                }
                let number = *next;
                *next += *step;
                Next::Send {
                    number,
                    due: Some(due),
                }
            }
        }
    }

    /// When the time of the run is over.
    pub const fn end(&self) -> Option<Instant> {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(rate: f64, amount: Amount, thread: usize, begin: Instant) -> Pace<'static> {
        static TAKEN: AtomicU64 = AtomicU64::new(0);
        let drive = Drive::Open {
            requests_per_s: rate,
            connections: 1,
        };
        let part = Part {
            thread,
            threads: 2,
            connections: thread..thread + 1,
        };
        Pace::new(drive, amount, begin, &TAKEN, &part)
    }

    #[test]
    fn an_open_loop_is_due_at_its_rate_whatever_the_hour() {
        let begin = Instant::now();
        let mut pace = open(10.0, Amount::Requests(5), 0, begin);
        let second = Duration::from_millis(200);
        assert_eq!(
            pace.next(begin),
            Next::Send {
                number: 0,
                due: Some(begin)
            }
        );
        assert_eq!(pace.next(begin), Next::Wait(begin + second));
        // Nobody asked for a while: what was due in between is due still.
        let late = begin + Duration::from_secs(9);
        for number in [2, 4] {
            let due = Some(begin + second * (number as u32 / 2));
            assert_eq!(pace.next(late), Next::Send { number, due });
        }
        assert_eq!(pace.next(late), Next::Over);
    }

    #[test]
    fn threads_of_an_open_loop_share_the_requests() {
        let begin = Instant::now();
        let amount = Amount::Time(Duration::from_secs(1));
        let late = begin + Duration::from_secs(2);
        let mut numbers = Vec::new();
        for thread in 0..2 {
            let mut pace = open(100.0, amount, thread, begin);
            while let Next::Send { number, .. } = pace.next(late) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_closed_loop_ends_by_number_or_by_time() {
        let begin = Instant::now();
        let taken = AtomicU64::new(3);
        let amount = Amount::Both {
            requests: 5,
            time: Duration::from_secs(1),
        };
        let drive = Drive::Closed { connections: 3 };
        let pace = |thread, connections| {
            let part = Part {
                thread,
                threads: 2,
                connections,
            };
            Pace::new(drive, amount, begin, &taken, &part)
        };
        let (mut first, mut second) = (pace(0, 0..2), pace(1, 2..3));
        assert_eq!(first.next(begin + Duration::from_secs(1)), Next::Over);
        // However fast the first is, the second's connection has a request.
        for number in [0, 1, 3, 4] {
            assert_eq!(first.next(begin), Next::Send { number, due: None });
        }
        assert_eq!(first.next(begin), Next::Over);
        let own = Next::Send {
            number: 2,
            due: None,
        };
        assert_eq!(second.next(begin), own);
        assert_eq!(second.next(begin), Next::Over);
    }
}
