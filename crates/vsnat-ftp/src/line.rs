//! Lines out of a stream of bytes.
//!
//! A line is held until it is whole, since what it says decides what becomes of
//! it. One that grows too long to say anything of interest is let go.

/// Commands and replies that speak of data connections are a tenth as long.
/// More than this is held of no line.
pub const LINE_MAX: usize = 1_024;

const LF: u8 = b'\n';

/// A stream that is being cut into lines.
#[derive(Debug, Default)]
pub struct Lines {
    held: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Within a line that is held, or before one.
    #[default]
    Held,
    /// Within one that was let go.
    LetGo,
}

/// What one byte more came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut {
    /// The line is not complete yet.
    Nothing,
    /// A line, its end included.
    Line(Vec<u8>),
    /// The beginning of a line that is too long.
    Long(Vec<u8>),
    /// A byte of such a line; the last one ends it.
    More(u8),
    Last(u8),
}

impl Lines {
    pub fn take(&mut self, byte: u8) -> Cut {
        if self.state == State::LetGo {
            if byte != LF {
                return Cut::More(byte);
            }
            self.state = State::Held;
            return Cut::Last(byte);
        }
        self.held.push(byte);
        if byte == LF {
            return Cut::Line(self.release());
        }
        if self.held.len() < LINE_MAX {
            return Cut::Nothing;
        }
        self.state = State::LetGo;
        Cut::Long(self.release())
    }

    /// Whether the next byte is the first of a line.
    pub fn is_at_start(&self) -> bool {
        self.state == State::Held && self.held.is_empty()
    }

    /// Gives up what is held; the memory goes with it.
    pub fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_held_until_it_ends() {
        let mut lines = Lines::default();
        assert!(b"NOOP\r".iter().all(|b| lines.take(*b) == Cut::Nothing));
        assert_eq!(lines.take(LF), Cut::Line(b"NOOP\r\n".to_vec()));
        assert!(lines.is_at_start());
    }

    #[test]
    fn a_long_line_is_let_go() {
        let mut lines = Lines::default();
        let cuts: Vec<Cut> = (0..LINE_MAX).map(|_| lines.take(b'x')).collect();
        assert_eq!(cuts[LINE_MAX - 1], Cut::Long(vec![b'x'; LINE_MAX]));
        assert_eq!(lines.take(b'y'), Cut::More(b'y'));
        assert!(!lines.is_at_start());
        assert_eq!(lines.take(LF), Cut::Last(LF));
        assert!(lines.is_at_start());
    }
}
