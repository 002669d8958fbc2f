//! The sweeper: expiry without a daemon.
//!
//! A timer in a pinned map looks at a part of the connection table every tick.
//! A tick is bounded in slots, in connections it ends, and in time, since it
//! runs in softirq.

use aya_ebpf::Global;
use aya_ebpf::helpers::{
    bpf_ktime_get_ns, bpf_loop, bpf_timer_init, bpf_timer_set_callback, bpf_timer_start,
};
use core::ffi::c_void;
#[cfg(not(feature = "other-tick"))]
use vsnat_abi::sweep::TICK_INTERVAL_NS;
use vsnat_abi::sweep::{
    CATCH_UP_REST, CATCH_UP_REST_SHORT, PRESSURE_PERCENT, Sweep, TICK_NS_MAX, TICK_SLOTS,
    TICK_UNLINKS,
};
use vsnat_abi::time::coarse_from_ns;
use vsnat_core::Tables;
use vsnat_core::sweep::{Pressure, Visit, visit};

use crate::maps::{self, TimerCell};
use crate::tables::KernelTables;

/// Identifies the object file; set by the loader.
#[unsafe(no_mangle)]
pub static PROGRAM_VERSION: Global<u64> = Global::new(0);

#[cfg(feature = "other-tick")]
const TICK_INTERVAL_NS: u64 = 2 * vsnat_abi::sweep::TICK_INTERVAL_NS;
const CLOCK_MONOTONIC: u64 = 1;
/// A tick that ended early is behind if it ended or freed so many connections.
const BEHIND_FROM: u64 = 64;
/// Slots between two looks at the clock.
const CLOCK_EVERY: u64 = 16;

/// Starts the timer, or makes a running one call this program's callback.
#[inline(always)]
pub fn arm() -> i64 {
    let (Some(cell), Some(shared)) = (maps::SWEEP_TIMER.get_ptr_mut(0), KernelTables.shared())
    else {
        return -1;
    };
    shared.set_now(coarse_from_ns(KernelTables.now_ns()));
    let map = (&raw const maps::SWEEP_TIMER).cast_mut().cast::<c_void>();
    // SAFETY: timer and map belong together. A timer that was made already
    // answers EBUSY, which is as good.
    unsafe {
        let timer = &raw mut (*cell).timer;
        bpf_timer_init(timer, map, CLOCK_MONOTONIC);
        let failed = bpf_timer_set_callback(timer, tick as *mut c_void);
        if failed != 0 {
            return failed;
        }
        bpf_timer_start(timer, TICK_INTERVAL_NS, 0)
    }
}

/// One tick.
unsafe extern "C" fn tick(_map: *mut c_void, _key: *mut u32, cell: *mut TimerCell) -> i64 {
    let next_ns = match sweep() {
        Pace::Even => TICK_INTERVAL_NS,
        Pace::Behind { rest_ns } if rest_ns < TICK_INTERVAL_NS => rest_ns,
        Pace::Behind { .. } => TICK_INTERVAL_NS,
    };
    // SAFETY: the kernel passes the element whose timer fired.
    unsafe {
        bpf_timer_start(&raw mut (*cell).timer, next_ns, 0);
    }
    0
}

/// What one tick carries from slot to slot.
#[repr(C)]
struct Tick {
    started_ns: u64,
    now: u64,
    cursor: u64,
    end: u64,
    looked: u64,
    live: u64,
    unlinked: u64,
    freed: u64,
    short: u64,
    passes: u64,
    cut_short: u64,
    /// Live connections of the pass that ended in this tick.
    live_of_pass: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Even,
    /// The tick ended before its slots did, and before its work.
    Behind {
        rest_ns: u64,
    },
}

