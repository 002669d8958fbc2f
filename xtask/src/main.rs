//! Everything a developer of vsnat types: `cargo xtask build`, `demo`, `test`, `ci`.
//!
//! Cargo alone cannot do it: the eBPF programs need another compiler and linker
//! than user space, some tests need root, and one set runs under another kernel.
//! Each subcommand first installs what it needs (see `packages`), so that a fresh
//! machine needs nothing but a Rust toolchain and root or sudo.

mod bench;
mod budget;
mod build;
mod ci;
mod compiler;
mod demo;
mod ebpf;
mod fuzz;
mod kernel;
mod libtest;
mod linker;
mod llvm;
mod oracle;
mod others;
mod packages;
mod path;
mod peers;
mod process;
mod regression;
mod test;
mod unpacked;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use budget::BudgetMode;
use build::Profile;
use packages::Purpose;
use workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Build, demonstrate and test vsnat"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing on this machine, and say why each piece is needed
    Setup,
    /// Build the eBPF programs into target/vsnat-ebpf/vsnat.o (and vsnat-other.o, for a test)
    BuildEbpf,
    /// Build the eBPF programs and the vsnat executable (release)
    Build,
    /// Raise a cluster in network namespaces and run the experiment
    Demo {
        /// Passed on to `vsnat lab demo`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run all tests; the privileged part needs root
    Test {
        /// Boot this kernel series (such as 6.1) in QEMU and run the kernel tests there
        #[arg(long, value_name = "SERIES")]
        kernel: Option<kernel::Series>,
        /// Passed on to every test program
        #[arg(last = true)]
        filter: Vec<String>,
    },
    /// Compare the verified instructions of each eBPF program with its budget
    Budget {
        /// Write the measured figures into the budget file
        #[arg(long)]
        update: bool,
    },
    /// Measure what a packet costs
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
    },
    /// Compare vsnat with the kernel's own IPVS on random command lines and connections
    Oracle(oracle::Options),
    /// Fuzz the packet path and its tables in memory
    Fuzz(fuzz::Options),
    /// Format check, lints, build, budget, sizes and all tests
    Ci,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not returned from main, which would add a backtrace to a message for people.
            eprintln!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::locate()?;

    match task {
        Task::Setup => setup(&workspace),
        Task::BuildEbpf => ebpf::build_both(&workspace),
        Task::Build => build::vsnat(&workspace, Profile::Release).map(drop),
        Task::Demo { arguments } => demo::run(&workspace, &arguments),
        Task::Test {
            kernel: None,
            filter,
        } => test::run(&workspace, &filter),
        Task::Test {
            kernel: Some(series),
            filter,
        } => kernel::run(&workspace, &series, &filter),
        Task::Budget { update: true } => budget(&workspace, BudgetMode::Update),
        Task::Budget { update: false } => budget(&workspace, BudgetMode::Check),
        Task::Bench { bench } => bench::run(&workspace, &bench),
        Task::Oracle(options) => oracle::run(&workspace, &options),
        Task::Fuzz(options) => fuzz::run(&workspace, &options),
        Task::Ci => ci::run(&workspace),
    }
}

/// Everything but QEMU, which only `test --kernel` needs and installs.
fn setup(workspace: &Workspace) -> Result<()> {
    packages::ensure(&[Purpose::Lab, Purpose::Test])?;
    others::ensure(workspace)?;
    peers::ensure(workspace)?;
    ebpf::Toolchain::ensure(workspace).map(drop)
}

fn budget(workspace: &Workspace, mode: BudgetMode) -> Result<()> {
    ebpf::build(workspace)?;
    budget::run(workspace, mode)
}
