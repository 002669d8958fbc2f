//! What can go wrong with the kernel, and what to do about it.

use std::io;
use std::path::PathBuf;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;
use thiserror::Error;

/// The data plane could not be opened. Nothing was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(
        "this build carries no eBPF program; build it with `cargo xtask build`, \
         or name one with --bpf-object"
    )]
    NoObject,
    #[error("cannot read the eBPF object {path}: {source}")]
    ReadObject { path: PathBuf, source: io::Error },
    #[error(
        "the kernel offers no type information (/sys/kernel/btf/vmlinux); \
         vsnat needs Linux 6.1 or newer with CONFIG_DEBUG_INFO_BTF"
    )]
    NoBtf,
    #[error(
        "cannot use the BPF file system at {path}: {source}; \
         mount it with `mount -t bpf bpf /sys/fs/bpf`"
    )]
    BpfFs { path: PathBuf, source: io::Error },
    #[error(
        "the data plane pinned for director {name} was made {found}, and this one would be made \
         {wanted}; put the old sizes back under [limits], or remove it and its connections by \
         `vsnat down --name {name}`"
    )]
    OtherLayout {
        name: String,
        found: String,
        wanted: String,
    },
    #[error("the kernel refused the eBPF program {program}: {reason}")]
    Program { program: String, reason: String },
    #[error("the kernel refused the eBPF maps: {0}")]
    Load(#[from] EbpfError),
    #[error("the kernel refused the map {map}: {reason}")]
    Map { map: &'static str, reason: String },
    #[error(
        "the sweeper did not start: the kernel answered {0}; its timers need Linux 5.15 or newer"
    )]
    Sweeper(i32),
}

/// An interface could not be attached or detached.
#[derive(Debug, Error)]
pub enum AttachError {
    #[error("cannot attach {program} to {interface}: {reason}")]
    Refused {
        program: &'static str,
        interface: String,
        reason: String,
    },
    #[error("{program} cannot stand in front of TC on {interface}: {reason}")]
    NotAccelerated {
        program: &'static str,
        interface: String,
        reason: String,
    },
    #[error("cannot run {program}: {reason}")]
    Run {
        program: &'static str,
        reason: String,
    },
    #[error("cannot remove the attachment {path}: {source}")]
    Detach { path: PathBuf, source: io::Error },
}

/// A data plane could not be removed wholly.
#[derive(Debug, Error)]
pub enum RemoveError {
    #[error("cannot remove the pin {path}: {source}; remove it by hand with rm")]
    Unpin { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Detach(#[from] AttachError),
}

/// The last lines of a verifier's log tell why; the rest tells how it got there.
const VERIFIER_LINES: usize = 12;

/// What the kernel said, short enough to read.
pub(super) fn program_reason(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().collect();
            let from = lines.len().saturating_sub(VERIFIER_LINES);
            format!("{io_error}\n{}", lines[from..].join("\n"))
        }
        error => chain(error),
    }
}

pub(super) fn map_reason(error: &MapError) -> String {
    chain(error)
}

/// An error with all of its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
