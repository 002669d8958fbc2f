//! The three atomic operations of the packet path.
//!
//! `core::sync::atomic` has no read-modify-write on the eBPF target, and there
//! a relaxed add whose old value is used is silently compiled to the form that
//! returns nothing. So each form has one function of its own: [`fetch_add`]
//! where the old value counts, [`add`] where it does not.

#[cfg(target_arch = "bpf")]
mod imp {
    use core::arch::asm;

    #[inline(always)]
    pub unsafe fn fetch_add(word: *mut u64, value: u64) -> u64 {
        let mut old = value;
        // SAFETY: the caller gives a valid, aligned word in a map.
        unsafe {
            asm!("{v} = atomic_fetch_add((u64 *)({p} + 0), {v})", p = in(reg) word, v = inout(reg) old);
        }
        old
    }

    #[inline(always)]
    pub unsafe fn add32(word: *mut u32, value: u32) {
        // SAFETY: as above; a 32-bit word.
        unsafe {
            asm!("lock *(u32 *)({p} + 0) += {v}", p = in(reg) word, v = in(wreg) value);
        }
    }

    #[inline(always)]
    pub unsafe fn compare_exchange(word: *mut u64, expected: u64, new: u64) -> u64 {
        let seen: u64;
        // SAFETY: as above; the instruction compares with and answers in r0.
        unsafe {
            asm!(
                "r0 = cmpxchg_64({p} + 0, r0, {n})",
                p = in(reg) word,
                n = in(reg) new,
                inout("r0") expected => seen,
            );
        }
        seen
    }
}

#[cfg(not(target_arch = "bpf"))]
mod imp {
    use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    pub unsafe fn fetch_add(word: *mut u64, value: u64) -> u64 {
        // SAFETY: the caller gives a valid, aligned word that is only used atomically.
        unsafe { AtomicU64::from_ptr(word) }.fetch_add(value, Ordering::SeqCst)
    }

    pub unsafe fn add32(word: *mut u32, value: u32) {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(word) }.fetch_add(value, Ordering::Relaxed);
    }

    pub unsafe fn compare_exchange(word: *mut u64, expected: u64, new: u64) -> u64 {
        // SAFETY: as above.
        let word = unsafe { AtomicU64::from_ptr(word) };
        match word.compare_exchange(expected, new, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(seen) | Err(seen) => seen,
        }
    }
}

/// Adds and answers the old value.
///
/// # Safety
/// `word` is valid and aligned for the duration of the call.
#[inline(always)]
pub unsafe fn fetch_add(word: *mut u64, value: u64) -> u64 {
    // SAFETY: passed on to the caller.
    unsafe { imp::fetch_add(word, value) }
}

/// Adds to a 32-bit word, wrapping; nobody sees the old value.
///
/// # Safety
/// `word` is valid and aligned for the duration of the call.
#[inline(always)]
pub unsafe fn add(word: *mut u32, value: u32) {
    // SAFETY: passed on to the caller.
    unsafe { imp::add32(word, value) }
}

/// Writes `new` if the word is `expected`; answers what the word was.
///
/// # Safety
/// `word` is valid and aligned for the duration of the call.
#[inline(always)]
pub unsafe fn compare_exchange(word: *mut u64, expected: u64, new: u64) -> u64 {
    // SAFETY: passed on to the caller.
    unsafe { imp::compare_exchange(word, expected, new) }
}
