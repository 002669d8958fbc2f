//! Values in memory that other CPUs and the daemon change.
//!
//! A reference would promise that nobody does. [`Shared`] promises nothing but
//! that the memory is there: fields are read and written one aligned word at a
//! time, and words that several write are changed atomically.

use crate::atomic;

/// A pointer to a value in a table, valid as long as the program runs.
#[derive(Debug)]
pub struct Shared<T>(*mut T);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// The pointer is aligned and stays valid as long as the result is used.
    #[inline(always)]
    pub unsafe fn new(pointer: *mut T) -> Self {
        Shared(pointer)
    }

    #[inline(always)]
    pub fn pointer(self) -> *mut T {
        self.0
    }
}

/// Reads one field, whatever others do to it.
macro_rules! read {
    ($shared:expr, $($field:tt)+) => {
        // SAFETY: `Shared::new` was promised a valid pointer; one aligned word.
        unsafe { (&raw const (*$shared.0).$($field)+).read_volatile() }
    };
}

/// Writes one field.
macro_rules! write {
    ($shared:expr, $field:ident, $value:expr) => {
        // SAFETY: `Shared::new` was promised a valid pointer; one aligned word.
        unsafe { (&raw mut (*$shared.0).$field).write_volatile($value) }
    };
}

/// Adds to a counter that only this CPU writes.
macro_rules! bump {
    ($shared:expr, $field:ident, $value:expr) => {
        // SAFETY: `Shared::new` was promised a valid pointer; one aligned word.
        unsafe {
            let field = &raw mut (*$shared.0).$field;
            field.write_volatile(field.read_volatile().wrapping_add($value));
        }
    };
}

mod connection;
mod machine;
mod service;

impl Shared<u64> {
    #[inline(always)]
    pub fn load(self) -> u64 {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { self.0.read_volatile() }
    }

    #[inline(always)]
    pub fn store(self, value: u64) {
        // SAFETY: as in `load`.
        unsafe { self.0.write_volatile(value) }
    }

    #[inline(always)]
    pub fn fetch_add(self, value: u64) -> u64 {
        // SAFETY: `Shared::new` was promised a valid pointer.
        unsafe { atomic::fetch_add(self.0, value) }
    }
}
