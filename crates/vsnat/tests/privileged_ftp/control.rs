//! A client that speaks FTP by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A control connection.
pub struct Control {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Control {
    /// Connects and logs in.
    pub fn login(server: SocketAddrV4) -> Self {
        let mut control = Control::connect(server);
        control.ask("USER anonymous", "331");
        control.ask("PASS x", "230");
        control.ask("TYPE I", "200");
        control
    }

    pub fn connect(server: SocketAddrV4) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        let mut control = Control { stream, reader };
        control.reply("220");
        control
    }

    /// Says a line; gives the last line of the reply, which must have the code.
    #[track_caller]
    pub fn ask(&mut self, line: &str, code: &str) -> String {
        self.say(&format!("{line}\r\n"));
        self.reply(code)
    }

    pub fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    #[track_caller]
    pub fn reply(&mut self, code: &str) -> String {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) == Some(&b' ') {
                assert!(line.starts_with(code), "{line} instead of {code}");
                return line;
            }
            assert!(!line.is_empty(), "the connection ended");
        }
    }

    /// Whether the connection ends, in order or not.
    pub fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// Opens a data connection the passive way.
    #[track_caller]
    pub fn passive(&mut self) -> TcpStream {
        let reply = self.ask("PASV", "227");
        let stream = TcpStream::connect(six_numbers(&reply)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

pub fn six_numbers(reply: &str) -> SocketAddrV4 {
    let inside = reply.split(['(', ')']).nth(1).unwrap();
    let numbers: Vec<u8> = inside.split(',').map(|n| n.parse().unwrap()).collect();
    let [a, b, c, d, high, low] = numbers[..] else {
        panic!("{reply}");
    };
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
}

pub fn read_all(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}
