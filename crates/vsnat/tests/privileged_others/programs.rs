//! Where the programs under test lie: unpacked, or installed.

use std::fs;
use std::path::{Path, PathBuf};

/// Packages are unpacked here rather than installed: they would start services.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/others/root");

/// Finds a file of a Debian package.
pub fn find(path: &str, package: &str) -> PathBuf {
    let candidates = [Path::new(UNPACKED).join(path), Path::new("/").join(path)];
    let found = candidates.into_iter().find(|path| path.exists());
    let found = found.unwrap_or_else(|| {
        panic!(
            "/{path} is missing: `cargo xtask setup` unpacks it; \
             elsewhere than on Debian install the equivalent of the package {package}"
        )
    });
    found.canonicalize().unwrap()
}

/// Perl's search path for the unpacked libraries.
pub fn perl_libraries() -> String {
    let root = Path::new(UNPACKED);
    // Those with machine code: one folder for each machine and perl version.
    let machines = entries(&root.join("usr/lib")).into_iter();
    let versions = machines.flat_map(|machine| entries(&machine.join("perl5")));
    joined(std::iter::once(root.join("usr/share/perl5")).chain(versions))
}

/// The loader's search path for the other unpacked libraries.
pub fn libraries() -> String {
    let folders = entries(&Path::new(UNPACKED).join("usr/lib")).into_iter();
    // Named by machine, as x86_64-linux-gnu.
    joined(folders.filter(|folder| folder.to_string_lossy().contains("-linux-")))
}

fn joined(folders: impl Iterator<Item = PathBuf>) -> String {
    let folders: Vec<String> = folders.map(|folder| folder.display().to_string()).collect();
    folders.join(":")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
