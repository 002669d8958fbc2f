//! What the comparison with the kernel's own IPVS is made of: a plan of command
//! lines and connections, the world in which it is carried out, and the answers.
//!
//! The library is shared by `cargo xtask oracle`, which draws plans and compares
//! answers, and by the program of this package, which carries a plan out: once in
//! a User-Mode Linux guest with IPVS, once on this machine with vsnat. It is the
//! same program in both, so that a difference can only come from the director.

pub mod plan;
pub mod world;
