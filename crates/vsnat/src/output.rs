//! Standard output and standard error.

use std::io::{self, ErrorKind, Write};

/// Writes text to standard output. A reader that has seen enough (`| head`) is
/// no failure.
pub fn text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes a line to standard error; when that is gone, nobody is left to tell.
pub fn error(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
