//! Numbers in network byte order.
//!
//! They are kept as they lie in the packet, so that comparing and storing
//! costs no swap and a word can be moved in one load. The host's value is
//! asked for by name.

/// A 16-bit number in network byte order: a port.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Be16(u16);

impl Be16 {
    pub const ZERO: Be16 = Be16(0);

    #[inline(always)]
    pub const fn from_host(value: u16) -> Self {
        Be16(value.to_be())
    }

    #[inline(always)]
    pub const fn from_bytes(bytes: [u8; 2]) -> Self {
        Be16(u16::from_ne_bytes(bytes))
    }

    #[inline(always)]
    pub const fn host(self) -> u16 {
        u16::from_be(self.0)
    }

    #[inline(always)]
    pub const fn bytes(self) -> [u8; 2] {
        self.0.to_ne_bytes()
    }

    /// The bits as they lie in memory: what a one's-complement sum adds.
    #[inline(always)]
    pub const fn raw(self) -> u16 {
        self.0
    }

    #[inline(always)]
    pub const fn from_raw(raw: u16) -> Self {
        Be16(raw)
    }
}

/// A 32-bit number in network byte order: an IPv4 address.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Be32(u32);

impl Be32 {
    pub const ZERO: Be32 = Be32(0);

    #[inline(always)]
    pub const fn from_host(value: u32) -> Self {
        Be32(value.to_be())
    }

    #[inline(always)]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Be32(u32::from_ne_bytes(bytes))
    }

    #[inline(always)]
    pub const fn host(self) -> u32 {
        u32::from_be(self.0)
    }

    #[inline(always)]
    pub const fn bytes(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }

    /// The bits as they lie in memory.
    #[inline(always)]
    pub const fn raw(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub const fn from_raw(raw: u32) -> Self {
        Be32(raw)
    }
}
