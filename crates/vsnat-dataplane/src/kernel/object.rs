//! The eBPF object: built in, or read from a file.

use std::fs;
use std::path::Path;

use crate::OpenError;

#[repr(align(8))]
struct Aligned<T: ?Sized>(T);

/// The object is parsed in place, which wants the alignment of its headers.
static BUILT_IN: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/vsnat.o")));

pub(super) struct Object {
    pub bytes: Vec<u8>,
    /// Identifies the program: a hash of the object.
    pub version: u64,
}

pub(super) fn read(path: Option<&Path>) -> Result<Object, OpenError> {
    let bytes = match path {
        None => BUILT_IN.0.to_vec(),
        Some(path) => fs::read(path).map_err(|source| OpenError::ReadObject {
            path: path.to_owned(),
            source,
        })?,
    };
    if bytes.is_empty() {
        return Err(OpenError::NoObject);
    }
    let version = fnv1a(&bytes);
    Ok(Object { bytes, version })
}

/// Fowler, Noll and Vo's hash: the same in every build, which the standard
/// library's does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
