//! A machine with the kernel's own IPVS: User-Mode Linux, which is a Linux kernel that
//! runs as an ordinary process, natively, and is there as a Debian package.
//!
//! Nothing is installed: packages are unpacked below `target/oracle`, and the disk is
//! an initramfs of busybox, ipvsadm, iptables and a program of ours: the one that
//! carries out a plan, or the one that measures.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::kernel::cpio::Cpio;
use crate::kernel::image;
use crate::kernel::initramfs::library_path;
use crate::kernel::modules::Modules;
use crate::process;

const PACKAGES: [&str; 10] = [
    "user-mode-linux",
    "busybox-static",
    "ipvsadm",
    "libnl-3-200",
    "libnl-genl-3-200",
    "libpopt0",
    "iptables",
    "libip4tc2",
    "libip6tc2",
    "libxtables12",
];
/// Besides IPVS itself: links between namespaces, marks by iptables, and the file system
/// of the host, through which plan and answers come and go.
const MODULES: [&str; 19] = [
    "hostfs",
    "veth",
    "iptable_mangle",
    "xt_mark",
    "xt_tcpudp",
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ip_vs_lblc",
    "ip_vs_lblcr",
    "ip_vs_dh",
    "ip_vs_sh",
    "ip_vs_sed",
    "ip_vs_nq",
    "ip_vs_fo",
    "ip_vs_ovf",
    "ip_vs_mh",
];
/// Where the unpacked packages may hold libraries.
const LIBRARY_FOLDERS: [&str; 2] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
const DIRECTORIES: [&str; 8] = ["proc", "sys", "dev", "run", "tmp", "root", "etc", "share"];
const MEMORY: &str = "mem=768M";
const POLL: Duration = Duration::from_millis(100);

/// Files in the folder that host and guest share.
const JOB: &str = "job.sh";
pub const PLAN: &str = "plan.json";
pub const ANSWERS: &str = "answers.jsonl";
pub const GUEST_LOG: &str = "guest.log";
const EXIT_CODE: &str = "exit";

/// The unpacked packages.
pub struct Machine {
    kernel: PathBuf,
    root: PathBuf,
    modules: PathBuf,
    disk: PathBuf,
}

/// A program of ours in the guest.
pub struct Driver<'a> {
    /// Where it lies there, below the root.
    pub name: &'static str,
    pub executable: &'a Path,
    pub linkage: Linkage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linkage {
    Static,
    /// This machine's libraries go with it.
    Dynamic,
}

/// A guest that does the job of a folder. Dropping it ends it.
pub struct Guest {
    child: Child,
    share: PathBuf,
    started: Instant,
}

impl Machine {
    /// Fetches and unpacks what is missing below `directory`, and writes a disk with
    /// `driver`.
    pub fn prepare(directory: &Path, driver: &Driver<'_>) -> Result<Self> {
        if std::env::consts::ARCH != "x86_64" {
            bail!(
                "User-Mode Linux runs on x86-64 only, and this machine is {}",
                std::env::consts::ARCH
            );
        }
        let root = directory.join("root");
        if !root.exists() {
            println!(
                "xtask: fetching {} (unpacked below target/oracle, not installed)",
                PACKAGES.join(", ")
            );
            image::unpack(directory, &root, &PACKAGES)?;
        }
        let releases = root.join("usr/lib/uml/modules");
        let modules = releases
            .read_dir()
            .with_context(|| format!("cannot list {}", releases.display()))?
            .flatten()
            .next()
            .with_context(|| {
                format!(
                    "{} is empty; remove {} to have it fetched again",
                    releases.display(),
                    root.display()
                )
            })?
            .path();
        let machine = Machine {
            kernel: root.join("usr/bin/linux.uml"),
            root,
            modules,
            disk: directory.join(format!("initramfs-{}.cpio", driver.name)),
        };
        machine.write_disk(driver)?;
        Ok(machine)
    }

