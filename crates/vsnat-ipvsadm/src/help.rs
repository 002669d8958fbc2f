//! The text of `-h`, written from the table of words.

use std::fmt::Write;

use crate::table::{CommandId, OptionId, Support, WORDS, Word, WordId};

/// The line by which programs recognise the language they speak with.
const VERSION: &str = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";

const USAGE: &str = "\
Usage:
  ipvsadm -A|-E service [-s scheduler] [-b flags] [-p [seconds]] [-M netmask] [-o]
  ipvsadm -D service
  ipvsadm -C
  ipvsadm -a|-e service -r server -m [-w weight] [-x connections] [-y connections]
  ipvsadm -d service -r server
  ipvsadm -L|-l [service] [-n] [--exact] [--nosort]
          [--stats|--rate|--thresholds|--persistent-conn|--tun-info]
  ipvsadm -L|-l -c [-n] [--persistent-conn]
  ipvsadm -L|-l --timeout|--daemon
  ipvsadm -Z [service]
  ipvsadm --set tcp tcpfin udp
  ipvsadm -S [-n]
  ipvsadm -R
  ipvsadm -h|-v
";

/// Columns for the names of a word.
const NAMES_WIDTH: usize = 36;

pub fn render_version() -> String {
    VERSION.to_owned()
}

pub fn render_help() -> String {
    let mut text = format!("The director of vsnat, in the language of ipvsadm 1.31.\n\n{USAGE}");
    section(&mut text, "Commands", |id| matches!(id, WordId::Command(_)));
    section(&mut text, "Services", is_service);
    section(&mut text, "Options", |id| {
        matches!(id, WordId::Option(_)) && !is_service(id)
    });
    text.push_str("\nNot supported yet, and refused:\n");
    for word in WORDS {
        if let Support::NotYet(what) = word.support {
            let names = names(word);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {names:<NAMES_WIDTH$}{what}");
        }
    }
    text
}

fn is_service(id: WordId) -> bool {
    matches!(
        id,
        WordId::Option(
            OptionId::TcpService
                | OptionId::UdpService
                | OptionId::SctpService
                | OptionId::FwmarkService
        )
    )
}

fn section(text: &mut String, title: &str, holds: impl Fn(WordId) -> bool) {
    let _ = writeln!(text, "\n{title}:");
    let words = WORDS
        .iter()
        .filter(|word| word.support == Support::Supported);
    for word in words.filter(|word| holds(word.id)) {
        let names = names(word);
        let note = note(word);
        let _ = writeln!(text, "  {names:<NAMES_WIDTH$}{}{note}", word.help);
    }
}

fn names(word: &Word) -> String {
    let mut names = format!("--{}", word.long);
    for letter in word.short.chars() {
        let _ = write!(names, ", -{letter}");
    }
    if !word.value.is_empty() {
        let _ = write!(names, " {}", word.value);
    }
    names
}

/// The commands of which a bare line is one.
fn note(word: &Word) -> &'static str {
    match word.id {
        WordId::Command(CommandId::List) => " (the default)",
        WordId::Command(_) | WordId::Option(_) => "",
    }
}
