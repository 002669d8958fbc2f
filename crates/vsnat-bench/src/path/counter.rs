//! How many packets an interface received.

use std::fs::File;
use std::io::{Read, Seek};

use crate::path::error::PathError;

pub struct Counter {
    /// Of the namespace that it was opened in, wherever it is read.
    file: File,
    interface: &'static str,
}

impl Counter {
    /// Of an interface in the namespace that the calling thread is in.
    pub fn new(interface: &'static str) -> Result<Self, PathError> {
        let file = File::open("/proc/thread-self/net/dev");
        let file = file.map_err(PathError::system("open /proc/thread-self/net/dev"))?;
        Ok(Counter { file, interface })
    }

    pub fn read(&mut self) -> Result<u64, PathError> {
        let failed = || PathError::system("read the counters of an interface");
        let mut text = String::new();
        self.file.rewind().map_err(failed())?;
        self.file.read_to_string(&mut text).map_err(failed())?;
        received(&text, self.interface)
            .ok_or_else(|| failed()(std::io::ErrorKind::InvalidData.into()))
    }
}

/// The second number behind the interface's name; bytes are the first.
fn received(text: &str, interface: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        (name.trim() == interface).then_some(numbers)
    });
    line?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::received;

    #[test]
    fn packets_are_the_second_number() {
        let text = "Inter-|   Receive\n face |bytes    packets errs\n\
                    \x20   lo:       0       0    0\n  end0: 600 10 0 0\nend01: 1 2 3\n";
        assert_eq!(received(text, "end0"), Some(10));
        assert_eq!(received(text, "end01"), Some(2));
        assert_eq!(received(text, "end"), None);
    }
}
