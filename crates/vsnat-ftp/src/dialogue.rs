//! Both directions of a control connection, and what they lead to.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use crate::command::{Command, names_an_address};
use crate::line::{Cut, Lines};
use crate::reply::{Code, Place, Told, place};
use crate::telnet::{IAC, Read, Telnet};

/// The addresses that count on a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The only address that a client may have a server connect to.
    pub client: Ipv4Addr,
    /// What the client takes for the server.
    pub vip: Ipv4Addr,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    ToServer(Vec<u8>),
    /// One byte, as urgent data.
    UrgentToServer(u8),
    ToClient(Vec<u8>),
    /// To be answered, by [`Dialogue::granted`] or [`Dialogue::refused`],
    /// before the next step.
    Expect(Expectation),
    /// From now on nothing of the connection can be read.
    Encrypted,
}

/// A data connection that will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The client will connect, and is meant for this port of the server.
    Client { server_port: u16 },
    /// The server will connect to this port of the client.
    Server { client_port: u16 },
}

const FOREIGN: &str = "500 The address in this command is not your own.\r\n";
const OTHER_FAMILY: &str = "522 This connection is one of IPv4; use (1).\r\n";
const TOO_LONG: &str = "500 This command is too long.\r\n";
const NO_ROOM: &str = "425 No data connection can be opened now; try again later.\r\n";

/// A control connection.
#[derive(Debug)]
pub struct Dialogue {
    ends: Ends,
    said: VecDeque<Said>,
    steps: VecDeque<Step>,
    waiting: Option<Waiting>,
    client: Lines,
    /// Of the bytes in front of a client's line, which are passed on at once.
    telnet: Telnet,
    /// Whether the client's line that is being let go is thrown away.
    swallowing: Swallowing,
    server: Lines,
    /// The code of the reply that has begun and not ended.
    open: Option<Code>,
    /// Replies of our own that wait for the end of one of the server's.
    own: Vec<&'static str>,
    /// Passive connections that were asked for and not told of.
    asked: u32,
    /// Whether the client asked for encryption; whether it has it.
    secrecy: Secrecy,
}

/// Bytes of one side.
#[derive(Debug)]
enum Said {
    ByClient(Vec<u8>),
    UrgentlyByClient(u8),
    ByServer(Vec<u8>),
}

