//! Writes the one archive format the kernel unpacks as its first root: cpio "newc".
//!
//! Ours rather than the cpio program, because the archive holds a device node and
//! root-owned files, which only root could put on disk first.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

const DIRECTORY: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

pub struct Cpio<W> {
    out: W,
    next_inode: u32,
    directories: BTreeSet<String>,
}

#[derive(Clone, Copy)]
struct Device {
    major: u32,
    minor: u32,
}

impl<W: Write> Cpio<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            next_inode: 1,
            directories: BTreeSet::new(),
        }
    }

    /// Adds a directory with its parents, once.
    pub fn directory(&mut self, path: &str) -> Result<()> {
        let path = path.trim_matches('/');
        let ends = path
            .match_indices('/')
            .map(|(end, _)| end)
            .chain([path.len()]);
        for end in ends {
            let prefix = &path[..end];
            if !prefix.is_empty() && self.directories.insert(prefix.to_owned()) {
                self.entry(prefix, DIRECTORY, Device { major: 0, minor: 0 }, &[])?;
            }
        }
        Ok(())
    }

    /// Adds an executable file, which every file of ours may be.
    pub fn file(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.parent_of(path)?;
        self.entry(
            path.trim_start_matches('/'),
            EXECUTABLE,
            Device { major: 0, minor: 0 },
            content,
        )
    }

    /// Adds /dev/console, without which the kernel starts init with no output at all.
    pub fn console(&mut self) -> Result<()> {
        self.directory("dev")?;
        self.entry(
            "dev/console",
            CHARACTER_DEVICE,
            Device { major: 5, minor: 1 },
            &[],
        )
    }

    pub fn finish(mut self) -> Result<W> {
        self.entry("TRAILER!!!", 0, Device { major: 0, minor: 0 }, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn parent_of(&mut self, path: &str) -> Result<()> {
        let Some(parent) = Path::new(path).parent().and_then(Path::to_str) else {
            bail!("`{path}` cannot stand in an archive");
        };
        self.directory(parent)
    }

    fn entry(&mut self, path: &str, mode: u32, device: Device, content: &[u8]) -> Result<()> {
        let inode = self.next_inode;
        self.next_inode += 1;
        let size = u32::try_from(content.len())
            .with_context(|| format!("`{path}` is too large for an archive"))?;
        let name_size = u32::try_from(path.len() + 1)?;
        // inode, mode, uid, gid, links, mtime, size, device ×2, special device ×2, name size, checksum
        let fields = [
            inode,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            device.major,
            device.minor,
            name_size,
            0,
        ];

        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08x}"));
        }
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(path.as_bytes())?;
        self.out.write_all(&[0])?;
        self.pad(header.len() + path.len() + 1)?;
        self.out.write_all(content)?;
        self.pad(content.len())
    }

    /// Header with name, and content, each end on a multiple of four.
    fn pad(&mut self, written: usize) -> Result<()> {
        let padding = written.next_multiple_of(4) - written;
        Ok(self.out.write_all(&[0; 3][..padding])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_parents_come_first() {
        let mut archive = Cpio::new(Vec::new());
        archive.console().unwrap();
        archive.file("/usr/sbin/ip", b"hello").unwrap();
        archive.file("/usr/sbin/tc", b"").unwrap();
        let bytes = archive.finish().unwrap();

        assert_eq!(bytes.len() % 4, 0);
        let mut names = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let field = |index: usize| {
                let start = at + 6 + index * 8;
                usize::from_str_radix(std::str::from_utf8(&bytes[start..start + 8]).unwrap(), 16)
                    .unwrap()
            };
            let (size, name_size) = (field(6), field(11));
            names.push(
                String::from_utf8(bytes[at + 110..at + 110 + name_size - 1].to_vec()).unwrap(),
            );
            at += (110 + name_size).next_multiple_of(4) + size.next_multiple_of(4);
        }
        assert_eq!(
            names,
            [
                "dev",
                "dev/console",
                "usr",
                "usr/sbin",
                "usr/sbin/ip",
                "usr/sbin/tc",
                "TRAILER!!!"
            ]
        );
    }
}
