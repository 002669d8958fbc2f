//! The lease file and the steps by which it is changed, each of which may fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file that is appended to, and replaced as a whole by way of a second one.
/// The steps are apart so that a test can make each of them fail.
pub trait Disk {
    /// The bytes of the file; none when there is no file.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Writes behind the end of the file.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was appended is on the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Makes the file that is to replace this one.
    fn write_next(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync_next(&mut self) -> io::Result<()>;
    /// Puts it in place of this one.
    fn rename_next(&mut self) -> io::Result<()>;
    fn sync_folder(&mut self) -> io::Result<()>;
}

/// The real thing: a file of a folder, which is made if it is not there.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    next: PathBuf,
    /// Opened for appending when it is first needed.
    file: Option<File>,
    next_file: Option<File>,
}

impl Folder {
    pub fn new(path: &Path) -> Self {
        let mut next = path.as_os_str().to_owned();
        next.push(".next");
        Folder {
            path: path.to_owned(),
            next: PathBuf::from(next),
            file: None,
            next_file: None,
        }
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        }
    }

    fn open(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let file = OpenOptions::new().append(true).open(&self.path)?;
            self.file = Some(file);
        }
        self.file
            .as_mut()
            .ok_or_else(|| io::Error::from(ErrorKind::NotFound))
    }
}

impl Disk for Folder {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        match fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            result => result,
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open()?.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.open()?.sync_data()
    }

    fn write_next(&mut self, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(self.folder())?;
        let mut file = File::create(&self.next)?;
        file.write_all(bytes)?;
        self.next_file = Some(file);
        Ok(())
    }

    fn sync_next(&mut self) -> io::Result<()> {
        match &self.next_file {
            Some(file) => file.sync_all(),
            None => Err(io::Error::from(ErrorKind::NotFound)),
        }
    }

    fn rename_next(&mut self) -> io::Result<()> {
        self.next_file = None;
        // What was open is the file that goes.
        self.file = None;
        fs::rename(&self.next, &self.path)
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        File::open(self.folder())?.sync_all()
    }
}
