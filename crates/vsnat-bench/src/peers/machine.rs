//! How busy the whole machine is.

use std::fs;

use super::PeersError;

const STAT: &str = "/proc/stat";
/// The kernel tells times to user space in hundredths of a second.
const TICK_US: u64 = 10_000;

/// Microseconds that all CPUs together have worked since the machine was started.
pub fn busy_us() -> Result<u64, PeersError> {
    let text = fs::read_to_string(STAT).map_err(PeersError::system(format!("read {STAT}")))?;
    Ok(busy_ticks(&text) * TICK_US)
}

/// user, nice, system, irq and softirq; neither idle nor waiting for disks, nor stolen
/// by other machines of the host. Guests are in user already.
fn busy_ticks(stat: &str) -> u64 {
    let line = stat.lines().find(|line| line.starts_with("cpu "));
    let fields = line.unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    [0, 1, 2, 5, 6]
        .into_iter()
        .filter_map(|place| ticks.get(place))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_busy() {
        let text = "cpu  1 20 300 4000 50000 600000 7000000 80000000 9 9\ncpu0 1 1 1 1\n";
        assert_eq!(busy_ticks(text), 1 + 20 + 300 + 600_000 + 7_000_000);
        assert_eq!(busy_ticks(""), 0);
    }

    #[test]
    fn the_machine_has_worked_already() {
        assert!(busy_us().unwrap() > 0);
    }
}