    /// The guest's kernel release.
    pub fn release(&self) -> String {
        let name = self.modules.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Boots a guest that runs `job`, a line of shell, and sees `share` as `/share`.
    pub fn boot(&self, share: &Path, job: &str) -> Result<Guest> {
        for name in [ANSWERS, GUEST_LOG, EXIT_CODE] {
            let path = share.join(name);
            if path.exists() {
                fs::remove_file(&path)?;
            }
        }
        fs::write(share.join(JOB), job)?;
        let console = File::create(share.join("console.log"))?;
        let share_text = share.to_string_lossy();
        if share_text.contains(char::is_whitespace) {
            bail!("{share_text} holds a space, which a kernel's command line cannot carry");
        }
        let child = Command::new(&self.kernel)
            .arg(MEMORY)
            .arg(format!("initrd={}", self.disk.display()))
            .arg(format!("uml_dir={}", share.display()))
            .arg(format!("vsnat_share={share_text}"))
            .args(["con=null", "con0=null,fd:1", "quiet", "panic=-1"])
            .stdin(Stdio::null())
            .stdout(console.try_clone()?)
            .stderr(console)
            .spawn()
            .with_context(|| format!("cannot start {}", self.kernel.display()))?;
        Ok(Guest {
            child,
            share: share.to_owned(),
            started: Instant::now(),
        })
    }

    fn write_disk(&self, driver: &Driver<'_>) -> Result<()> {
        let path = &self.disk;
        let file =
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut archive = Cpio::new(BufWriter::new(file));
        archive.console()?;
        for directory in DIRECTORIES {
            archive.directory(directory)?;
        }
        let modules = Modules::of(&self.modules)?.load_order(&MODULES)?;
        for (number, module) in modules.iter().enumerate() {
            // The number keeps the order of loading in the order of names.
            let name = module.file_name().unwrap_or_default().to_string_lossy();
            archive.file(&format!("modules/{number:02}-{name}"), &read(module)?)?;
        }
        archive.file("bin/busybox", &read(&self.packaged("bin/busybox")?)?)?;
        archive.file(driver.name, &read(driver.executable)?)?;

        let ip = process::find_program("ip").context("`ip` is missing; install iproute2")?;
        let ipvsadm = self.packaged("sbin/ipvsadm")?;
        let iptables = self.packaged("sbin/xtables-legacy-multi")?;
        let programs = [
            ("ip", ip),
            ("ipvsadm", ipvsadm),
            // It finds out by its name which of its programs is meant.
            ("iptables-legacy", iptables),
        ];
        let mut libraries = BTreeSet::new();
        if driver.linkage == Linkage::Dynamic {
            libraries.extend(self.linked_libraries(driver.executable)?);
        }
        for (name, program) in programs {
            archive.file(&format!("usr/sbin/{name}"), &read(&program)?)?;
            libraries.extend(self.linked_libraries(&program)?);
        }
        for library in &libraries {
            // A packaged library lies in the guest where its package puts it.
            let target = library.strip_prefix(&self.root).unwrap_or(library);
            archive.file(&target.to_string_lossy(), &read(library)?)?;
        }
        self.add_extensions(&mut archive)?;
        archive.file("init", INIT.as_bytes())?;
        archive
            .finish()
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    }

    /// Matches and targets of iptables are libraries that it loads by name.
    fn add_extensions(&self, archive: &mut Cpio<BufWriter<File>>) -> Result<()> {
        for name in [
            "libxt_MARK.so",
            "libxt_mark.so",
            "libxt_tcp.so",
            "libxt_udp.so",
        ] {
            let path = format!("usr/lib/x86_64-linux-gnu/xtables/{name}");
            let library = self.root.join(&path);
            // Which of them are files of their own differs between versions.
            if library.exists() {
                archive.file(&path, &read(&library)?)?;
            }
        }
        Ok(())
    }

    /// A file of the packages, whether or not they know of the merged /usr.
    fn packaged(&self, path: &str) -> Result<PathBuf> {
        [path.to_owned(), format!("usr/{path}")]
            .iter()
            .map(|candidate| self.root.join(candidate))
            .find(|candidate| candidate.exists())
            .with_context(|| {
                format!(
                    "no {path} in the packages; remove {} to have them fetched again",
                    self.root.display()
                )
            })
    }

    fn linked_libraries(&self, program: &Path) -> Result<Vec<PathBuf>> {
        let folders: Vec<String> = LIBRARY_FOLDERS
            .iter()
            .map(|folder| self.root.join(folder).display().to_string())
            .collect();
        let listing = process::output(
            Command::new("ldd")
                .env("LD_LIBRARY_PATH", folders.join(":"))
                .arg(program),
        )?;
        Ok(listing
            .lines()
            .filter_map(library_path)
            .map(PathBuf::from)
            .collect())
    }
}

impl Guest {
    /// Waits for the end of the guest; tells how long it ran.
    pub fn finish(mut self, limit: Duration) -> Result<Duration> {
        while self.child.try_wait()?.is_none() {
            if self.started.elapsed() > limit {
                bail!(
                    "the guest still runs after {} s; {} has what it said",
                    limit.as_secs(),
                    self.share.display()
                );
            }
            thread::sleep(POLL);
        }
        let code = fs::read_to_string(self.share.join(EXIT_CODE)).unwrap_or_default();
        if code.trim() != "0" {
            let log = fs::read_to_string(self.share.join(GUEST_LOG)).unwrap_or_default();
            bail!(
                "the guest did not do its job (exit code {:?}); console.log and guest.log \
                 in {} tell more:\n{log}",
                code.trim(),
                self.share.display()
            );
        }
        Ok(self.started.elapsed())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // One that has ended refuses to be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const INIT: &str = "\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/bin HOME=/root RUST_BACKTRACE=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
for module in /modules/*.ko; do
    insmod \"$module\" || echo \"cannot load $module\"
done
ip link set lo up
echo 1000000 >/proc/sys/net/ipv4/icmp_msgs_per_sec
echo 1000000 >/proc/sys/net/ipv4/icmp_msgs_burst
for word in $(cat /proc/cmdline); do
    case $word in
        vsnat_share=*) mount -t hostfs none /share -o \"${word#vsnat_share=}\" ;;
    esac
done
sh /share/job.sh >/share/guest.log 2>&1
echo $? >/share/exit
sync
poweroff -f
";

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
