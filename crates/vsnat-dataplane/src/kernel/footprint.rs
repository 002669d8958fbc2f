//! How much kernel memory the tables take, by the kernel's own account.
//!
//! All tables are made whole at the start: what is told here does not grow
//! with what they hold. Kernels before 6.4 count keys and values only.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};

use aya::maps::MapData;

use crate::OpenError;
use crate::kernel::error::map_reason;
use crate::kernel::pins::Pins;

/// A table and its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapFootprint {
    /// One of [`vsnat_abi::map`].
    pub map: &'static str,
    pub bytes: u64,
}

pub(super) fn of_map(pins: &Pins, map: &'static str) -> Result<MapFootprint, OpenError> {
    let failed = |reason: String| OpenError::Map { map, reason };
    let data = MapData::from_pin(pins.map(map)).map_err(|error| failed(map_reason(&error)))?;
    let descriptor = data.fd().as_fd().as_raw_fd();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}"));
    let info = info.map_err(|error| failed(error.to_string()))?;
    let bytes = memory_in(&info).ok_or_else(|| failed("its fdinfo has no memlock".to_owned()))?;
    Ok(MapFootprint { map, bytes })
}

fn memory_in(info: &str) -> Option<u64> {
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("memlock:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::memory_in;

    #[test]
    fn the_kernels_account_is_read() {
        let info = "pos:\t0\nflags:\t02000002\nmap_type:\t2\nmemlock:\t4096\nmap_id:\t7\n";
        assert_eq!(memory_in(info), Some(4_096));
        assert_eq!(memory_in("pos:\t0\n"), None);
    }
}
