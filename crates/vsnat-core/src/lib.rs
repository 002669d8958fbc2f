//! The packet path of a director: what happens to a packet between its
//! arrival and its departure.
//!
//! One source for three worlds: the eBPF programs, the in-memory model and the
//! fuzzers. Everything outside is asked through two traits, [`Packet`] and
//! [`Tables`]; time and randomness come through them too. Read it in the order
//! in which a packet travels: [`way`], `parse`, `find`, `open`, `schedule`,
//! `track`, `hop`, `rewrite`. IPv6 packets come and go by [`six`].

#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

mod admit;
pub mod ahead;
mod alone;
pub mod atomic;
pub mod checksum;
mod clamp;
mod counts;
mod decision;
mod expect;
mod find;
pub mod hop;
pub mod icmp;
mod leave;
mod open;
mod packet;
mod parse;
mod persist;
mod pieces;
mod quote;
mod reset;
mod rewrite;
pub mod schedule;
pub mod sctp;
mod shared;
pub mod six;
mod slots;
mod source;
pub mod sweep;
mod tables;
mod target;
mod track;
mod verdict;
pub mod way;

pub use counts::is_active;
pub use packet::{Checksum, Packet, Route, RouteQuery};
pub use shared::Shared;
pub use six::{Route6, RouteQuery6};
pub use tables::{Inserted, Loop, Round, Tables};
pub use track::{Event, Guard, tcp_next, tcp_next_guarded};
pub use verdict::Verdict;
