//! What a packet costs: measured in the kernel, by its own test facility.
//!
//! The programs run on packets that nobody sends, in a network namespace that
//! nobody else sees. Every figure is compared with a program that does nothing
//! but redirect, measured in the same run: times differ from machine to
//! machine, ratios hardly.

pub mod capacity;
mod cases;
mod clock;
mod error;
mod frames;
pub mod path;
pub mod peers;
pub mod regression;
mod sample;
pub mod scale;
mod short;
mod world;
mod xdp_cases;

pub use cases::{Figure, Scale, packet};
pub use error::BenchError;
pub use sample::Sample;
pub use short::{Front, ShortRun, short};
