//! `vsnat init`: what it writes is what `vsnat check` and systemd accept.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vsnat-init-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn config(&self) -> PathBuf {
        self.0.join("etc/vsnat.toml")
    }

    fn unit(&self) -> PathBuf {
        self.0.join("vsnat.service")
    }

    fn init(&self, words: &str, answers: &str) -> Output {
        let mut init = vsnat();
        init.arg("init").args(words.split_whitespace());
        init.arg("--config")
            .arg(self.config())
            .arg("--unit")
            .arg(self.unit());
        let piped = init
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // It may end before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(answers.as_bytes());
        child.wait_with_output().unwrap()
    }

    #[track_caller]
    fn assert_valid(&self) {
        let checked = vsnat().arg("check").arg(self.config()).output().unwrap();
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(checked.status.success(), "{checked:?}\n{text}");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn vsnat() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vsnat"))
}

const GIVEN: &str = "--outer eth0 --inner eth1 --inner eth2 --vip 203.0.113.10/24 --service 80 \
                     --service udp:53 --server 10.0.100.11 --server 10.0.100.12";

#[track_caller]
fn said(output: &Output) -> String {
    let Output { stdout, stderr, .. } = output;
    String::from_utf8([stdout.as_slice(), stderr].concat()).unwrap()
}

#[test]
fn options_make_a_valid_file_without_questions() {
    let folder = Folder::new("options");
    for more in ["", " --dhcp"] {
        let output = folder.init(&format!("{GIVEN}{more} --force"), "");
        assert!(output.status.success(), "{output:?}");
        folder.assert_valid();
        let text = said(&output);
        assert!(
            text.contains("systemctl enable --now vsnat.service"),
            "{text}"
        );
        assert!(text.contains("vsnat check "), "{text}");
        let file = fs::read_to_string(folder.config()).unwrap();
        assert_eq!(file.contains("\n[dhcp]\n"), !more.is_empty());
        assert!(file.contains("address = \"203.0.113.10:53\""), "{file}");
    }
}

#[test]
fn what_is_there_stays_unless_it_is_forced() {
    let folder = Folder::new("present");
    fs::write(folder.unit(), "mine").unwrap();
    let refused = folder.init(GIVEN, "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("is there already"), "{refused:?}");
    assert!(!folder.config().exists(), "nothing is written");
    let without = folder.init(&format!("{GIVEN} --no-unit"), "");
    assert!(without.status.success(), "{without:?}");
    assert_eq!(fs::read_to_string(folder.unit()).unwrap(), "mine");
    assert!(
        folder
            .init(&format!("{GIVEN} --force"), "")
            .status
            .success()
    );
    assert!(
        fs::read_to_string(folder.unit())
            .unwrap()
            .contains("[Service]")
    );
}

#[test]
fn answers_that_make_no_director_write_nothing() {
    let folder = Folder::new("wrong");
    let twice = GIVEN.replace("--inner eth1", "--inner eth0");
    let refused = folder.init(&twice, "");
    assert!(
        said(&refused).contains("eth0 is the outer interface too"),
        "{refused:?}"
    );
    let silent = folder.init("", "");
    assert!(said(&silent).contains("nobody answers"), "{silent:?}");
    assert!(!folder.config().exists() && !folder.unit().exists());
}

#[test]
fn systemd_accepts_the_unit() {
    let folder = Folder::new("unit");
    assert!(folder.init(GIVEN, "").status.success());
    let mut verify = Command::new("systemd-analyze");
    let verified = verify
        .args(["verify", "--man=no"])
        .arg(folder.unit())
        .output();
    let verified = verified.expect("systemd-analyze runs (Debian: apt install systemd)");
    let complaints = String::from_utf8_lossy(&verified.stderr).into_owned();
    // It also looks at the units that are installed here.
    let ours = complaints.lines().filter(|line| line.contains("vsnat"));
    let ours: Vec<&str> = ours.collect();
    assert!(ours.is_empty() && verified.status.success(), "{complaints}");
}
