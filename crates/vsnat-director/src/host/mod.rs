//! What a director reads and changes of its host outside the data plane.
//!
//! Each part offers the change and its way back; the order and the record are
//! the business of [`crate::start`] and [`crate::restore`].

pub(crate) mod address;
pub(crate) mod arp;
pub(crate) mod bpffs;
pub(crate) mod events;
pub(crate) mod forwarding;
pub(crate) mod link;
pub(crate) mod masquerade;
pub(crate) mod tool;
