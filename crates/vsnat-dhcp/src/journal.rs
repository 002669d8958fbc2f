//! The text of the lease file: a line for each change, the last one counts.
//!
//! Each line is a checksum and a lease as JSON. A crash can only cut off the
//! end, which is the beginning of a line that nobody was told of yet. A line
//! that is damaged otherwise is left out and counted.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::Lease;
use crate::crc32::crc32;

/// The form and its version, to be raised with every incompatible change.
pub(crate) const HEADER: &str = "vsnat-leases 1\n";

/// Hexadecimal digits of the checksum.
const CHECKSUM: usize = 8;

/// What a lease file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub leases: BTreeMap<Ipv4Addr, Lease>,
    /// Lines that are whole but wrong.
    pub damaged: usize,
}

/// The file was written by another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OtherVersion;

/// A change as a line.
pub(crate) fn line(lease: &Lease) -> String {
    // Plain data always has a JSON form.
    let json = serde_json::to_string(lease).unwrap_or_default();
    format!("{:08x} {json}\n", crc32(json.as_bytes()))
}

/// The whole state as a file of its own.
pub(crate) fn whole<'a>(leases: impl IntoIterator<Item = &'a Lease>) -> String {
    let lines = leases.into_iter().map(line);
    std::iter::once(HEADER.to_owned()).chain(lines).collect()
}

pub(crate) fn read(bytes: &[u8]) -> Result<Read, OtherVersion> {
    let Some(lines) = bytes.strip_prefix(HEADER.as_bytes()) else {
        // A header that is cut off is one that was never finished.
        return match HEADER.as_bytes().starts_with(bytes) {
            true => Ok(Read::default()),
            false => Err(OtherVersion),
        };
    };
    let mut read = Read::default();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            break;
        };
        match lease(line) {
            Some(lease) => {
                read.leases.insert(lease.address, lease);
            }
            None => read.damaged += 1,
        }
    }
    Ok(read)
}

fn lease(line: &[u8]) -> Option<Lease> {
    let (checksum, json) = line.split_at_checked(CHECKSUM)?;
    let json = json.strip_prefix(b" ")?;
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    if checksum != crc32(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}