#[inline(always)]
fn sweep() -> Pace {
    let (Some(state), Some(shared)) = (maps::SWEEP.get_ptr_mut(0), KernelTables.shared()) else {
        return Pace::Even;
    };
    // SAFETY: this callback is the only writer; the element stays.
    let state = unsafe { &mut *state };
    // SAFETY: a helper without arguments.
    let started_ns = unsafe { bpf_ktime_get_ns() };
    shared.set_now(coarse_from_ns(started_ns));
    let end = shared.fresh();
    let zero = state.zero;
    let rate = pressure(state);
    shared.set_drop_rate(rate);
    let short = u64::from(rate != 0);
    let mut tick = Tick {
        started_ns,
        now: u64::from(coarse_from_ns(started_ns)),
        cursor: state.cursor,
        end,
        looked: zero,
        live: state.live,
        unlinked: zero,
        freed: zero,
        short,
        passes: zero,
        cut_short: zero,
        live_of_pass: zero,
    };
    if end != 0 {
        // SAFETY: the callback is given the tick, which outlives the loop.
        unsafe {
            bpf_loop(TICK_SLOTS, look as *mut c_void, (&raw mut tick).cast(), 0);
        }
    }
    report(state, &tick);
    // One that only looked has nothing to make up for: a full table is passed
    // a little more slowly.
    if tick.cut_short != 0 && tick.unlinked + tick.freed >= BEHIND_FROM {
        let times = if short != 0 {
            CATCH_UP_REST_SHORT
        } else {
            CATCH_UP_REST
        };
        Pace::Behind {
            rest_ns: state.last_tick_ns * times,
        }
    } else {
        Pace::Even
    }
}

#[inline(always)]
fn report(state: &mut Sweep, tick: &Tick) {
    state.version = PROGRAM_VERSION.load();
    state.ticks += 1;
    state.cursor = tick.cursor;
    state.live = tick.live;
    if tick.passes != 0 {
        state.live_last_pass = tick.live_of_pass;
        state.passes += tick.passes;
    }
    state.expired += tick.unlinked;
    state.freed += tick.freed;
    // SAFETY: a helper without arguments.
    let lasted = unsafe { bpf_ktime_get_ns() } - tick.started_ns;
    state.last_tick_ns = lasted;
    if lasted > state.longest_tick_ns {
        state.longest_tick_ns = lasted;
    }
}

/// 0 while the last whole pass found room. Else of so many new connections one
/// is too many, as IPVS reckons with its free memory: the fewer slots are
/// free, the more.
#[inline(always)]
fn pressure(state: &Sweep) -> u64 {
    let Some(info) = maps::INFO.get(0) else {
        return 0;
    };
    let slots = u64::from(info.connections);
    let limit = slots * PRESSURE_PERCENT / 100;
    if state.live_last_pass <= limit {
        return 0;
    }
    let reserve = slots - limit;
    let used = state.live_last_pass - limit;
    let rate = if used == 0 { reserve } else { reserve / used };
    if rate == 0 { 1 } else { rate }
}

/// One slot of a tick. Answers 1 to end the tick.
unsafe extern "C" fn look(_round: u32, context: *mut c_void) -> i64 {
    // SAFETY: `sweep` passed a pointer to its own tick.
    let tick = unsafe { &mut *context.cast::<Tick>() };
    // A slot is looked at once in a tick, however small the table.
    if tick.looked >= tick.end {
        return 1;
    }
    let mut tables = KernelTables;
    let Some(settings) = tables.settings() else {
        return 1;
    };
    let pressure = if tick.short != 0 {
        Pressure::Short
    } else {
        Pressure::Relaxed
    };
    let seen = visit(
        &mut tables,
        settings,
        tick.cursor as u32,
        tick.now as u32,
        pressure,
    );
    tick.looked += 1;
    tick.cursor += 1;
    match seen {
        Visit::Idle => {}
        Visit::Live => tick.live += 1,
        Visit::Unlinked => tick.unlinked += 1,
        Visit::Freed => tick.freed += 1,
        Visit::Beyond => tick.cursor = tick.end,
    }
    if tick.cursor >= tick.end {
        tick.cursor = 0;
        tick.live_of_pass = tick.live;
        tick.live = 0;
        tick.passes += 1;
    }
    if tick.unlinked >= u64::from(TICK_UNLINKS) {
        tick.cut_short = 1;
        return 1;
    }
    if tick.looked % CLOCK_EVERY != 0 {
        return 0;
    }
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    if now_ns - tick.started_ns <= TICK_NS_MAX {
        return 0;
    }
    tick.cut_short = 1;
    1
}
