//! Scripts on the disk, each a file of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::script::{Script, ScriptError};

/// How the names of scripts end.
const EXTENSION: &str = "script";

#[derive(Debug, Error)]
pub enum CorpusError {
    #[error("cannot {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{path} is no script: {source}; write it anew, or remove it")]
    Script { path: PathBuf, source: ScriptError },
}

/// All scripts of a folder, by name.
pub fn read(folder: &Path) -> Result<Vec<(PathBuf, Script)>, CorpusError> {
    let failed = |source| CorpusError::Io {
        action: "list",
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.into_iter().map(read_one).collect()
}

/// Puts these scripts in the place of those in the folder.
pub fn replace(folder: &Path, scripts: &[Script]) -> Result<(), CorpusError> {
    make(folder)?;
    for (path, _) in read(folder)? {
        fs::remove_file(&path).map_err(|source| CorpusError::Io {
            action: "remove",
            path: path.clone(),
            source,
        })?;
    }
    for (number, script) in scripts.iter().enumerate() {
        write(&folder.join(format!("{number:03}.{EXTENSION}")), script)?;
    }
    Ok(())
}

pub fn write(path: &Path, script: &Script) -> Result<(), CorpusError> {
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    fs::write(path, script.to_string()).map_err(|source| CorpusError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

fn make(folder: &Path) -> Result<(), CorpusError> {
    fs::create_dir_all(folder).map_err(|source| CorpusError::Io {
        action: "make the folder",
        path: folder.to_owned(),
        source,
    })
}

fn read_one(path: PathBuf) -> Result<(PathBuf, Script), CorpusError> {
    let text = fs::read_to_string(&path).map_err(|source| CorpusError::Io {
        action: "read",
        path: path.clone(),
        source,
    })?;
    match Script::parse(&text) {
        Ok(script) => Ok((path, script)),
        Err(source) => Err(CorpusError::Script { path, source }),
    }
}