/// A line whose fate depends on an expectation.
#[derive(Debug)]
enum Waiting {
    Command { line: Vec<u8> },
    Reply { line: Vec<u8>, told: Told },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swallowing {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrecy {
    None,
    Asked,
    Given,
}

impl Dialogue {
    pub fn new(ends: Ends) -> Self {
        Dialogue {
            ends,
            said: VecDeque::new(),
            steps: VecDeque::new(),
            waiting: None,
            client: Lines::default(),
            telnet: Telnet::default(),
            swallowing: Swallowing::No,
            server: Lines::default(),
            open: None,
            own: Vec::new(),
            asked: 0,
            secrecy: Secrecy::None,
        }
    }

    pub fn client_said(&mut self, bytes: &[u8]) {
        self.said.push_back(Said::ByClient(bytes.to_vec()));
    }

    /// One byte that was sent as urgent.
    pub fn client_said_urgently(&mut self, byte: u8) {
        self.said.push_back(Said::UrgentlyByClient(byte));
    }

    pub fn server_said(&mut self, bytes: &[u8]) {
        self.said.push_back(Said::ByServer(bytes.to_vec()));
    }

    /// Whether somebody may be told something now that is not the other side's:
    /// no line and no reply is half said, and all can be read.
    pub fn is_interruptible(&self) -> bool {
        self.secrecy != Secrecy::Given && self.open.is_none() && self.server.is_at_start()
    }

    /// The next step, until nothing is left of what was said.
    pub fn step(&mut self) -> Option<Step> {
        loop {
            if self.waiting.is_some() && self.steps.is_empty() {
                return None;
            }
            // Bytes are gathered before they are given away.
            if self.waiting.is_some() || self.said.is_empty() {
                return self.steps.pop_front();
            }
            self.listen();
        }
    }

    /// The last expectation is met: this port of the VIP stands for the
    /// server's, or this port of the client's is open for the server.
    pub fn granted(&mut self, port: u16) {
        match self.waiting.take() {
            Some(Waiting::Command { line }) => self.tell_server(&line),
            Some(Waiting::Reply { line, told }) => {
                let line = told.rewritten(&line, self.ends.vip, port);
                self.tell_client(&line);
            }
            None => {}
        }
        self.speak();
    }

    /// The last expectation cannot be met.
    pub fn refused(&mut self) {
        match self.waiting.take() {
            Some(Waiting::Command { .. }) => self.own.push(NO_ROOM),
            Some(Waiting::Reply { .. }) => self.tell_client(NO_ROOM.as_bytes()),
            None => {}
        }
        self.speak();
    }

    /// Takes what was said, up to the first expectation.
    fn listen(&mut self) {
        let Some(said) = self.said.pop_front() else {
            return;
        };
        match said {
            Said::UrgentlyByClient(byte) => self.hear_urgently(byte),
            Said::ByClient(bytes) => {
                let heard = self.hear(&bytes, Dialogue::hear_client);
                self.later(Said::ByClient, &bytes[heard..]);
            }
            Said::ByServer(bytes) => {
                let heard = self.hear(&bytes, Dialogue::hear_server);
                self.later(Said::ByServer, &bytes[heard..]);
            }
        }
    }

    /// How many of the bytes were heard before an expectation.
    fn hear(&mut self, bytes: &[u8], each: fn(&mut Dialogue, u8)) -> usize {
        for (place, byte) in bytes.iter().enumerate() {
            each(self, *byte);
            if self.waiting.is_some() {
                return place + 1;
            }
        }
        bytes.len()
    }

    fn later(&mut self, said: fn(Vec<u8>) -> Said, rest: &[u8]) {
        if !rest.is_empty() {
            self.said.push_front(said(rest.to_vec()));
        }
    }

    fn hear_client(&mut self, byte: u8) {
        if self.secrecy == Secrecy::Given || self.is_telnet(byte) {
            return self.tell_server(&[byte]);
        }
        match self.client.take(byte) {
            Cut::Nothing => {}
            Cut::Line(line) => self.command(line),
            Cut::Long(start) if names_an_address(&start) => self.swallowing = Swallowing::Yes,
            Cut::Long(start) => self.tell_server(&start),
            Cut::More(byte) => self.let_go(byte),
            Cut::Last(byte) => {
                self.let_go(byte);
                if self.swallowing == Swallowing::Yes {
                    self.swallowing = Swallowing::No;
                    self.own.push(TOO_LONG);
                    self.speak();
                }
            }
        }
    }

    fn let_go(&mut self, byte: u8) {
        match self.swallowing {
            Swallowing::Yes => {}
            Swallowing::No => self.tell_server(&[byte]),
        }
    }

    /// Whether a byte is part of a command of telnet in front of a line: there
    /// it wakes up a server, and must not wait for the rest.
    fn is_telnet(&mut self, byte: u8) -> bool {
        let begins = byte == IAC && self.client.is_at_start();
        if self.telnet == Telnet::Outside && !begins {
            return false;
        }
        match self.telnet.take(byte) {
            Read::Command => true,
            // An escaped byte is the line's first one; its escape is gone ahead.
            Read::Text => false,
        }
    }

    /// An urgent byte stays one unless it is part of a line that is held.
    fn hear_urgently(&mut self, byte: u8) {
        if self.secrecy == Secrecy::Given || self.is_telnet(byte) {
            return self.steps.push_back(Step::UrgentToServer(byte));
        }
        self.later(Said::ByClient, &[byte]);
    }

    fn command(&mut self, line: Vec<u8>) {
        match Command::of(&line) {
            Command::Active(address) if *address.ip() == self.ends.client => {
                let client_port = address.port();
                self.steps
                    .push_back(Step::Expect(Expectation::Server { client_port }));
                self.waiting = Some(Waiting::Command { line });
            }
            Command::Active(_) => self.refuse(FOREIGN),
            Command::OtherFamily => self.refuse(OTHER_FAMILY),
            Command::Passive => {
                self.asked = self.asked.saturating_add(1);
                self.tell_server(&line);
            }
            Command::Auth => {
                self.secrecy = Secrecy::Asked;
                self.tell_server(&line);
            }
            Command::Other => self.tell_server(&line),
        }
    }

    fn refuse(&mut self, reply: &'static str) {
        self.own.push(reply);
        self.speak();
    }

    fn hear_server(&mut self, byte: u8) {
        if self.secrecy == Secrecy::Given {
            return self.tell_client(&[byte]);
        }
        match self.server.take(byte) {
            Cut::Nothing => {}
            Cut::Line(line) => self.reply(line),
            Cut::Long(start) => {
                self.follow(place(&start, self.open));
                self.tell_client(&start);
            }
            Cut::More(byte) => self.tell_client(&[byte]),
            Cut::Last(byte) => {
                self.tell_client(&[byte]);
                self.speak();
            }
        }
    }

    fn reply(&mut self, line: Vec<u8>) {
        let place = place(&line, self.open);
        self.follow(place);
        let Place::Last(code) = place else {
            return self.tell_client(&line);
        };
        if self.asked > 0
            && let Some(told) = Told::of(code, &line)
        {
            self.asked -= 1;
            let server_port = told.port;
            self.steps
                .push_back(Step::Expect(Expectation::Client { server_port }));
            self.waiting = Some(Waiting::Reply { line, told });
            return;
        }
        self.tell_client(&line);
        // RFC 4217: what comes after this reply is the beginning of TLS.
        if self.secrecy == Secrecy::Asked && code == *b"234" {
            self.conceal();
        }
        self.speak();
    }

    fn follow(&mut self, place: Place) {
        match place {
            Place::First(code) => self.open = Some(code),
            Place::Last(_) => self.open = None,
            Place::Within => {}
        }
    }

    fn conceal(&mut self) {
        self.secrecy = Secrecy::Given;
        self.own.clear();
        let held = self.client.release();
        self.tell_server(&held);
        self.steps.push_back(Step::Encrypted);
    }

    /// Says what we have to say, if nobody is interrupted.
    fn speak(&mut self) {
        if !self.is_interruptible() {
            return;
        }
        for reply in std::mem::take(&mut self.own) {
            self.tell_client(reply.as_bytes());
        }
    }

    fn tell_server(&mut self, bytes: &[u8]) {
        match self.steps.back_mut() {
            _ if bytes.is_empty() => {}
            Some(Step::ToServer(last)) => last.extend_from_slice(bytes),
            Some(_) | None => self.steps.push_back(Step::ToServer(bytes.to_vec())),
        }
    }

    fn tell_client(&mut self, bytes: &[u8]) {
        match self.steps.back_mut() {
            _ if bytes.is_empty() => {}
            Some(Step::ToClient(last)) => last.extend_from_slice(bytes),
            Some(_) | None => self.steps.push_back(Step::ToClient(bytes.to_vec())),
        }
    }
}
