//! Debian's kernel and busybox, unpacked below `target/kernel` and kept there.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

use super::Series;

const BUSYBOX_PACKAGE: &str = "busybox-static";
/// The image made for virtual machines: a quarter of the size, and all we need.
const SUFFIX: &str = "-cloud-amd64";

pub struct Image {
    /// What `uname -r` will say.
    pub release: String,
    pub kernel: PathBuf,
    pub modules: PathBuf,
    pub busybox: PathBuf,
}

impl Image {
    /// Fetches and unpacks the newest kernel of a series, unless that was done before.
    pub fn prepare(directory: &Path, series: &Series) -> Result<Self> {
        if std::env::consts::ARCH != "x86_64" {
            bail!(
                "only x86-64 kernels are booted, and the test programs of this machine are {}",
                std::env::consts::ARCH
            );
        }
        let unpacked = directory.join("root");
        if !unpacked.exists() {
            let package = newest_package(series)?;
            println!(
                "xtask: fetching {package} and {BUSYBOX_PACKAGE} (unpacked below target/kernel, not installed)"
            );
            unpack(directory, &unpacked, &[&package, BUSYBOX_PACKAGE])?;
        }
        Self::of(&unpacked)
            .with_context(|| format!("remove {} to have it fetched again", unpacked.display()))
    }

    fn of(unpacked: &Path) -> Result<Self> {
        let boot = unpacked.join("boot");
        let (release, kernel) = boot
            .read_dir()
            .with_context(|| format!("cannot list {}", boot.display()))?
            .flatten()
            .find_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                Some((name.strip_prefix("vmlinuz-")?.to_owned(), entry.path()))
            })
            .with_context(|| format!("{} holds no kernel", boot.display()))?;
        let modules = ["lib/modules", "usr/lib/modules"]
            .iter()
            .map(|parent| unpacked.join(parent).join(&release))
            .find(|path| path.exists())
            .with_context(|| format!("{} holds no modules of {release}", unpacked.display()))?;
        let busybox = ["bin/busybox", "usr/bin/busybox"]
            .iter()
            .map(|name| unpacked.join(name))
            .find(|path| path.exists())
            .with_context(|| format!("{} holds no busybox", unpacked.display()))?;
        Ok(Self {
            release,
            kernel,
            modules,
            busybox,
        })
    }
}

fn newest_package(series: &Series) -> Result<String> {
    let pattern = format!(
        "^linux-image-{}[.+].*{SUFFIX}$",
        series.as_str().replace('.', "[.]")
    );
    let found =
        process::output(Command::new("apt-cache").args(["--names-only", "search", &pattern]))?;
    newest(&found).with_context(|| {
        format!(
            "the package lists name no linux-image-{series}*{SUFFIX}; run `apt-get update`, \
             or add a Debian suite that has this kernel"
        )
    })
}

fn newest(search_result: &str) -> Option<String> {
    search_result
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .max_by(|left, right| compare_versions(left, right))
        .map(str::to_owned)
}

/// By the numbers in the names: `6.1.0-9` is older than `6.1.0-56`.
fn compare_versions(left: &str, right: &str) -> Ordering {
    let numbers = |name: &str| -> Vec<u64> {
        name.split(|character: char| !character.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    numbers(left).cmp(&numbers(right))
}

/// Downloads Debian packages and unpacks them into `target`, a folder below `directory`.
pub fn unpack(directory: &Path, target: &Path, packages: &[&str]) -> Result<()> {
    let download = directory.join("download");
    let fresh = directory.join("root.new");
    for path in [&download, &fresh] {
        if path.exists() {
            fs::remove_dir_all(path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
    }
    process::run(
        Command::new("apt-get")
            .current_dir(&download)
            .args(["download", "-q"])
            .args(packages),
    )
    .context("cannot fetch packages; `apt-get update` renews outdated package lists")?;
    for entry in download.read_dir()? {
        process::run(
            Command::new("dpkg-deb")
                .arg("-x")
                .arg(entry?.path())
                .arg(&fresh),
        )?;
    }
    fs::remove_dir_all(&download)?;
    // Renamed last, so that an interrupted download is not taken for a kernel.
    fs::rename(&fresh, target).with_context(|| format!("cannot rename {}", fresh.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_package_is_chosen_by_number() {
        let found = "linux-image-6.1.0-9-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)\n\
                     linux-image-6.1.0-56-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)\n\
                     linux-image-6.1.0-10-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)\n";

        assert_eq!(
            newest(found).as_deref(),
            Some("linux-image-6.1.0-56-cloud-amd64")
        );
        assert_eq!(newest(""), None);
    }
}
