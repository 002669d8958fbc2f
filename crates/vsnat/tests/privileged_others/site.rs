//! Apache and an echo server on each real server, which a test takes down and
//! brings back, and requests to the virtual services.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use vsnat_lab::servers::echo::EchoServer;
use vsnat_lab::servers::{Capacity, RealServer, ServerKind, ServerOptions};
use vsnat_lab::{CLIENTS, Node, VIP, server_address};

use crate::scenario::Scene;

pub const WEB_PORT: u16 = 80;
pub const ECHO_PORT: u16 = 5353;

/// Longer than any answer takes.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);

/// The real servers' programs, in the order of their numbers.
pub struct Site {
    folder: PathBuf,
    machines: Vec<Option<Machine>>,
}

struct Machine {
    _web: RealServer,
    _echo: EchoServer,
}

impl Site {
    /// Brings all servers up.
    pub fn start(scene: &Scene) -> Self {
        let servers = u8::try_from(scene.cluster.plan().servers).unwrap();
        let mut site = Site {
            folder: scene.cluster.state_dir(),
            machines: (0..servers).map(|_| None).collect(),
        };
        for number in 1..=servers {
            site.up(scene, number);
        }
        site
    }

    pub fn up(&mut self, scene: &Scene, number: u8) {
        let namespace = scene.cluster.namespace(Node::Server(number));
        let name = format!("server{number}");
        let address = server_address(number);
        let options = ServerOptions {
            name: name.clone(),
            address: SocketAddrV4::new(address, WEB_PORT),
            capacity: Capacity::Unlimited,
        };
        let echo = SocketAddrV4::new(address, ECHO_PORT);
        let web = RealServer::start(ServerKind::Apache, &namespace, &options, &self.folder);
        self.machines[usize::from(number) - 1] = Some(Machine {
            _web: web.unwrap(),
            _echo: EchoServer::start(&namespace, &name, echo).unwrap(),
        });
    }

    pub fn down(&mut self, number: u8) {
        self.machines[usize::from(number) - 1] = None;
    }
}

/// Asks the web server behind a port of the VIP, from one of the client's
/// addresses; gives the real server's name, or what curl says.
pub fn ask_web_from(scene: &Scene, client: Ipv4Addr, port: u16) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "2"]);
    curl.args(["--dump-header", "-", "--output", "/dev/null"]);
    curl.args(["--interface", &client.to_string()]);
    curl.arg(format!("http://{VIP}:{port}/index.html"));
    let head = match scene.cluster.client().output(&mut curl) {
        Ok(head) => head,
        Err(error) => return error.to_string(),
    };
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let name = headers.find(|(name, _)| name.eq_ignore_ascii_case("x-real-server"));
    name.map_or(head.clone(), |(_, name)| name.trim().to_owned())
}

/// Asks the echo server behind a port of the VIP by UDP; gives the real
/// server's name, or what went wrong.
pub fn ask_udp(scene: &Scene, port: u16) -> String {
    scene.in_client(|| {
        let socket = UdpSocket::bind((CLIENTS[0], 0)).unwrap();
        socket.set_read_timeout(Some(ANSWER_PATIENCE)).unwrap();
        socket.connect((VIP, port)).unwrap();
        socket.send(b"hello\n").unwrap();
        let mut buffer = [0; 128];
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let answer = String::from_utf8_lossy(&buffer[..length]);
                answer.split(' ').next().unwrap_or_default().to_owned()
            }
            Err(error) => error.to_string(),
        }
    })
}

/// Who answers so many requests, sorted and each named once.
pub fn answering(requests: usize, ask: impl Fn() -> String) -> Vec<String> {
    let mut names: Vec<String> = (0..requests).map(|_| ask()).collect();
    names.sort();
    names.dedup();
    names
}

/// The table as `ipvsadm -Ln` shows it, each service and server in a few words:
/// `TCP 192.168.28.167:80 rr`, `-> 10.0.100.11:80 1`.
pub fn table(scene: &Scene) -> Vec<String> {
    let listing = scene.ipvsadm("-Ln");
    let lines = listing.lines().skip(3).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["->", server, "Masq", weight, _, _] => format!("-> {server} {weight}"),
            _ => words.join(" "),
        }
    });
    lines.collect()
}
