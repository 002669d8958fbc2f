//! Builds the eBPF object: compiler and linker found or installed, flags set, result
//! placed where the user-space build reads it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build::{self, Role};
use crate::compiler::{Compiler, TARGET};
use crate::linker::{self, Linker, Search};
use crate::packages::{self, Wanted};
use crate::workspace::Workspace;

const CRATE: &str = "vsnat-ebpf";
const PROFILE: &str = "ebpf";
/// Separates the flags in `CARGO_ENCODED_RUSTFLAGS`, which wins over every configured flag.
const FLAG_SEPARATOR: &str = "\u{1f}";

/// The feature of the crate that makes another program of the same layout.
const OTHER_FEATURE: &str = "other-tick";

/// Which object is made of the crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    /// The one that user space embeds.
    Product,
    /// The one that a test replaces it by.
    Other,
}

/// Compiler and linker that fit each other.
pub struct Toolchain {
    compiler: Compiler,
    linker: Linker,
}

impl Toolchain {
    /// Finds both, installing on Debian what is missing.
    pub fn ensure(workspace: &Workspace) -> Result<Self> {
        let compiler = ensure_compiler()?;
        let linker = ensure_linker(workspace, &compiler)?;
        Ok(Self { compiler, linker })
    }
}

/// Builds the programs and returns the path of the object.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let toolchain = Toolchain::ensure(workspace)?;
    println!("xtask: eBPF compiler {}", toolchain.compiler.describe());
    println!("xtask: eBPF linker   {}", toolchain.linker.describe());
    build_object(workspace, &toolchain, Object::Product)
}

/// Builds both the programs and those that a test replaces them by.
pub fn build_both(workspace: &Workspace) -> Result<()> {
    build(workspace)?;
    let toolchain = Toolchain::ensure(workspace)?;
    build_object(workspace, &toolchain, Object::Other).map(drop)
}

fn build_object(workspace: &Workspace, toolchain: &Toolchain, object: Object) -> Result<PathBuf> {
    let (features, path) = match object {
        Object::Product => ("", workspace.object()),
        Object::Other => (OTHER_FEATURE, workspace.other_object()),
    };
    let mut cargo = toolchain.compiler.cargo();
    cargo
        .current_dir(workspace.root())
        .args([
            "build",
            "--package",
            CRATE,
            "--bins",
            "--profile",
            PROFILE,
            "--target",
            TARGET,
            "--features",
            features,
        ])
        .args(toolchain.compiler.build_arguments())
        .arg("--target-dir")
        .arg(workspace.target("bpf"))
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags().join(FLAG_SEPARATOR))
        .env(
            "CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER",
            &toolchain.linker.path,
        );
    let artifacts = build::artifacts(&mut cargo).context("cannot build the eBPF programs")?;

    let built = artifacts
        .into_iter()
        .find(|artifact| artifact.role == Role::Program && artifact.package_dir.ends_with(CRATE))
        .with_context(|| format!("crate {CRATE} has no [[bin]], so there is no eBPF object"))?;
    place(&built.executable, &path)?;
    println!(
        "xtask: eBPF object   {} ({} bytes)",
        path.display(),
        fs::metadata(&path)?.len()
    );
    Ok(path)
}

/// The bpf_target_arch is the machine the programs will run on: kernel structures differ by it.
fn rustflags() -> [String; 4] {
    [
        format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH),
        // BTF is made from debug information; timers, locks and callbacks need BTF.
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        // 32-bit jumps and the atomics that return a value; every kernel from 5.12 on.
        "-Ctarget-cpu=v3".to_owned(),
    ]
}

fn ensure_compiler() -> Result<Compiler> {
    if let Some(compiler) = Compiler::find() {
        return Ok(compiler);
    }
    let wanted = |package: &str, why: &str| Wanted {
        package: package.to_owned(),
        why: why.to_owned(),
    };
    packages::install(&[
        wanted(
            "rustc-web",
            "compiles the eBPF programs (rustup ships no `core` for them)",
        ),
        wanted("libstd-rust-web-dev-bpf", "is the `core` library for eBPF"),
    ])
    .context(
        "no compiler for eBPF here; install Debian's rustc-web (1.96 or newer) and \
         libstd-rust-web-dev-bpf, or `rustup toolchain install nightly --component rust-src`",
    )?;
    Compiler::find().context(
        "/usr/bin/rustc still cannot build for bpfel-unknown-none; it must be rustc-web 1.96 or newer \
         (from bookworm-security), or install a nightly with rust-src",
    )
}

fn ensure_linker(workspace: &Workspace, compiler: &Compiler) -> Result<Linker> {
    if let Search::Found(linker) = Linker::search(workspace, compiler.llvm) {
        return Ok(linker);
    }
    let major = compiler.llvm.major;
    let wanted: Vec<Wanted> = linker::packages(major)
        .into_iter()
        .map(|package| Wanted {
            package,
            why: "is what bpf-linker, the eBPF linker, is built with".to_owned(),
        })
        .filter(|wanted| !is_installed(&wanted.package))
        .collect();
    packages::install(&wanted)?;
    linker::install(workspace, major)?;

    match Linker::search(workspace, compiler.llvm) {
        Search::Found(linker) => Ok(linker),
        Search::Missing => {
            bail!("bpf-linker was built but does not start; run it by hand to see why")
        }
        Search::TooOld(linkers) => {
            let found: Vec<String> = linkers.iter().map(Linker::describe).collect();
            bail!(
                "the eBPF compiler ({}) has a newer LLVM than every linker found: {}; \
                 upgrade llvm-{major}-dev and remove {} to have it built again",
                compiler.describe(),
                found.join(", "),
                workspace.tools().display(),
            )
        }
    }
}

/// dpkg keeps the list of files of every installed package.
fn is_installed(package: &str) -> bool {
    let lists = Path::new("/var/lib/dpkg/info");
    lists.join(format!("{package}.list")).exists()
        || lists
            .join(format!("{package}:{}.list", debian_architecture()))
            .exists()
}

fn debian_architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Copies only a changed object, because its time stamp makes cargo rebuild what embeds it.
fn place(built: &Path, object: &Path) -> Result<()> {
    let fresh = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
    if fs::read(object).is_ok_and(|current| current == fresh) {
        return Ok(());
    }
    let directory = object
        .parent()
        .context("the object's path has no directory")?;
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    fs::write(object, fresh).with_context(|| format!("cannot write {}", object.display()))
}
