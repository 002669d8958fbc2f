//! The options of a message, with every length checked.
//!
//! The decoder of the wire format trusts the lengths of some options, stops at
//! the first one that it cannot read, and keeps the last of several. A client
//! may write anything: so this goes through the bytes first. Parts of one
//! option are put together (RFC 3396).

use std::collections::BTreeMap;

/// Options of no length.
const PAD: u8 = 0;
const END: u8 = 255;

/// The values by their codes. None when an option passes the end of the message.
pub(crate) fn options(mut bytes: &[u8]) -> Option<BTreeMap<u8, Vec<u8>>> {
    let mut found: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    loop {
        let (code, rest) = match bytes.split_first() {
            // Some clients leave the end mark out.
            None | Some((&END, _)) => return Some(found),
            Some((&PAD, rest)) => {
                bytes = rest;
                continue;
            }
            Some((code, rest)) => (*code, rest),
        };
        let (length, rest) = rest.split_first()?;
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        found.entry(code).or_default().extend_from_slice(value);
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_and_what_is_cut_off_is_refused() {
        let bytes = [0, 61, 2, 1, 2, 0, 53, 1, 3, 61, 1, 9, 255, 7];
        let found = options(&bytes).unwrap();
        assert_eq!(found[&61], [1, 2, 9]);
        assert_eq!(found[&53], [3]);
        assert_eq!(found.len(), 2);
        assert!(options(&bytes[..2]).is_none());
        assert!(options(&bytes[..4]).is_none());
        assert!(options(&[]).unwrap().is_empty());
    }
}
