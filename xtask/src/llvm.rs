//! LLVM versions, because compiler and linker of the eBPF programs exchange LLVM
//! bitcode: a linker whose LLVM is older than the compiler's, even by a patch
//! level, fails with "Invalid record" and no other hint.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};

/// A version as far as it is known; `patch` is absent where only a library's name tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LlvmVersion {
    pub major: u32,
    pub minor: u32,
    pub patch: Option<u32>,
}

impl LlvmVersion {
    /// Reads the `LLVM version:` line of `rustc -vV`.
    pub fn from_rustc(verbose_version: &str) -> anyhow::Result<Self> {
        verbose_version
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: "))
            .context("`rustc -vV` names no LLVM version")?
            .parse()
    }

    /// Reads `libLLVM.so.22.1 => …` (or `libLLVM-19.so.1`) out of what ldd prints.
    pub fn from_ldd(listing: &str) -> Option<Self> {
        let library = listing
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("libLLVM"))?;
        let name = library.split_whitespace().next()?;
        let version = name.strip_prefix("libLLVM.so.").or_else(|| {
            name.strip_prefix("libLLVM-")
                .and_then(|rest| rest.split(".so").next())
        })?;
        version.parse().ok()
    }

    /// Whether bitcode written by `producer` can be read by this version.
    pub fn reads(self, producer: Self) -> bool {
        let newest = u32::MAX;
        let reader = (self.major, self.minor, self.patch.unwrap_or(newest));
        let writer = (producer.major, producer.minor, producer.patch.unwrap_or(0));
        reader >= writer
    }
}

impl FromStr for LlvmVersion {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        // Development builds append a word: "22.1.0-rust-1.97", "23.0.0git".
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let numbers: Result<Vec<u32>, _> = text[..end].split('.').map(str::parse).collect();
        match numbers
            .with_context(|| format!("`{text}` is no LLVM version"))?
            .as_slice()
        {
            [major] => Ok(Self {
                major: *major,
                minor: 0,
                patch: None,
            }),
            [major, minor] => Ok(Self {
                major: *major,
                minor: *minor,
                patch: None,
            }),
            [major, minor, patch, ..] => Ok(Self {
                major: *major,
                minor: *minor,
                patch: Some(*patch),
            }),
            [] => bail!("`{text}` is no LLVM version"),
        }
    }
}

impl fmt::Display for LlvmVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)?;
        match self.patch {
            Some(patch) => write!(formatter, ".{patch}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> LlvmVersion {
        text.parse().unwrap()
    }

    #[test]
    fn the_line_of_rustc_is_read() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25)\nhost: x86_64-unknown-linux-gnu\nLLVM version: 22.1.8\n";

        assert_eq!(LlvmVersion::from_rustc(text).unwrap(), version("22.1.8"));
        assert!(LlvmVersion::from_rustc("rustc 1.96.0").is_err());
    }

    #[test]
    fn both_forms_of_the_library_name_are_read() {
        let new = "\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x2)";
        let old = "\tlibLLVM-19.so.1 => /usr/lib/llvm-19/lib/libLLVM-19.so.1 (0x2)";

        assert_eq!(
            LlvmVersion::from_ldd(new),
            Some(LlvmVersion {
                major: 22,
                minor: 1,
                patch: None
            })
        );
        assert_eq!(
            LlvmVersion::from_ldd(old),
            Some(LlvmVersion {
                major: 19,
                minor: 0,
                patch: None
            })
        );
        assert_eq!(
            LlvmVersion::from_ldd("\tlibc.so.6 => /lib/libc.so.6 (0x1)"),
            None
        );
    }

    #[test]
    fn a_reader_must_not_be_older_even_by_a_patch_level() {
        assert!(version("22.1.8").reads(version("22.1.8")));
        assert!(version("22.1.8").reads(version("22.1.2")));
        assert!(version("23.0.0").reads(version("22.1.8")));
        assert!(!version("22.1.2").reads(version("22.1.8")));
        assert!(!version("21.1.9").reads(version("22.0.0")));
        assert!(
            version("22.1").reads(version("22.1.8")),
            "an unknown patch level is given the benefit"
        );
    }

    #[test]
    fn suffixes_of_development_builds_are_ignored() {
        assert_eq!(version("23.0.0git"), version("23.0.0"));
        assert_eq!(version("22.1.4-rust-1.97.0-nightly"), version("22.1.4"));
        assert!("main".parse::<LlvmVersion>().is_err());
    }
}
