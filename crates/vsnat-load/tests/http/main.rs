//! Runs over HTTP against real servers on the loopback interface.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod runs;
mod site;
mod stalled;
