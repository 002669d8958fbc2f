//! Programs of Debian packages that are run but not installed: unpacked below
//! `target`, because their packages would start services.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::kernel::image;
use crate::packages;
use crate::workspace::Workspace;

/// A file that is run, where its package puts it.
pub struct Program {
    pub path: &'static str,
    pub package: &'static str,
    pub why: &'static str,
}

/// Programs that are fetched together, into one folder.
pub struct Set {
    /// Name of the folder below `target`.
    pub folder: &'static str,
    pub programs: &'static [Program],
    /// Packages that the programs use.
    pub libraries: &'static [&'static str],
}

/// Where a set is unpacked, whether it is or not.
pub fn root(workspace: &Workspace, set: &Set) -> PathBuf {
    workspace.target(set.folder).join("root")
}

/// Fetches and unpacks what is missing. Elsewhere than on Debian the programs may be
/// installed, which is taken too.
pub fn ensure(workspace: &Workspace, set: &Set) -> Result<()> {
    let root = root(workspace, set);
    let missing: Vec<&Program> = set
        .programs
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
    fetch(&workspace.target(set.folder), &root, set)
}

fn fetch(directory: &Path, root: &Path, set: &Set) -> Result<()> {
    let mut names: Vec<&str> = set.programs.iter().map(|program| program.package).collect();
    println!(
        "xtask: fetching {} with {} libraries (unpacked below target/{}, not installed)",
        names.join(", "),
        set.libraries.len(),
        set.folder
    );
    names.extend(set.libraries);
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
