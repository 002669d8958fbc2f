//! ipvsadm's language, as version 1.31 speaks it.
//!
//! [`parse`] turns a command line into a [`Request`], or into the [`Refusal`]
//! that ipvsadm would print; [`render_services`], [`ConnectionRows`],
//! [`render_timeouts`] and [`render_save`] write what it would list, [`proc`]
//! what IPVS shows as files. Nothing here opens a socket, prints or exits:
//! look-ups of names come through [`Names`], text and exit codes go back to the
//! caller.
//!
//! What ipvsadm knows and the director does not do yet (tunnels, marks of IPv6,
//! engines of persistence, daemons of synchronisation) is understood, checked by
//! ipvsadm's own rules, and then refused by name. Nothing is accepted and
//! ignored.

mod address;
mod checks;
mod connections;
mod fault;
mod help;
mod legality;
mod line;
mod listing;
mod names;
mod number;
mod order;
mod parse;
pub mod proc;
mod refusal;
mod request;
mod restore;
mod row;
mod save;
mod table;
mod timeouts;
mod unknown;
mod words;

pub use connections::ConnectionRows;
pub use help::{render_help, render_version};
pub use listing::render_services;
pub use names::{Names, NoNames};
pub use parse::parse;
pub use refusal::{Ends, Refusal, refusal_of};
pub use request::{
    ConnectionColumns, ConnectionOptions, Figures, Format, ListOptions, Listed, NameStyle, Order,
    Request,
};
pub use restore::{RestoreLine, RestoreLines, restore_lines};
pub use save::render_save;
pub use timeouts::render_timeouts;
pub use unknown::UnknownScheduler;
