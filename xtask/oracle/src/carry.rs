//! Carries out one sequence after the other.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use oracle::plan::{Answers, Sequence, Step};

use crate::director::Director;
use crate::namespace::Network;
use crate::tcp::Tcp;
use crate::udp::Udp;

/// A packet's last hops may be under way on another CPU when its sender goes on.
const SETTLE: Duration = Duration::from_millis(3);

const LIST_CONNECTIONS: &str = "-Lnc";
/// Connections of earlier sequences end all the time, but not ten times in a row.
const MOST_LISTINGS: usize = 10;

pub struct Carrier<'a> {
    network: &'a Network,
    director: &'a Director,
    tcp: Tcp,
    udp: Udp,
}

impl<'a> Carrier<'a> {
    pub fn new(network: &'a Network, director: &'a Director) -> Result<Self> {
        Ok(Carrier {
            network,
            director,
            tcp: Tcp::listen(network)?,
            udp: Udp::listen(network)?,
        })
    }

    pub fn carry_out(&mut self, sequence: &Sequence) -> Result<Answers> {
        let start = Instant::now();
        let texts = sequence
            .steps
            .iter()
            .map(|step| {
                self.step(step)
                    .with_context(|| format!("sequence {}: {step}", sequence.number))
            })
            .collect::<Result<Vec<String>>>()?;
        let took_ms = start.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        self.clear()?;
        Ok(Answers {
            number: sequence.number,
            texts,
            took_ms,
        })
    }

    fn step(&mut self, step: &Step) -> Result<String> {
        match step {
            Step::Ipvsadm(words) => {
                thread::sleep(SETTLE);
                match words.first().is_some_and(|word| word == LIST_CONNECTIONS) {
                    true => self.connections(words),
                    false => self.ipvsadm(words),
                }
            }
            Step::Open {
                connection,
                from,
                to,
            } => self.tcp.open(self.network, *connection, *from, *to),
            Step::Talk(connection) => self.tcp.talk(*connection),
            Step::Close { connection, first } => self.tcp.close(*connection, *first),
            Step::Reset(connection) => self.tcp.reset(*connection),
            Step::Datagram { from, to } => self.udp.datagram(self.network, *from, *to),
            Step::Set { name, value } => self.director.set(name, *value),
            Step::Wait { milliseconds } => {
                thread::sleep(Duration::from_millis(*milliseconds));
                Ok(String::new())
            }
        }
    }

    fn ipvsadm(&self, words: &[String]) -> Result<String> {
        let output = self
            .director
            .ipvsadm()
            .args(words)
            .stdin(Stdio::null())
            .output()
            .context("cannot start ipvsadm")?;
        let code = output.status.code().unwrap_or(-1);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        Ok(format!("exit {code}\n{stdout}{stderr}"))
    }

    /// The kernel tells its connections piece by piece, and leaves one out where another
    /// has ended meanwhile: listed until two listings are equally long.
    fn connections(&self, words: &[String]) -> Result<String> {
        let mut text = self.ipvsadm(words)?;
        for _ in 0..MOST_LISTINGS {
            let again = self.ipvsadm(words)?;
            if again.lines().count() == text.lines().count() {
                return Ok(again);
            }
            text = again;
        }
        Ok(text)
    }

    /// An empty table for the next sequence.
    fn clear(&mut self) -> Result<()> {
        self.tcp.reset_all();
        self.udp.forget_clients();
        self.ipvsadm(&["-C".to_owned()])?;
        Ok(())
    }
}
