//! What a director reads and changes of its host outside the data plane.
//!
//! Each part offers the change and its way back; the order and the record are
//! the business of [`crate::start`] and [`crate::restore`].

pub mod address;
pub mod advertise;
pub mod arp;
pub mod bpffs;
pub mod diversion;
pub mod events;
pub mod flows;
pub mod forwarding;
pub mod forwarding6;
pub mod link;
pub mod loopback;
pub mod masquerade;
pub mod masquerade6;
pub mod neighbours;
pub mod news;
pub mod own_source;
pub mod ruleset;
pub mod sysctl;
pub mod tool;
