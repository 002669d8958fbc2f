//! Kernel modules the guest needs, in the order they have to be loaded.
//!
//! A package that is only unpacked has no modules.dep, so the dependencies are read
//! where depmod reads them: in the modules themselves.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Everything a module says about itself is such a NUL-terminated assignment.
const DEPENDS: &[u8] = b"\0depends=";

pub struct Modules {
    files: HashMap<String, PathBuf>,
    built_in: Vec<String>,
}

impl Modules {
    /// Takes stock of `lib/modules/RELEASE`.
    pub fn of(directory: &Path) -> Result<Self> {
        let list = directory.join("modules.builtin");
        let built_in =
            fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        let mut files = HashMap::new();
        collect(directory, &mut files)?;
        Ok(Self {
            files,
            built_in: built_in
                .lines()
                .map(|line| module_name(Path::new(line)))
                .collect(),
        })
    }

    /// The files to load for these modules, dependencies first; built-in ones need none.
    pub fn load_order(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        let mut order = Vec::new();
        for name in names {
            self.add(name, &mut order)?;
        }
        Ok(order)
    }

    fn add(&self, name: &str, order: &mut Vec<PathBuf>) -> Result<()> {
        let name = name.replace('-', "_");
        if self.built_in.contains(&name) {
            return Ok(());
        }
        let Some(file) = self.files.get(&name) else {
            bail!("this kernel image has no module {name}");
        };
        if order.contains(file) {
            return Ok(());
        }
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        for dependency in dependencies(&content) {
            self.add(&dependency, order)?;
        }
        order.push(file.clone());
        Ok(())
    }
}

fn collect(directory: &Path, files: &mut HashMap<String, PathBuf>) -> Result<()> {
    let entries = directory
        .read_dir()
        .with_context(|| format!("cannot list {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "ko") {
            files.insert(module_name(&path), path);
        }
    }
    Ok(())
}

/// File names mix `-` and `_`; the kernel knows only `_`.
fn module_name(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .replace('-', "_")
}

fn dependencies(module: &[u8]) -> Vec<String> {
    let Some(at) = module
        .windows(DEPENDS.len())
        .position(|window| window == DEPENDS)
    else {
        return Vec::new();
    };
    let rest = &module[at + DEPENDS.len()..];
    let value = rest.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_the_module_itself() {
        assert_eq!(
            dependencies(b"\x7fELF..\0license=GPL\0depends=stp,llc\0name=bridge\0"),
            ["stp", "llc"]
        );
        assert!(dependencies(b"\0license=GPL\0depends=\0name=veth\0").is_empty());
        assert!(dependencies(b"nothing").is_empty());
    }

    #[test]
    fn dependencies_are_loaded_first_and_once() {
        let directory = std::env::temp_dir().join(format!("xtask-modules-{}", std::process::id()));
        fs::create_dir_all(directory.join("net")).unwrap();
        fs::write(
            directory.join("modules.builtin"),
            "kernel/net/sched/cls-fw.ko\n",
        )
        .unwrap();
        fs::write(directory.join("net/llc.ko"), b"\0depends=\0").unwrap();
        fs::write(directory.join("net/stp.ko"), b"\0depends=llc\0").unwrap();
        fs::write(directory.join("net/bridge.ko"), b"\0depends=stp,llc\0").unwrap();
        let modules = Modules::of(&directory).unwrap();

        let order = modules.load_order(&["bridge", "stp", "cls_fw"]).unwrap();
        let names: Vec<String> = order.iter().map(|path| module_name(path)).collect();
        assert_eq!(names, ["llc", "stp", "bridge"]);
        assert!(modules.load_order(&["absent"]).is_err());
        fs::remove_dir_all(&directory).unwrap();
    }
}
