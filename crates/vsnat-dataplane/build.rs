//! Takes in the eBPF object that `cargo xtask build-ebpf` made.
//!
//! Without one the crate still builds, so that editors, clippy and the tests
//! of the model work on any machine; loading then says what is missing.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const OBJECT_ENV: &str = "VSNAT_EBPF_OBJECT";
const DEFAULT_OBJECT: &str = "../../target/vsnat-ebpf/vsnat.o";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={OBJECT_ENV}");
    let named = env::var_os(OBJECT_ENV).map(PathBuf::from);
    let object = named.unwrap_or_else(|| PathBuf::from(DEFAULT_OBJECT));
    println!("cargo::rerun-if-changed={}", object.display());
    let taken = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("vsnat.o");
    match fs::read(&object) {
        Ok(bytes) => fs::write(taken, bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::write(taken, []),
        Err(error) => Err(error),
    }
}
