//! Latencies as histograms: every value is kept, to three digits.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Finer than what a clock read and a system call cost.
const FINEST_NS: u64 = 64;
/// Three digits are finer than what a shared machine repeats.
const DIGITS: u8 = 3;

/// Measured times, merged over threads without loss.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// Absent if no histogram can have these bounds, which only a duration of
    /// centuries brings about.
    histogram: Option<Histogram<u64>>,
}

/// What a histogram says, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl Latencies {
    pub(crate) fn new(longest: Duration) -> Self {
        let longest_ns = nanoseconds(longest).max(FINEST_NS * 2);
        let histogram = Histogram::new_with_bounds(FINEST_NS, longest_ns, DIGITS);
        Latencies {
            histogram: histogram.ok(),
        }
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.record_many(took, 1);
    }

    pub(crate) fn record_many(&mut self, took: Duration, times: u64) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record_n(nanoseconds(took), times);
        }
    }

    pub(crate) fn merge(&mut self, other: &Latencies) {
        let (Some(into), Some(from)) = (&mut self.histogram, &other.histogram) else {
            return;
        };
        // Fails only for histograms of wider bounds; those of a run are alike.
        let _ = into.add(from);
    }

    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// The time within which this share of all was done; `share` is 0 to 1.
    pub fn at(&self, share: f64) -> Duration {
        self.value(|histogram| histogram.value_at_quantile(share))
    }

    pub fn min(&self) -> Duration {
        self.value(Histogram::min)
    }

    pub fn max(&self) -> Duration {
        self.value(Histogram::max)
    }

    pub fn mean_ms(&self) -> f64 {
        self.histogram.as_ref().map_or(0.0, Histogram::mean) / 1e6
    }

    pub fn deviation_ms(&self) -> f64 {
        self.histogram.as_ref().map_or(0.0, Histogram::stdev) / 1e6
    }

    pub fn summary(&self) -> Latency {
        let at = |share| milliseconds(self.at(share));
        Latency {
            mean_ms: self.mean_ms(),
            p50_ms: at(0.50),
            p90_ms: at(0.90),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: milliseconds(self.max()),
        }
    }

    fn value(&self, of: impl Fn(&Histogram<u64>) -> u64) -> Duration {
        Duration::from_nanos(self.histogram.as_ref().map_or(0, of))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 4)
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_measured_apart_are_as_one_whole() {
        let longest = Duration::from_secs(1);
        let (mut odd, mut even) = (Latencies::new(longest), Latencies::new(longest));
        let mut whole = Latencies::new(longest);
        for ms in 1..=1000 {
            let took = Duration::from_millis(ms);
            whole.record(took);
            match ms % 2 {
                0 => even.record(took),
                _ => odd.record(took),
            }
        }
        odd.merge(&even);
        assert_eq!(odd.count(), 1000);
        assert_eq!(odd.summary(), whole.summary());
        let p99 = odd.summary().p99_ms;
        assert!((989.0..=991.0).contains(&p99), "{p99}");
    }

    #[test]
    fn nothing_measured_is_zero() {
        assert_eq!(Latencies::new(Duration::ZERO).summary(), Latency::default());
    }
}
