//! An array in memory that the packet path uses too.
//!
//! For the kernel's maps it is a shared mapping, for the model a heap block.
//! Elements are read and written as a whole or word by word, always volatile:
//! somebody else may change them at any time.

use std::ptr::NonNull;

use vsnat_core::Shared;

/// `len` elements at one place for as long as their owner lives.
#[derive(Debug)]
pub struct Region<T> {
    base: NonNull<T>,
    len: u32,
}

impl<T> Clone for Region<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Region<T> {}

// SAFETY: a region is an address; every access is volatile, and words that
// several sides write are changed atomically by `Shared`.
unsafe impl<T> Send for Region<T> {}

impl<T> Region<T> {
    /// # Safety
    /// `base` is aligned and valid for `len` elements as long as any copy of
    /// the region is used.
    pub unsafe fn new(base: NonNull<T>, len: u32) -> Self {
        Region { base, len }
    }

    pub fn len(&self) -> u32 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn shared(&self, index: u32) -> Option<Shared<T>> {
        // SAFETY: `at` answers pointers into the region only.
        self.at(index)
            .map(|pointer| unsafe { Shared::new(pointer) })
    }

    pub fn at(&self, index: u32) -> Option<*mut T> {
        if index >= self.len {
            return None;
        }
        // SAFETY: below the length that `new` was promised.
        Some(unsafe { self.base.as_ptr().add(index as usize) })
    }
}

impl<T: Copy> Region<T> {
    pub fn read(&self, index: u32) -> Option<T> {
        // SAFETY: a valid element; its type has no invalid bit patterns.
        self.at(index)
            .map(|pointer| unsafe { pointer.read_volatile() })
    }

    /// Writes an element; an index beyond the end changes nothing.
    pub fn write(&self, index: u32, value: T) {
        if let Some(pointer) = self.at(index) {
            // SAFETY: a valid element.
            unsafe { pointer.write_volatile(value) }
        }
    }

    /// Every element with its index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, T)> + '_ {
        (0..self.len).filter_map(|index| Some((index, self.read(index)?)))
    }
}
