//! An array map in the daemon's own memory.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use aya::maps::MapData;

use crate::Region;

/// A shared mapping; unmapped when dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<libc::c_void>,
    bytes: usize,
}

// SAFETY: an address range of the process.
unsafe impl Send for Mapping {}

/// Maps an array of `len` elements. The region is valid as long as the mapping.
pub(super) fn map_array<T>(map: &MapData, len: u32) -> io::Result<(Mapping, Region<T>)> {
    const {
        assert!(
            size_of::<T>().is_multiple_of(8),
            "elements lie eight bytes apart"
        );
    }
    let bytes = size_of::<T>() * len as usize;
    // SAFETY: a fresh shared mapping of a file descriptor that is open.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            map.fd().as_fd().as_raw_fd(),
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let Some(base) = NonNull::new(base) else {
        return Err(io::Error::other(
            "the kernel mapped the map at address zero",
        ));
    };
    // SAFETY: page-aligned and `len` elements long; the owner keeps the mapping
    // beside the region.
    let region = unsafe { Region::new(base.cast(), len) };
    Ok((Mapping { base, bytes }, region))
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what `map_array` mapped.
        unsafe {
            libc::munmap(self.base.as_ptr(), self.bytes);
        }
    }
}
