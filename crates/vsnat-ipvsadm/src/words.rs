//! The syntax of popt, by which ipvsadm reads its words.
//!
//! Short names may stand together (`-Ln`), a value may follow in the same word
//! (`-t10.0.0.1:80`, `-t=…`, `--tcp-service=…`) or in the next, whatever that
//! begins with; `--` ends the options. Other words are left over.

use crate::fault::{Fault, WordProblem};
use crate::table::{Takes, WORDS, Word};

/// A command or option of the line, with its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) word: &'static Word,
    pub(crate) value: Option<&'a str>,
    /// The argument that was read last, as messages name the culprit.
    pub(crate) text: &'a str,
}

#[derive(Debug)]
pub(crate) struct Words<'a> {
    args: &'a [String],
    next: usize,
    /// Short names of the current argument that are still to be read.
    cluster: &'a str,
    options_ended: bool,
    left_over: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(args: &'a [String]) -> Self {
        Words {
            args,
            next: 0,
            cluster: "",
            options_ended: false,
            left_over: Vec::new(),
        }
    }

    pub(crate) fn read(&mut self) -> Result<Option<Found<'a>>, Fault> {
        if !self.cluster.is_empty() {
            return self.short().map(Some);
        }
        while let Some(arg) = self.take() {
            if self.options_ended || arg == "-" || !arg.starts_with('-') {
                self.left_over.push(arg);
            } else if arg == "--" {
                self.options_ended = true;
            } else if let Some(long) = arg.strip_prefix("--") {
                return self.long(long).map(Some);
            } else {
                self.cluster = &arg[1..];
                return self.short().map(Some);
            }
        }
        Ok(None)
    }

    /// Words that are neither options nor their values.
    pub(crate) fn left_over(self) -> Vec<&'a str> {
        self.left_over
    }

    fn take(&mut self) -> Option<&'a str> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        Some(arg)
    }

    fn long(&mut self, text: &'a str) -> Result<Found<'a>, Fault> {
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let word = WORDS.iter().find(|word| word.long == name);
        let word = word.ok_or_else(|| self.fault(WordProblem::Unknown))?;
        match (word.takes, attached) {
            (Takes::Nothing, Some(_)) => Err(self.fault(WordProblem::UnwantedArgument)),
            (Takes::Nothing, None) => Ok(self.found(word, None)),
            (Takes::Value | Takes::Maybe, _) => self.with_value(word, attached),
        }
    }

    fn short(&mut self) -> Result<Found<'a>, Fault> {
        let cluster = std::mem::take(&mut self.cluster);
        let mut letters = cluster.chars();
        let letter = letters.next().unwrap_or_default();
        let rest = letters.as_str();
        let word = WORDS.iter().find(|word| word.short.contains(letter));
        let word = word.ok_or_else(|| self.fault(WordProblem::Unknown))?;
        if word.takes != Takes::Nothing {
            let attached = rest.strip_prefix('=').unwrap_or(rest);
            return self.with_value(word, (!rest.is_empty()).then_some(attached));
        }
        if rest.starts_with('=') {
            return Err(self.fault(WordProblem::UnwantedArgument));
        }
        self.cluster = rest;
        Ok(self.found(word, None))
    }

    fn with_value(
        &mut self,
        word: &'static Word,
        attached: Option<&'a str>,
    ) -> Result<Found<'a>, Fault> {
        let dash_follows = self
            .args
            .get(self.next)
            .is_some_and(|arg| arg.starts_with('-'));
        let value = match attached {
            Some(value) => Some(value),
            None if word.takes == Takes::Maybe && dash_follows => None,
            None => self.take(),
        };
        if value.is_none() && word.takes == Takes::Value {
            return Err(self.fault(WordProblem::MissingArgument));
        }
        Ok(self.found(word, value))
    }

    fn found(&self, word: &'static Word, value: Option<&'a str>) -> Found<'a> {
        Found {
            word,
            value,
            text: self.last_read(),
        }
    }

    fn fault(&self, problem: WordProblem) -> Fault {
        Fault::Word {
            word: self.last_read().to_owned(),
            problem,
        }
    }

    fn last_read(&self) -> &'a str {
        let index = self.next.saturating_sub(1);
        self.args.get(index).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long names with values, left-over words, and the fault if there is one.
    fn read(line: &str) -> (Vec<String>, Vec<String>, Option<String>) {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let mut words = Words::new(&args);
        let mut found = Vec::new();
        loop {
            match words.read() {
                Ok(Some(Found {
                    word,
                    value: Some(value),
                    ..
                })) => {
                    found.push(format!("{}={value}", word.long));
                }
                Ok(Some(Found {
                    word, value: None, ..
                })) => found.push(word.long.to_owned()),
                Ok(None) => {
                    let left_over = words.left_over().into_iter().map(str::to_owned).collect();
                    return (found, left_over, None);
                }
                Err(fault) => return (found, Vec::new(), Some(fault.to_string())),
            }
        }
    }

    fn found(line: &str) -> String {
        let (found, left_over, fault) = read(line);
        assert_eq!((left_over.len(), fault), (0, None), "{line}");
        found.join(" ")
    }

    #[test]
    fn a_value_stands_in_the_same_word_or_in_the_next() {
        let expected = "add-service tcp-service=1.1.1.1:80 scheduler=rr";
        for line in [
            "-A -t 1.1.1.1:80 -s rr",
            "-At 1.1.1.1:80 -srr",
            "-At1.1.1.1:80 -s=rr",
            "--add-service --tcp-service=1.1.1.1:80 --scheduler rr",
        ] {
            assert_eq!(found(line), expected, "{line}");
        }
        assert_eq!(found("-s -A"), "scheduler=-A");
        assert_eq!(found("-l -Lnc"), "list list numeric connection");
    }

    #[test]
    fn the_value_of_p_is_left_out_before_a_dash_and_at_the_end() {
        assert_eq!(found("-p -n"), "persistent numeric");
        assert_eq!(
            found("-p 10 -p10 -p"),
            "persistent=10 persistent=10 persistent"
        );
    }

    #[test]
    fn words_without_a_dash_and_those_behind_two_are_left_over() {
        let (found, left_over, _) = read("x -n - -- -A");
        assert_eq!(found, ["numeric"]);
        assert_eq!(left_over, ["x", "-", "-A"]);
    }

    #[test]
    fn faults_name_the_word() {
        let cases = [
            ("-nq", "-nq: unknown option"),
            ("--numeri", "--numeri: unknown option"),
            ("--bogus=1", "--bogus=1: unknown option"),
            ("-n -t", "-t: missing argument"),
            (
                "--numeric=1",
                "--numeric=1: option does not take an argument",
            ),
            ("-n=1", "-n=1: option does not take an argument"),
            ("-ü", "-ü: unknown option"),
        ];
        for (line, message) in cases {
            assert_eq!(read(line).2.as_deref(), Some(message), "{line}");
        }
    }
}
