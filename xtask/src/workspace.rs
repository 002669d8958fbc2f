//! Where things lie in the checkout, and cargo as this workspace calls it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Tells `crates/vsnat-dataplane/build.rs` where the built eBPF object lies.
pub const OBJECT_VARIABLE: &str = "VSNAT_EBPF_OBJECT";

/// Tells tests where the object lies that one of them replaces the first by.
pub const OTHER_OBJECT_VARIABLE: &str = "VSNAT_EBPF_OTHER_OBJECT";

#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    pub fn locate() -> Result<Self> {
        // Cargo sets the variable for `cargo run`; the compiled-in path serves an
        // executable that is started by hand.
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
        let root = Path::new(&manifest_dir)
            .parent()
            .with_context(|| format!("{} has no parent directory", manifest_dir.to_string_lossy()))?
            .to_path_buf();
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below `target/` of the checkout, also where `CARGO_TARGET_DIR` points
    /// elsewhere: these are files that people look for by name.
    pub fn target(&self, path: &str) -> PathBuf {
        self.root.join("target").join(path)
    }

    pub fn object(&self) -> PathBuf {
        self.target("vsnat-ebpf/vsnat.o")
    }

    pub fn other_object(&self) -> PathBuf {
        self.target("vsnat-ebpf/vsnat-other.o")
    }

    pub fn tools(&self) -> PathBuf {
        self.target("tools")
    }

    pub fn budget_file(&self) -> PathBuf {
        self.root.join("crates/vsnat-ebpf/budget.toml")
    }

    /// Cargo for user space, with the eBPF object announced.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(cargo_executable());
        command
            .current_dir(&self.root)
            .env(OBJECT_VARIABLE, self.object());
        command
    }
}

/// The cargo that runs us, so that one toolchain serves the whole run.
pub fn cargo_executable() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}
