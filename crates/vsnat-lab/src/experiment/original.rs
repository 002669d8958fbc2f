//! The figures of the original experiment, as its text gives them. The only
//! constants that a report shows, always in a column that says so.

/// A table of the original.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OriginalRun {
    pub requests: u64,
    pub transfer_kib_per_s: f64,
    pub requests_per_s: f64,
    pub time_per_request_ms: f64,
    pub document_bytes: u64,
}

/// One real server alone.
pub const RS: [OriginalRun; 2] = [
    OriginalRun {
        requests: 10_000,
        transfer_kib_per_s: 315.783,
        requests_per_s: 71.24,
        time_per_request_ms: 13.97,
        document_bytes: 4100,
    },
    OriginalRun {
        requests: 100_000,
        transfer_kib_per_s: 238.043,
        requests_per_s: 55.24,
        time_per_request_ms: 18.10,
        document_bytes: 4100,
    },
];

/// The virtual server over four real servers.
pub const VS: [OriginalRun; 1] = [OriginalRun {
    requests: 100_000,
    transfer_kib_per_s: 580.75,
    requests_per_s: 131.60,
    time_per_request_ms: 7.60,
    document_bytes: 4100,
}];

/// The gain that the original's text claims, in per cent.
pub const CLAIMED_GAIN_PERCENT: f64 = 154.0;

/// The gain that its tables of 100,000 requests give, in per cent.
pub fn computed_gain_percent() -> f64 {
    let [_, alone] = RS;
    let [virtual_server] = VS;
    (virtual_server.requests_per_s / alone.requests_per_s - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_figures_do_not_give_what_it_claims() {
        assert_eq!(computed_gain_percent().round(), 138.0);
    }
}
