//! Telnet's commands within a line (RFC 854), which FTP inherited: a client
//! sends some before ABOR, so that a server that is busy looks up.

/// Interpret as command.
pub const IAC: u8 = 255;
/// WILL, WONT, DO, DONT: one byte more says what.
const OPTIONS: std::ops::RangeInclusive<u8> = 251..=254;

/// How far a command has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telnet {
    #[default]
    Outside,
    /// Behind IAC.
    Command,
    /// Behind one that has an option.
    Option,
}

impl Telnet {
    /// Takes the next byte; answers whether it is text.
    pub fn take(&mut self, byte: u8) -> Read {
        let (next, read) = match (*self, byte) {
            (Telnet::Outside, IAC) => (Telnet::Command, Read::Command),
            (Telnet::Outside, _) => (Telnet::Outside, Read::Text),
            // An escaped byte of the text.
            (Telnet::Command, IAC) => (Telnet::Outside, Read::Text),
            (Telnet::Command, byte) if OPTIONS.contains(&byte) => (Telnet::Option, Read::Command),
            (Telnet::Command | Telnet::Option, _) => (Telnet::Outside, Read::Command),
        };
        *self = next;
        read
    }
}

/// What a byte is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    Text,
    Command,
}

/// A line without telnet's commands.
pub fn text(line: &[u8]) -> Vec<u8> {
    let mut telnet = Telnet::default();
    let is_text = |byte: &u8| telnet.take(*byte) == Read::Text;
    line.iter().copied().filter(is_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_out() {
        assert_eq!(text(b"\xff\xf4\xff\xf2ABOR\r\n"), b"ABOR\r\n");
        assert_eq!(text(b"US\xff\xfb\x01ER a\xff\xffb"), b"USER a\xffb");
        assert_eq!(text(b"QUIT\xff"), b"QUIT");
    }
}
