//! The guest's disk: busybox, a few real tools, kernel modules, the test programs
//! with the libraries they are linked with, and the script that runs them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

use super::console::MARKER;
use super::cpio::Cpio;
use super::image::Image;
use super::modules::Modules;

/// What the packet path needs of a kernel that builds these as modules.
const MODULES: [&str; 5] = ["veth", "bridge", "sch_ingress", "cls_bpf", "act_bpf"];
/// busybox's own `ip` knows neither veth nor network namespaces. Test programs start
/// these by PATH; busybox's shell would still prefer its own.
const TOOLS: [&str; 2] = ["ip", "tc"];
/// Empty directories, most of them for file systems to mount.
const DIRECTORIES: [&str; 9] = [
    "proc", "sys", "dev", "run", "tmp", "root", "etc", "var", "tests",
];
/// A test program in the guest is ended after this many seconds; emulation is slow.
const JOB_LIMIT_S: u32 = 900;

/// A program to run in the guest.
pub struct Job {
    pub name: String,
    pub executable: PathBuf,
    pub arguments: Vec<String>,
}

/// Writes the archive; `work` takes the stripped test programs.
pub fn write(path: &Path, image: &Image, jobs: &[Job], work: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut archive = Cpio::new(BufWriter::new(file));
    archive.console()?;
    for directory in DIRECTORIES {
        archive.directory(directory)?;
    }
    archive.file("bin/busybox", &read(&image.busybox)?)?;

    let modules = Modules::of(&image.modules)?.load_order(&MODULES)?;
    for (number, module) in modules.iter().enumerate() {
        // The number keeps the order of loading in the order of names.
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        archive.file(&format!("modules/{number:02}-{name}"), &read(module)?)?;
    }

    let mut libraries = BTreeSet::new();
    for tool in TOOLS {
        let path = process::find_program(tool)
            .with_context(|| format!("`{tool}` is missing; install iproute2"))?;
        archive.file(&format!("usr/sbin/{tool}"), &read(&path)?)?;
        libraries.extend(linked_libraries(&path)?);
    }
    for job in jobs {
        archive.file(
            &format!("tests/{}", job.name),
            &read(&strip(&job.executable, work)?)?,
        )?;
        libraries.extend(linked_libraries(&job.executable)?);
    }
    for library in &libraries {
        archive.file(library, &read(Path::new(library))?)?;
    }
    archive.file("init", init_script(jobs).as_bytes())?;
    archive
        .finish()
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// Debug information would fill the guest's memory ten times over.
fn strip(executable: &Path, work: &Path) -> Result<PathBuf> {
    let stripped = work.join("stripped");
    process::run(
        Command::new("objcopy")
            .arg("--strip-debug")
            .arg(executable)
            .arg(&stripped),
    )
    .with_context(|| format!("cannot strip {}", executable.display()))?;
    Ok(stripped)
}

fn linked_libraries(executable: &Path) -> Result<Vec<String>> {
    let listing = process::output(Command::new("ldd").arg(executable))?;
    Ok(listing
        .lines()
        .filter_map(library_path)
        .map(str::to_owned)
        .collect())
}

/// `libc.so.6 => /lib/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`; the
/// kernel's own page has no path.
pub fn library_path(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| word.starts_with('/'))
}

fn init_script(jobs: &[Job]) -> String {
    let mut script = format!(
        "\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/bin HOME=/root RUST_BACKTRACE=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
ln -s /run /var/run
dmesg -n 1
ulimit -l unlimited
for module in /modules/*.ko; do
    insmod \"$module\" || echo \"cannot load $module\"
done
ip link set lo up
test -e /sys/kernel/btf/vmlinux || echo 'this kernel has no BTF'
echo \"{MARKER} kernel $(uname -r)\"
"
    );
    for job in jobs {
        let arguments: Vec<String> = job
            .arguments
            .iter()
            .map(|argument| quote(argument))
            .collect();
        let name = &job.name;
        script.push_str(&format!(
            "\
echo '{MARKER} begin {name}'
timeout {JOB_LIMIT_S} /tests/{name} {} </dev/null 2>&1
code=$?
echo
echo \"{MARKER} end {name} $code\"
",
            arguments.join(" ")
        ));
    }
    script.push_str("poweroff -f\n");
    script
}

fn quote(argument: &str) -> String {
    format!("'{}'", argument.replace('\'', r"'\''"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_taken_from_both_forms_of_line() {
        assert_eq!(
            library_path("\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f)"),
            Some("/lib/x86_64-linux-gnu/libc.so.6")
        );
        assert_eq!(
            library_path("\t/lib64/ld-linux-x86-64.so.2 (0x7f)"),
            Some("/lib64/ld-linux-x86-64.so.2")
        );
        assert_eq!(library_path("\tlinux-vdso.so.1 (0x7f)"), None);
    }

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        assert_eq!(quote("plain"), "'plain'");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }

    #[test]
    fn the_script_ends_the_guest_whatever_the_jobs_do() {
        let job = Job {
            name: "t".to_owned(),
            executable: PathBuf::new(),
            arguments: vec!["a b".to_owned()],
        };
        let script = init_script(&[job]);

        assert!(script.contains("/tests/t 'a b' "));
        assert!(script.ends_with("poweroff -f\n"));
        assert!(
            !script.contains("set -e"),
            "a failing command must not end init, which panics the kernel"
        );
    }
}
