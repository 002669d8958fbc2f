//! Finds a compiler that can build for `bpfel-unknown-none`.
//!
//! The target is a tier 3 one: rustup ships no `core` for it. Debian's rustc-web has
//! a ready-made one (package libstd-rust-web-dev-bpf); everywhere else a nightly
//! with its library sources builds it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::llvm::LlvmVersion;
use crate::process;
use crate::workspace::cargo_executable;

pub const TARGET: &str = "bpfel-unknown-none";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Debian's 1.85 has another LLVM, and is older than the edition and the library
/// functions the workspace uses.
const OLDEST_DEBIAN_RELEASE: (u32, u32) = (1, 96);
/// Crates that may use unstable features with Debian's stable compiler. They are
/// named one by one because `RUSTC_BOOTSTRAP=1` would open them to every dependency;
/// `vsnat` is what the eBPF crate calls its executable.
const UNSTABLE_CRATES: &str = "aya_ebpf,vsnat,vsnat_ebpf,vsnat_core,vsnat_abi";
/// Settings of the caller that would reach into the build of the eBPF crate. All of
/// them are either dropped or replaced by ours.
const FOREIGN_VARIABLES: [&str; 8] = [
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_INCREMENTAL",
];

#[derive(Debug)]
pub struct Compiler {
    kind: Kind,
    release: String,
    pub llvm: LlvmVersion,
}

#[derive(Debug)]
enum Kind {
    Debian,
    Nightly { toolchain: String },
}

impl Compiler {
    /// Debian's compiler first: it needs no network and no unpinned toolchain.
    pub fn find() -> Option<Self> {
        find_debian().or_else(find_nightly)
    }

    /// Cargo with this compiler, free of the caller's own settings.
    pub fn cargo(&self) -> Command {
        let mut command = match &self.kind {
            Kind::Debian => Command::new(cargo_executable()),
            Kind::Nightly { toolchain } => rustup_run(toolchain, "cargo"),
        };
        for variable in FOREIGN_VARIABLES {
            command.env_remove(variable);
        }
        // An empty wrapper also switches off one that a cargo configuration names.
        command
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_WORKSPACE_WRAPPER", "");
        match &self.kind {
            Kind::Debian => command
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", UNSTABLE_CRATES),
            Kind::Nightly { .. } => &mut command,
        };
        command
    }

    /// Arguments of `cargo build` that only this kind of compiler needs.
    pub fn build_arguments(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Debian => &[],
            Kind::Nightly { .. } => &["-Z", "build-std=core"],
        }
    }

    pub fn describe(&self) -> String {
        let origin = match &self.kind {
            Kind::Debian => "Debian's",
            Kind::Nightly { toolchain } => toolchain,
        };
        format!(
            "{origin} {} (LLVM {})",
            short_release(&self.release),
            self.llvm
        )
    }
}

fn find_debian() -> Option<Compiler> {
    let version = process::output(Command::new(DEBIAN_RUSTC).arg("-vV")).ok()?;
    let release = release_line(&version)?;
    if release_numbers(release)? < OLDEST_DEBIAN_RELEASE {
        return None;
    }
    let libraries = process::output(Command::new(DEBIAN_RUSTC).args([
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]));
    if !has_core(Path::new(libraries.ok()?.trim())) {
        return None;
    }
    Some(Compiler {
        kind: Kind::Debian,
        release: release.to_owned(),
        llvm: LlvmVersion::from_rustc(&version).ok()?,
    })
}

fn find_nightly() -> Option<Compiler> {
    let toolchains = process::output(Command::new(rustup()).args(["toolchain", "list"])).ok()?;
    toolchains
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with("nightly"))
        .find_map(|name| nightly(name).ok().flatten())
}

fn nightly(toolchain: &str) -> Result<Option<Compiler>> {
    let sysroot = process::output(rustup_run(toolchain, "rustc").args(["--print", "sysroot"]))?;
    let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml");
    if !sources.exists() {
        return Ok(None);
    }
    let version = process::output(rustup_run(toolchain, "rustc").arg("-vV"))?;
    Ok(Some(Compiler {
        kind: Kind::Nightly {
            toolchain: toolchain.to_owned(),
        },
        release: release_line(&version)
            .context("`rustc -vV` names no release")?
            .to_owned(),
        llvm: LlvmVersion::from_rustc(&version)?,
    }))
}

fn rustup_run(toolchain: &str, program: &str) -> Command {
    let mut command = Command::new(rustup());
    command.args(["run", toolchain, program]);
    // Set by the proxy that started us; they would win over the toolchain named here.
    for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC"] {
        command.env_remove(variable);
    }
    command
}

fn rustup() -> PathBuf {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    cargo_home
        .map(|home| home.join("bin/rustup"))
        .filter(|path| process::is_executable(path))
        .unwrap_or_else(|| PathBuf::from("rustup"))
}

fn has_core(libraries: &Path) -> bool {
    let Ok(entries) = libraries.read_dir() else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn release_line(version: &str) -> Option<&str> {
    version
        .lines()
        .next()
        .filter(|line| line.starts_with("rustc "))
}

/// `rustc 1.96.0 (…) (…)` → `rustc 1.96.0`
fn short_release(release: &str) -> &str {
    release.split(" (").next().unwrap_or(release)
}

/// `rustc 1.96.0 (…)` → (1, 96)
fn release_numbers(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(
            release_numbers("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"),
            Some((1, 96))
        );
        assert!(
            release_numbers("rustc 1.85.0 (4d91de4e4 2025-02-17)") < Some(OLDEST_DEBIAN_RELEASE)
        );
        assert_eq!(release_numbers("rustc"), None);
    }
}
