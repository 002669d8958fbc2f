//! What is wrong in a file, where, and what to do about it.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

/// One mistake; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Every mistake of one file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Mistakes {
    pub file: String,
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let Mistake {
                line,
                column,
                message,
            } = mistake;
            write!(f, "{}:{line}:{column}: {message}", self.file)?;
        }
        Ok(())
    }
}

/// Mistakes as they are found.
pub(crate) struct Notes<'t> {
    text: &'t str,
    found: Vec<Mistake>,
    /// Lines the parser could not read: nothing further is said about them.
    unreadable: Vec<usize>,
}

impl<'t> Notes<'t> {
    pub fn new(text: &'t str) -> Self {
        Notes {
            text,
            found: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Notes that the text is no TOML here.
    pub fn add_unreadable(&mut self, span: Range<usize>, message: String) {
        self.add(span.clone(), message);
        self.unreadable.push(self.line(&span));
    }

    /// Notes an absence, unless it may be hidden in a line that is unreadable.
    pub fn add_missing(&mut self, span: Range<usize>, message: String) {
        if self.unreadable.is_empty() {
            self.add(span, message);
        }
    }

    pub fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        let (line, column) = self.position(span.start);
        if self.unreadable.contains(&line) {
            return;
        }
        let message = message.into();
        self.found.push(Mistake {
            line,
            column,
            message,
        });
    }

    /// Line of a byte offset, for messages that point to an earlier place.
    pub fn line(&self, span: &Range<usize>) -> usize {
        self.position(span.start).0
    }

    /// How many mistakes were found so far.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn into_sorted(mut self) -> Vec<Mistake> {
        self.found.sort();
        self.found
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        (line, column)
    }
}
