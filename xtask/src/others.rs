//! Other people's programs that the privileged tests run over ours: unpacked below
//! `target/others`, not installed, because their packages would start services and
//! put IPVS's own ipvsadm in the way of ours.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::kernel::image;
use crate::packages;
use crate::workspace::Workspace;

/// A file that a test runs, where its package puts it.
struct Program {
    path: &'static str,
    package: &'static str,
    why: &'static str,
}

const PROGRAMS: [Program; 5] = [
    Program {
        path: "usr/sbin/ldirectord",
        package: "ldirectord",
        why: "watches real servers and drives ipvsadm",
    },
    Program {
        path: "sbin/ipvsadm-save",
        package: "ipvsadm",
        why: "holds the scripts around ipvsadm; its own ipvsadm is not run",
    },
    Program {
        path: "usr/bin/prometheus-node-exporter",
        package: "prometheus-node-exporter",
        why: "reads IPVS's files below /proc/net",
    },
    Program {
        path: "usr/sbin/netdata",
        package: "netdata-core",
        why: "reads IPVS's totals below /proc/net",
    },
    Program {
        path: "usr/share/munin/plugins/cps_",
        package: "munin-plugins-core",
        why: "splits ipvsadm's listing of counters by field",
    },
];

/// What ldirectord uses besides perl itself, and netdata's libraries.
const LIBRARY_PACKAGES: [&str; 21] = [
    "libclone-perl",
    "libencode-locale-perl",
    "libhtml-parser-perl",
    "libhttp-date-perl",
    "libhttp-message-perl",
    "libio-html-perl",
    "libio-socket-inet6-perl",
    "libjson-c5",
    "liblz4-1",
    "liblwp-mediatypes-perl",
    "libmailtools-perl",
    "libmnl0",
    "libnet-http-perl",
    "libnetfilter-acct1",
    "libregexp-ipv6-perl",
    "libsocket6-perl",
    "libtimedate-perl",
    "libtry-tiny-perl",
    "liburi-perl",
    "libuv1",
    "libwww-perl",
];

/// Fetches and unpacks what is missing. Elsewhere than on Debian the programs may be
/// installed, which the tests take too.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    let directory = workspace.target("others");
    let root = directory.join("root");
    let missing: Vec<&Program> = PROGRAMS
        .iter()
        .filter(|program| find(&root, program.path).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !packages::is_debian() {
        let reasons: Vec<String> = missing
            .iter()
            .map(|program| format!("  /{:<32} {}", program.path, program.why))
            .collect();
        bail!(
            "this system is not Debian, so install these programs yourself, then try again:\n{}",
            reasons.join("\n")
        );
    }
    fetch(&directory, &root)
}

fn fetch(directory: &Path, root: &Path) -> Result<()> {
    let mut names: Vec<&str> = PROGRAMS.iter().map(|program| program.package).collect();
    println!(
        "xtask: fetching {} with {} libraries (unpacked below target/others, not installed)",
        names.join(", "),
        LIBRARY_PACKAGES.len()
    );
    names.extend(LIBRARY_PACKAGES);
    packages::refresh_lists(&names)?;
    if root.exists() {
        std::fs::remove_dir_all(root)
            .with_context(|| format!("cannot remove {}", root.display()))?;
    }
    image::unpack(directory, root, &names)
}

fn find(root: &Path, path: &str) -> Option<PathBuf> {
    let candidates = [root.join(path), Path::new("/").join(path)];
    candidates.into_iter().find(|path| path.exists())
}
