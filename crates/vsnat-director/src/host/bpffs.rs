//! The file system that keeps BPF programs and maps alive.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

pub const MOUNT_POINT: &str = "/sys/fs/bpf";

/// Whether the file system has to be mounted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bpffs {
    Mounted,
    Mountable,
    /// The kernel offers no place for it.
    Impossible,
}

pub fn found() -> Bpffs {
    let path = Path::new(MOUNT_POINT);
    match statfs(path) {
        Ok(stat) if stat.filesystem_type() == BPF_FS_MAGIC => Bpffs::Mounted,
        Ok(_) if path.is_dir() => Bpffs::Mountable,
        Ok(_) | Err(_) => Bpffs::Impossible,
    }
}

/// Whether this process sees other mounts than the first process of the host:
/// what it mounted would vanish with it.
pub fn mounts_are_private() -> bool {
    let own = fs::read_link("/proc/self/ns/mnt");
    let first = fs::read_link("/proc/1/ns/mnt");
    matches!((own, first), (Ok(own), Ok(first)) if own != first)
}

pub fn mount_it() -> io::Result<()> {
    let none = None::<&str>;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("bpf"), MOUNT_POINT, Some("bpf"), flags, none)?;
    Ok(())
}

/// Unmounts it, unless somebody has pinned something there since.
pub fn unmount_if_empty() -> io::Result<()> {
    let only_own = |entry: fs::DirEntry| {
        let own = entry.file_name() == "vsnat";
        own && fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_none())
    };
    let unused = fs::read_dir(MOUNT_POINT)?.flatten().all(only_own);
    if unused && found() == Bpffs::Mounted {
        umount2(MOUNT_POINT, MntFlags::empty())?;
    }
    Ok(())
}
