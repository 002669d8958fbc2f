//! Coarse time: the unit of deadlines and timeouts.
//!
//! One unit is 2^27 ns, about 134 ms, of the kernel's monotonic clock. A
//! 32-bit count lasts 18 years of uptime, and most packets of a busy
//! connection find its deadline already right and write nothing.

/// Nanoseconds in a coarse unit, as a shift.
pub const COARSE_SHIFT: u32 = 27;

/// A moment or a span in coarse units.
pub type Coarse = u32;

#[inline(always)]
pub const fn coarse_from_ns(ns: u64) -> Coarse {
    (ns >> COARSE_SHIFT) as Coarse
}

/// Rounds up, so that nothing ends early.
pub const fn coarse_span_from_ms(ms: u64) -> Coarse {
    let units = (ms * 1_000_000 + (1 << COARSE_SHIFT) - 1) >> COARSE_SHIFT;
    if units > u32::MAX as u64 {
        u32::MAX
    } else {
        units as Coarse
    }
}

pub const fn ms_from_coarse(span: Coarse) -> u64 {
    ((span as u64) << COARSE_SHIFT) / 1_000_000
}
