//! Empty: the programs are in the binary of this crate. A library target lets
//! the tools of the host see the crate.

#![no_std]
