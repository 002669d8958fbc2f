//! How many servers one director carries, and what gives out first.
//!
//! The model is that of the original experiment: a packet takes so long to be
//! translated, so a CPU translates so many in a second; those carry so many
//! bytes, which so many servers fill. Added are what it left out: the clients'
//! packets, the opening of connections, several CPUs, and the links.

mod chart;
mod curve;
mod link;
mod measure;
mod model;
#[cfg(test)]
mod model_tests;
mod quantity;
mod terminal;

pub use chart::svg;
pub use curve::{Curve, Saturation};
pub use link::{Link, Speed, link};
pub use measure::{Measured, measure};
pub use model::{Answer, Connection, Limit, LimitKind, PacketPrice, Plan, Traffic};
pub use quantity::{ByteRate, Nanoseconds, Units, grouped, grouped_down};
pub use terminal::terminal;
