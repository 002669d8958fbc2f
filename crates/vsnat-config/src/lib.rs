//! The file that says what a director shall be, and what follows from it.
//!
//! [`parse`] turns the text of a file into a validated [`Config`], or into all
//! of its [`Mistakes`] at once, each with its line and what to do about it.
//! [`diff`] says which commands bring the running tables to what the file asks
//! for. Nothing here reads a file, a clock or a socket.

mod address;
mod config;
mod desired;
mod diff;
mod director;
mod mistake;
mod name;
mod parse;
mod section;
mod services;
mod settings;
mod suggest;

pub use config::{Config, DesiredService, Limits, Masquerade};
pub use desired::{Desired, merge};
pub use diff::{describe, diff};
pub use mistake::{Mistake, Mistakes};
pub use name::{DirectorName, NameError};
pub use parse::parse;
