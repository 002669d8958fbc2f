//! Finds bpf-linker, or builds it against Debian's LLVM.
//!
//! Several may be on a machine, linked with different LLVMs; one that cannot read
//! the compiler's bitcode is passed over. Our own goes below `target/tools`, so that
//! a linker the user has installed for something else is never replaced.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::llvm::LlvmVersion;
use crate::process;
use crate::workspace::{Workspace, cargo_executable};

const NAME: &str = "bpf-linker";
const VERSION: &str = "0.13.0";

#[derive(Debug)]
pub struct Linker {
    pub path: PathBuf,
    llvm: Option<LlvmVersion>,
}

/// What a search for a linker found.
#[derive(Debug)]
pub enum Search {
    Found(Linker),
    /// Only linkers whose LLVM is older than the compiler's.
    TooOld(Vec<Linker>),
    Missing,
}

impl Linker {
    pub fn search(workspace: &Workspace, compiler_llvm: LlvmVersion) -> Search {
        let mut too_old = Vec::new();
        for linker in candidates(workspace).into_iter().filter_map(inspect) {
            // One that links LLVM statically does not tell its version; upstream's
            // ready-made executables are such, and are kept up with the compilers.
            if linker.llvm.is_none_or(|llvm| llvm.reads(compiler_llvm)) {
                return Search::Found(linker);
            }
            too_old.push(linker);
        }
        if too_old.is_empty() {
            Search::Missing
        } else {
            Search::TooOld(too_old)
        }
    }

    pub fn describe(&self) -> String {
        let llvm = self.llvm.map_or_else(
            || "unknown, linked statically".to_owned(),
            |llvm| llvm.to_string(),
        );
        format!("{} (LLVM {llvm})", self.path.display())
    }
}

/// The Debian packages that `install` needs.
pub fn packages(llvm_major: u32) -> Vec<String> {
    vec![
        format!("llvm-{llvm_major}-dev"),
        format!("libpolly-{llvm_major}-dev"),
    ]
}

/// Builds bpf-linker against the LLVM of the given major version.
pub fn install(workspace: &Workspace, llvm_major: u32) -> Result<()> {
    let prefix = format!("/usr/lib/llvm-{llvm_major}");
    if !Path::new(&prefix).join("bin/llvm-config").exists() {
        bail!(
            "bpf-linker cannot be built: {prefix} holds no llvm-config; install llvm-{llvm_major}-dev"
        );
    }
    println!(
        "xtask: building {NAME} {VERSION} against LLVM {llvm_major} into {}",
        workspace.tools().display()
    );
    process::run(
        Command::new(cargo_executable())
            .args([
                "install",
                NAME,
                "--version",
                VERSION,
                "--locked",
                "--no-default-features",
            ])
            .args(["--features", &format!("llvm-{llvm_major}"), "--root"])
            .arg(workspace.tools())
            // The build script asks llvm-config for compiling but this variable for linking.
            .env("LLVM_PREFIX", &prefix)
            .env(
                "PATH",
                with_directory_first(&Path::new(&prefix).join("bin"))?,
            )
            .env_remove("RUSTFLAGS"),
    )
    .context("cannot build bpf-linker, which links the eBPF programs")
}

fn candidates(workspace: &Workspace) -> Vec<PathBuf> {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let path = env::var_os("PATH").unwrap_or_default();

    let mut directories = vec![workspace.tools().join("bin")];
    directories.extend(env::split_paths(&path));
    directories.extend(cargo_home.map(|home| home.join("bin")));

    let mut found: Vec<PathBuf> = Vec::new();
    for candidate in directories
        .into_iter()
        .map(|directory| directory.join(NAME))
    {
        if process::is_executable(&candidate) && !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

/// None for a linker that does not start, such as one whose libLLVM was removed.
fn inspect(path: PathBuf) -> Option<Linker> {
    process::output(Command::new(&path).arg("--version")).ok()?;
    let libraries = process::output(Command::new("ldd").arg(&path)).unwrap_or_default();
    let llvm = LlvmVersion::from_ldd(&libraries)
        .map(|version| exact_version(&libraries).unwrap_or(version));
    Some(Linker { path, llvm })
}

/// The library's name lacks the patch level; the llvm-config beside it knows.
fn exact_version(libraries: &str) -> Option<LlvmVersion> {
    let line = libraries
        .lines()
        .find(|line| line.trim().starts_with("libLLVM"))?;
    let library = Path::new(line.split_whitespace().nth(2)?);
    let llvm_config = library.parent()?.parent()?.join("bin/llvm-config");
    process::output(Command::new(llvm_config).arg("--version"))
        .ok()?
        .parse()
        .ok()
}

fn with_directory_first(directory: &Path) -> Result<std::ffi::OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(directory.to_path_buf()).chain(env::split_paths(&path));
    env::join_paths(directories).context("PATH holds a directory that cannot be joined")
}
