//! The examples of the documents, so that none of them goes stale.
//!
//! Blocks marked `toml` must be valid files of a director. In blocks marked
//! `console` the lines behind `$ ` are commands: those of vsnat and ipvsadm must
//! be readable. Nothing is carried out: vsnat is only asked for the help of each
//! command line, which it gives after it has read all words before `--help`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vsnat_ipvsadm::NoNames;

/// Words before a command that say who runs it, not what it is.
const RUN_BY: &str = "sudo";
/// What follows one of these is the shell's business.
const SHELL_WORDS: [&str; 4] = [">", "<", "|", "&&"];

/// A fenced block of a document.
struct Block {
    file: PathBuf,
    language: String,
    /// Line of its first line, counted from 1.
    line: usize,
    text: String,
}

/// A command line of a document, in words.
struct Line {
    place: String,
    words: Vec<String>,
}

#[test]
fn every_director_file_is_valid() {
    let blocks = blocks("toml");
    assert!(!blocks.is_empty(), "no toml block was found");
    for block in blocks {
        let place = format!("{}:{}", block.file.display(), block.line);
        if let Err(mistakes) = vsnat_config::parse(&place, &block.text) {
            panic!("lines count from {place}:\n{mistakes}");
        }
    }
}

#[test]
fn every_ipvsadm_line_is_understood() {
    let lines = ipvsadm_lines();
    assert!(!lines.is_empty(), "no ipvsadm line was found");
    for Line { place, words } in lines {
        if let Err(refusal) = vsnat_ipvsadm::parse(&words, &NoNames) {
            panic!("{place}: ipvsadm {}: {refusal}", words.join(" "));
        }
    }
}

#[test]
fn every_vsnat_line_is_understood() {
    let lines = lines_of("vsnat");
    assert!(!lines.is_empty(), "no vsnat line was found");
    for Line { place, words } in lines {
        if words.first().is_some_and(|word| word == "ipvsadm") {
            continue;
        }
        let output = read_by_vsnat(&words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{place}: vsnat {}: {said}",
            words.join(" ")
        );
    }
}

#[test]
fn a_line_that_vsnat_cannot_read_would_be_noticed() {
    for line in [
        "run --confg web.toml",
        "deny add everybody",
        "stauts",
        "lab shell printer",
    ] {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert!(!read_by_vsnat(&words).status.success(), "{line}");
    }
}

#[test]
fn every_command_has_an_example() {
    let help = String::from_utf8(read_by_vsnat(&[]).stdout).unwrap();
    let names = commands_in(&help);
    assert!(names.contains(&"run"), "{help}");
    let lines = lines_of("vsnat");
    for name in names {
        let is_shown = lines.iter().any(|line| line.words[0] == name);
        assert!(is_shown, "docs/commands.md has no example of vsnat {name}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = std::env::temp_dir().join(format!("vsnat-man-{}", std::process::id()));
    let mut vsnat = Command::new(env!("CARGO_BIN_EXE_vsnat"));
    let written = vsnat.arg("man").arg("--dir").arg(&dir).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    let help = String::from_utf8(read_by_vsnat(&[]).stdout).unwrap();
    for name in commands_in(&help) {
        let page = dir.join(format!("vsnat-{name}.1"));
        let text = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{page:?}: {e}"));
        assert!(text.contains(".SH SYNOPSIS"), "{text}");
    }
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn every_document_that_is_linked_is_there() {
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for target in text.split("](").skip(1).filter_map(|t| t.split(')').next()) {
            let is_document = target.ends_with(".md") || target.contains("LICENSE");
            let path = file.parent().unwrap().join(target);
            assert!(
                !is_document || path.exists(),
                "{}: there is no {target}",
                file.display()
            );
        }
    }
}

/// The names of the commands that a help text lists.
fn commands_in(help: &str) -> Vec<&str> {
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    commands
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

fn read_by_vsnat(words: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vsnat"));
    command.args(words).arg("--help").output().unwrap()
}

fn ipvsadm_lines() -> Vec<Line> {
    let by_vsnat = lines_of("vsnat").into_iter().filter_map(|mut line| {
        let is_ipvsadm = line.words.first()? == "ipvsadm";
        is_ipvsadm.then(|| {
            line.words.remove(0);
            line
        })
    });
    by_vsnat.chain(lines_of("ipvsadm")).collect()
}

/// The command lines of one program.
fn lines_of(program: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for block in blocks("console") {
        for (number, text) in (block.line..).zip(block.text.lines()) {
            let Some(command) = text.strip_prefix("$ ") else {
                continue;
            };
            let words = command.split_whitespace();
            let mut words = words.skip_while(|word| *word == RUN_BY || word.contains('='));
            if words.next() != Some(program) {
                continue;
            }
            let words = words.take_while(|word| !SHELL_WORDS.contains(word));
            lines.push(Line {
                place: format!("{}:{number}", block.file.display()),
                words: words.map(str::to_owned).collect(),
            });
        }
    }
    lines
}

fn blocks(language: &str) -> Vec<Block> {
    let all = documents().into_iter().flat_map(|file| blocks_of(&file));
    all.filter(|block| block.language == language).collect()
}

fn blocks_of(file: &Path) -> Vec<Block> {
    let text = fs::read_to_string(file).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (open.take(), line.strip_prefix("```")) {
            (None, None) => {}
            (None, Some(language)) => {
                open = Some(Block {
                    file: file.to_owned(),
                    language: language.to_owned(),
                    line: number + 1,
                    text: String::new(),
                });
            }
            (Some(block), Some(_)) => blocks.push(block),
            (Some(mut block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
        }
    }
    assert!(open.is_none(), "{}: a block is not closed", file.display());
    blocks
}

/// The documents at the root of the repository and in `docs`.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().unwrap();
    let folders = [root.clone(), root.join("docs")];
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    assert!(files.len() > 1, "no documents below {}", root.display());
    files
}
