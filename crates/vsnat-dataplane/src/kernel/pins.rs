//! Where a data plane lies in the BPF file system.
//!
//! `/sys/fs/bpf/vsnat/NAME/` holds the maps; `links/INTERFACE:INDEX` the TCX links.
//! On a kernel without TCX the folder `clsact/INTERFACE:INDEX` remembers a filter,
//! and `qdiscs/INTERFACE:INDEX` that its qdisc is ours too. `xdp/` and `xdp-generic/`
//! hold the links of the accelerators, by the mode they were made in.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use vsnat_abi::map;

use crate::{OpenError, RemoveError};

const BPF_FS: &str = "/sys/fs/bpf";
/// f_type of the BPF file system (include/uapi/linux/magic.h).
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

#[derive(Clone, Debug)]
pub(super) struct Pins {
    pub name: String,
    root: PathBuf,
}

impl Pins {
    pub fn new(name: &str) -> Self {
        Pins {
            name: name.to_owned(),
            root: Path::new(BPF_FS).join("vsnat").join(name),
        }
    }

    /// Whether anything of this name is pinned, half a data plane included.
    pub fn exist(&self) -> bool {
        self.root.exists()
    }

    pub fn map(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    pub fn clsact(&self) -> PathBuf {
        self.root.join("clsact")
    }

    pub fn qdiscs(&self) -> PathBuf {
        self.root.join("qdiscs")
    }

    /// XDP links that a driver runs.
    pub fn xdp(&self) -> PathBuf {
        self.root.join("xdp")
    }

    /// XDP links that the kernel runs in a driver's stead.
    pub fn xdp_generic(&self) -> PathBuf {
        self.root.join("xdp-generic")
    }

    /// Everything that is attached has its file in one of these.
    pub fn folders(&self) -> [PathBuf; 5] {
        [
            self.links(),
            self.clsact(),
            self.qdiscs(),
            self.xdp(),
            self.xdp_generic(),
        ]
    }

    /// Makes the folders, and mounts the file system where it is not.
    pub fn prepare(&self) -> Result<(), OpenError> {
        let failed = |source| OpenError::BpfFs {
            path: self.root.clone(),
            source,
        };
        mount_bpf_fs().map_err(failed)?;
        for folder in self.folders() {
            fs::create_dir_all(&folder).map_err(failed)?;
        }
        Ok(())
    }

    /// Unpins every map: the timer's first, since the sweeper must not outlive
    /// its tables, and last the one that says that all others are there.
    pub fn remove(&self) -> Result<(), RemoveError> {
        unpin(&self.map(map::SWEEP_TIMER))?;
        for folder in self.folders() {
            for path in entries(&folder) {
                unpin(&path)?;
            }
            unpin(&folder)?;
        }
        let info = self.map(map::INFO);
        for path in entries(&self.root).into_iter().filter(|path| *path != info) {
            unpin(&path)?;
        }
        unpin(&info)?;
        unpin(&self.root)
    }
}

/// An interface as a file name: name and index, since one that was made anew
/// under an old name is another interface. The BPF file system keeps names with
/// a dot (`eth0.100`) for itself; a colon is in no interface's name.
pub(super) fn interface_file(interface: &str, index: u32) -> String {
    format!("{}:{index}", interface.replace('.', "::"))
}

/// The interface of such a file.
pub(super) fn interface_of(path: &Path) -> Option<(String, u32)> {
    let (name, index) = path.file_name()?.to_str()?.rsplit_once(':')?;
    Some((name.replace("::", "."), index.parse().ok()?))
}

/// The entries of a folder, if it is there.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(read) = fs::read_dir(folder) else {
        return Vec::new();
    };
    read.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// Removes a pin or an empty folder; one that is gone is fine.
pub(super) fn unpin(path: &Path) -> Result<(), RemoveError> {
    let removed = if path.is_dir() {
        fs::remove_dir(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RemoveError::Unpin {
            path: path.to_owned(),
            source: error,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn mount_bpf_fs() -> io::Result<()> {
    let path = CString::new(Path::new(BPF_FS).as_os_str().as_bytes())?;
    // SAFETY: an all-zero statfs is valid, and the kernel fills it in.
    let (failed, found) = unsafe {
        let mut found: libc::statfs = std::mem::zeroed();
        (libc::statfs(path.as_ptr(), &raw mut found), found)
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    if found.f_type == BPF_FS_MAGIC {
        return Ok(());
    }
    // SAFETY: constant, terminated strings.
    let failed = unsafe {
        libc::mount(
            c"bpf".as_ptr(),
            path.as_ptr(),
            c"bpf".as_ptr(),
            0,
            std::ptr::null(),
        )
    };
    if failed != 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
