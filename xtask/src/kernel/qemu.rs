//! One boot of a guest with its console as standard output.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;

use crate::process;

/// For boot and all jobs. Emulation takes half a minute to boot; the tests, minutes.
pub const LIMIT: Duration = Duration::from_secs(25 * 60);

const MEMORY_MIB: &str = "2048";
const PROCESSORS: &str = "2";
/// A panic reboots at once, which `-no-reboot` turns into the end of QEMU.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 panic=-1 quiet";

/// How the guest ended; a panic also counts as powered off and shows in the missing results.
pub enum Ending {
    PoweredOff,
    TimedOut,
    Failed(ExitStatus),
}

pub fn boot(kernel: &Path, initrd: &Path, on_line: impl FnMut(&str)) -> Result<Ending> {
    let mut command = Command::new("qemu-system-x86_64");
    command
        // Emulation everywhere: it needs no rights, and works inside virtual machines.
        .args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            PROCESSORS,
            "-m",
            MEMORY_MIB,
        ])
        .args([
            "-nodefaults",
            "-display",
            "none",
            "-serial",
            "stdio",
            "-no-reboot",
        ])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initrd)
        .args(["-append", KERNEL_ARGUMENTS]);

    Ok(match process::watch(&mut command, LIMIT, on_line)? {
        process::Ending::Exited(status) if status.success() => Ending::PoweredOff,
        process::Ending::Exited(status) => Ending::Failed(status),
        process::Ending::TimedOut(_) => Ending::TimedOut,
    })
}
