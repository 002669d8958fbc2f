//! A fuzzer over the packet path and its tables.
//!
//! A script is what happens to a director: commands, packets as bytes, time
//! that passes, and what another CPU does between two steps of a packet. It is
//! carried out on the model in memory, and after every act the world is judged:
//! checksums by an independent implementation, bytes that may not change,
//! counters that must add up, slots of which none may be lost. Scripts that
//! reach something new are kept, changed and prolonged. All is drawn from one
//! seed.

pub mod act;
pub mod arrival;
mod chance;
pub mod corpus;
mod draft;
mod draw;
mod errors;
pub mod hunt;
mod judge;
mod machine;
mod scenes;
mod script;
mod shrink;
mod sums;
mod traces;
mod words;
pub mod world;

pub use script::{Script, ScriptError};
