//! What machine this is, and how busy.

use std::fs;
use std::thread;

use super::PeersError;

const STAT: &str = "/proc/stat";
const LOAD: &str = "/proc/loadavg";
const RELEASE: &str = "/proc/sys/kernel/osrelease";
/// The kernel tells times to user space in hundredths of a second.
const TICK_US: u64 = 10_000;

/// Microseconds that all CPUs together have worked since the machine was started.
pub fn busy_us() -> Result<u64, PeersError> {
    Ok(busy_ticks(&read(STAT)?) * TICK_US)
}

/// How many processes wanted a CPU, as an average of the last minute.
pub fn load() -> Result<f64, PeersError> {
    let text = read(LOAD)?;
    let first = text.split_whitespace().next();
    Ok(first.and_then(|load| load.parse().ok()).unwrap_or(0.0))
}

/// Of the kernel, as `uname -r` tells.
pub fn kernel() -> Result<String, PeersError> {
    Ok(read(RELEASE)?.trim().to_owned())
}

pub fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn read(path: &str) -> Result<String, PeersError> {
    fs::read_to_string(path).map_err(PeersError::system(format!("read {path}")))
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
