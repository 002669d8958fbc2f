//! Marking rules: which packets belong to which service by mark.

use crate::net::Be32;

/// Rules in force at most; a rule with several port ranges takes as many. They
/// are tried one after the other for every packet that has no connection.
pub const MAX_MARKS: u32 = 1_024;

/// The map holds two lists, so that one can be written while the other is read.
pub const MARK_ENTRIES: u32 = 2 * MAX_MARKS;

/// The kernel's IFNAMSIZ.
pub const INTERFACE_NAME: usize = 16;

/// One rule, one port range.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarkRule4 {
    pub mark: u32,
    pub source: Be32,
    pub source_mask: Be32,
    pub destination: Be32,
    pub destination_mask: Be32,
    /// Index of the interface; 0: any.
    pub ifindex: u32,
    /// First and last destination port, in the host's order.
    pub first_port: u16,
    pub last_port: u16,
    /// IP protocol number; 0: any.
    pub protocol: u8,
    /// 1: it is another port range of the rule before it.
    pub continues: u8,
    pub zero: [u8; 2],
    /// Name of the interface, zeros behind it: an interface that was made anew
    /// has another index. The packet path does not read it.
    pub interface: [u8; INTERFACE_NAME],
}

const _: () = assert!(size_of::<MarkRule4>() == 48);

/// [`crate::settings::Settings::marks`]: where the list begins and how long it is.
#[inline(always)]
pub const fn mark_list(first: u32, len: u32) -> u32 {
    first << 16 | len & 0xffff
}

#[inline(always)]
pub const fn mark_list_first(list: u32) -> u32 {
    list >> 16
}

#[inline(always)]
pub const fn mark_list_len(list: u32) -> u32 {
    list & 0xffff
}
