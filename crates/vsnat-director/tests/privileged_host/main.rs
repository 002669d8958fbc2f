//! Tests on real namespaces, with the real `ip` and `nft`. They need root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod masquerade;
mod preflight;
mod restore;
