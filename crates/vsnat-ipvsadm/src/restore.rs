//! The lines that `-R` reads.
//!
//! Each line is a command line, with or without the word "ipvsadm" in front;
//! blank lines are skipped. ipvsadm 1.31 knows no comments: a line that begins
//! with `#` is a line without a command. A line that ipvsadm cannot read or the
//! director refuses does not stop the others, one that breaks ipvsadm's rules
//! ends the run; what was done before stays done in both cases. The exit code
//! is that of the last line.

use std::str::Lines;

use crate::fault::Fault;
use crate::{Ends, Names, Refusal, Request, parse};

/// A line of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreLine {
    /// Counted from 1, blank lines included.
    pub number: usize,
    pub request: Result<Request, Refusal>,
}

/// Reads lines one by one; after a refusal that ends the run there are none.
pub fn restore_lines<'a>(text: &'a str, names: &'a dyn Names) -> RestoreLines<'a> {
    RestoreLines {
        lines: text.lines(),
        number: 0,
        names,
    }
}

/// See [`restore_lines`].
pub struct RestoreLines<'a> {
    lines: Lines<'a>,
    number: usize,
    names: &'a dyn Names,
}

impl Iterator for RestoreLines<'_> {
    type Item = RestoreLine;

    fn next(&mut self) -> Option<RestoreLine> {
        loop {
            let line = self.lines.next()?;
            self.number += 1;
            let mut words = line.split_ascii_whitespace().map(str::to_owned).peekable();
            words.next_if(|word| word == "ipvsadm");
            let args: Vec<String> = words.collect();
            if args.is_empty() {
                continue;
            }
            let request = read(&args, self.names);
            if request
                .as_ref()
                .is_err_and(|refusal| refusal.ends == Ends::Run)
            {
                self.lines = "".lines();
            }
            let number = self.number;
            return Some(RestoreLine { number, request });
        }
    }
}

fn read(args: &[String], names: &dyn Names) -> Result<Request, Refusal> {
    match parse(args, names)? {
        // It would read the same input without end.
        Request::Restore => Err(Fault::NoCommand.into()),
        request => Ok(request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoNames;

    fn codes(text: &str) -> Vec<(usize, Option<u8>)> {
        let lines = restore_lines(text, &NoNames);
        lines
            .map(|line| (line.number, line.request.err().map(|r| r.exit_code)))
            .collect()
    }

    #[test]
    fn blank_lines_and_the_program_name_are_skipped() {
        let text = "\n   \nipvsadm -C\r\n ipvsadm \n\t-A  -t 10.0.0.1:80 \n";
        assert_eq!(codes(text), [(3, None), (5, None)]);
    }

    #[test]
    fn unreadable_lines_are_passed_over_and_illegal_ones_end_the_run() {
        assert_eq!(codes("-A -q\n-C\n"), [(1, Some(255)), (2, None)]);
        assert_eq!(
            codes("--stop-daemon master\n-C\n"),
            [(1, Some(255)), (2, None)]
        );
        assert_eq!(codes("-C -n\n-C\n"), [(1, Some(2))]);
        assert_eq!(codes("# why\n-C\n"), [(1, Some(255))]);
    }

    #[test]
    fn restoring_inside_of_a_restore_is_refused() {
        assert_eq!(codes("-R\n-C\n"), [(1, Some(255))]);
    }
}
