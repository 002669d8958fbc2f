//! Standard output and standard error.

use std::io::{self, BufWriter, ErrorKind, Write};

/// Rows go out in pieces of this size: a system call for each would take most
/// of the time of a long listing.
const PIECE: usize = 64 << 10;

/// Writes text to standard output. A reader that has seen enough (`| head`) is
/// no failure.
pub fn text(text: &str) -> io::Result<()> {
    rows(|out| out.write_all(text.as_bytes()))
}

/// Writes what `fill` writes to standard output, piece by piece; of a failure
/// before the first piece is full nothing is seen. A reader that has seen
/// enough ends it.
pub fn rows<E: From<io::Error>>(
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = BufWriter::with_capacity(PIECE, Reader::default());
    let filled = fill(&mut out).and_then(|()| Ok(out.flush()?));
    let (reader, _) = out.into_parts();
    match reader.has_left {
        true => Ok(()),
        false => filled,
    }
}

/// Standard output, and whether somebody still reads it.
#[derive(Default)]
struct Reader {
    has_left: bool,
}

impl Reader {
    fn notice<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &written {
            self.has_left |= error.kind() == ErrorKind::BrokenPipe;
        }
        written
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::stdout().lock().write(bytes);
        self.notice(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = io::stdout().lock().flush();
        self.notice(flushed)
    }
}

/// Writes a line to standard error; when that is gone, nobody is left to tell.
pub fn error(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
