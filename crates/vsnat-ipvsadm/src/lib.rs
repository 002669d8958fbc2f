//! ipvsadm's language, as version 1.31 speaks it.
//!
//! [`parse`] turns a command line into a [`Request`], or into the [`Refusal`]
//! that ipvsadm would print; [`render_services`], [`render_connections`] and
//! [`render_save`] write what it would list. Nothing here opens a socket, prints
//! or exits: look-ups of names come through [`Names`], text and exit codes go
//! back to the caller.
//!
//! What ipvsadm knows and the director does not do yet is understood, checked
//! by ipvsadm's own rules, and then refused by name. Nothing is accepted and
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
mod refusal;
mod request;
mod restore;
mod save;
mod table;
mod words;

pub use connections::render_connections;
pub use help::{render_help, render_version};
pub use listing::render_services;
pub use names::{Names, NoNames};
pub use parse::parse;
pub use refusal::{Ends, Refusal, refusal_of};
pub use request::{Figures, Format, ListOptions, Listed, NameStyle, Order, Request};
pub use restore::{RestoreLine, RestoreLines, restore_lines};
pub use save::render_save;
