//! The questions, one line each; an empty answer takes the suggestion.

use std::io::BufRead;
use std::str::FromStr;

use anyhow::bail;
use ipnet::Ipv4Net;

use super::answers::Answers;
use super::found::Found;
use crate::output;

/// Somebody who answers wrong so often has nobody at the keyboard.
const MOST_TRIES: u32 = 5;

const NONE: &str = "none";

/// Asks whoever writes to this input.
pub struct Questions<'f, R> {
    input: R,
    found: &'f Found,
}

impl<'f, R: BufRead> Questions<'f, R> {
    pub fn new(input: R, found: &'f Found) -> Self {
        Questions { input, found }
    }

    /// Asks for what is not given yet.
    pub fn ask(mut self, given: Answers) -> anyhow::Result<Answers> {
        let mut answers = given;
        output::text(&self.overview())?;
        if answers.outer.is_empty() {
            let suggested = self.found.outwards.clone().unwrap_or_default();
            let question = "interface towards the clients";
            answers.outer = self.one(question, &suggested, |name| self::known(self.found, name))?;
        }
        if answers.inner.is_empty() {
            let question = "interfaces towards the real servers";
            let suggested = self.others(&answers.outer);
            answers.inner =
                self.list(question, &suggested, |name| self::known(self.found, name))?;
        }
        if answers.vips.is_empty() {
            let suggested = self.found.addresses_of(&answers.outer);
            let suggested = suggested
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            let question = "virtual addresses, with prefix";
            answers.vips = self.list(question, &suggested, vip)?;
        }
        if answers.services.is_empty() {
            let question = "ports that are served, like 80 udp:53";
            answers.services = self.list(question, "80", parsed)?;
        }
        if !answers.dhcp {
            let question = "give the real servers their addresses by DHCP (yes, no)";
            answers.dhcp = self.one(question, "no", yes_or_no)?;
        }
        if answers.servers.is_empty() {
            let question = "addresses of the real servers";
            answers.servers = self.list(question, NONE, parsed)?;
        }
        Ok(answers)
    }

    fn overview(&self) -> String {
        let mut text = "interfaces of this machine:\n".to_owned();
        for name in &self.found.interfaces {
            let addresses = self.found.addresses_of(name);
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            text += &format!("  {name:<15} {}\n", addresses.join(" "));
        }
        text
    }

    /// Interfaces but the outer one that have an address.
    fn others(&self, outer: &str) -> String {
        let others = self.found.interfaces.iter();
        let others = others.filter(|name| *name != outer);
        let others = others.filter(|name| !self.found.addresses_of(name).is_empty());
        others.cloned().collect::<Vec<_>>().join(" ")
    }

    /// One answer, asked for again until it can be used.
    fn one<T>(
        &mut self,
        question: &str,
        suggested: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        for _ in 0..MOST_TRIES {
            let answer = self.line(question, suggested)?;
            match read(&answer) {
                Ok(answer) => return Ok(answer),
                Err(message) => output::text(&format!("  {message}\n"))?,
            }
        }
        bail!("no usable answer to \"{question}\"; give it as an option (vsnat init --help)")
    }

    /// Several answers in a line, or "none".
    fn list<T>(
        &mut self,
        question: &str,
        suggested: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<Vec<T>> {
        self.one(question, suggested, |line| {
            let words = line.split([' ', ',']).filter(|word| !word.is_empty());
            match line {
                NONE => Ok(Vec::new()),
                _ => words.map(&read).collect(),
            }
        })
    }

    fn line(&mut self, question: &str, suggested: &str) -> anyhow::Result<String> {
        match suggested {
            "" => output::text(&format!("{question}: "))?,
            suggested => output::text(&format!("{question} [{suggested}]: "))?,
        }
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            bail!(
                "nobody answers \"{question}\"; give --outer, --inner and --vip as options instead \
                 (vsnat init --help)"
            );
        }
        match line.trim() {
            "" => Ok(suggested.to_owned()),
            answer => Ok(answer.to_owned()),
        }
    }
}

fn known(found: &Found, name: &str) -> Result<String, String> {
    match found.interfaces.iter().any(|known| known == name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "there is no interface \"{name}\" that a director can have"
        )),
    }
}

fn vip(text: &str) -> Result<Ipv4Net, String> {
    let read = text.parse();
    read.map_err(|_| format!("\"{text}\" is no address with a prefix, like 203.0.113.10/24"))
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("\"{text}\": {error}"))
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "y" => Ok(true),
        "no" | "n" => Ok(false),
        other => Err(format!("\"{other}\" is neither yes nor no")),
    }
}

#[cfg(test)]
mod tests {
    use vsnat_director::host::address::InterfaceAddress;

    use super::*;

    fn found() -> Found {
        let address = |interface: &str, address: &str| InterfaceAddress {
            interface: interface.to_owned(),
            address: address.parse().unwrap(),
        };
        Found {
            interfaces: ["eth0", "eth1", "eth2"].map(str::to_owned).to_vec(),
            addresses: vec![
                address("eth0", "203.0.113.10/24"),
                address("eth1", "10.0.100.1/24"),
            ],
            outwards: Some("eth0".to_owned()),
        }
    }

    fn asked(lines: &str) -> anyhow::Result<Answers> {
        Questions::new(lines.as_bytes(), &found()).ask(Answers::default())
    }

    #[test]
    fn suggestions_are_taken() {
        let answers = asked("\n\n\n\n\n\n").unwrap();
        assert_eq!(answers.outer, "eth0");
        assert_eq!(answers.inner, ["eth1"]);
        assert_eq!(answers.vips, ["203.0.113.10/24".parse().unwrap()]);
        assert_eq!(answers.services[0].to_string(), "tcp:80");
        assert!(!answers.dhcp);
        assert!(answers.servers.is_empty());
    }

    #[test]
    fn wrong_answers_are_asked_again() {
        let lines = "eth9\neth0\neth1, eth2\n203.0.113.7\n203.0.113.7/24\n443 udp:53\nmaybe\nyes\n\
                     10.0.100.11 10.0.100.12\n";
        let answers = asked(lines).unwrap();
        assert_eq!(answers.inner, ["eth1", "eth2"]);
        assert_eq!(answers.services.len(), 2);
        assert!(answers.dhcp);
        assert_eq!(answers.servers.len(), 2);
    }

    #[test]
    fn silence_and_nonsense_end() {
        assert!(
            asked("")
                .unwrap_err()
                .to_string()
                .contains("nobody answers")
        );
        let nonsense = asked("a\nb\nc\nd\ne\nf\n").unwrap_err().to_string();
        assert!(nonsense.contains("no usable answer"), "{nonsense}");
    }
}
