//! The time of leases: the host's clock at the start, and then as time passes.
//! A clock that is set while the director runs ends no lease.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use vsnat_dhcp::UnixTime;

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: UnixTime,
    since: Instant,
}

impl Clock {
    pub fn now() -> Self {
        // A clock before 1970 tells no time; leases then begin there.
        let start = SystemTime::now().duration_since(UNIX_EPOCH);
        Clock {
            start: UnixTime::from_s(start.unwrap_or_default().as_secs()),
            since: Instant::now(),
        }
    }

    pub fn time(&self) -> UnixTime {
        let passed_s = self.since.elapsed().as_secs();
        UnixTime::from_s(self.start.as_s().saturating_add(passed_s))
    }
}
