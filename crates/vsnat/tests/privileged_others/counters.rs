//! A director whose counters are worth reading: services of every kind with
//! traffic through them.

use std::net::{SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vsnat_lab::{CLIENTS, Plan, VIP};

use crate::host::Host;
use crate::process::Running;
use crate::scenario::Scene;
use crate::site::{Site, ask_udp, ask_web_from};

const MARKS: &str = "[[mark]]\nmark = 7\nprotocol = \"tcp\"\nports = [8081]\n";

const TABLE: [&str; 9] = [
    "-A -t 192.168.28.167:80 -s rr",
    "-a -t 192.168.28.167:80 -r 10.0.100.11:80 -m -w 3",
    "-a -t 192.168.28.167:80 -r 10.0.100.12:80 -m -w 4",
    "-A -u 192.168.28.167:53 -s rr",
    "-a -u 192.168.28.167:53 -r 10.0.100.11:5353 -m",
    "-A -f 7 -s lc",
    "-a -f 7 -r 10.0.100.12:80 -m -w 9",
    "-A -t 192.168.28.167:81 -s sh -b sh-port",
    "-A -t 192.168.28.167:82 -s wlc -p 300 -M 255.255.0.0",
];

/// A cluster after its requests; some connections stay open.
pub struct Counted {
    _open: Vec<TcpStream>,
    _site: Site,
    pub scene: Scene,
}

impl Counted {
    pub fn start(lab: &str) -> Self {
        let plan = Plan {
            servers: 2,
            ..Plan::default()
        };
        let mut scene = Scene::without_director(lab, &plan);
        scene.start_director(&format!("{}{MARKS}", vsnat_lab::director::config()));
        for line in TABLE {
            scene.ipvsadm(line);
        }
        let site = Site::start(&scene);
        for _ in 0..7 {
            let name = ask_web_from(&scene, CLIENTS[1], 80);
            assert!(name.starts_with("server"), "{name}");
        }
        assert_eq!(ask_web_from(&scene, CLIENTS[1], 8081), "server2");
        assert_eq!(ask_udp(&scene, 53), "server1");
        let open = scene.in_client(|| (0..3).map(|_| connect(80)).collect());
        Counted {
            _open: open,
            _site: site,
            scene,
        }
    }

    /// Keeps IPVS's files below a folder, for programs that read them.
    pub fn keep_files(&self, host: &Host, folder: &Path) -> Running {
        let mut keeper = Command::new(env!("CARGO_BIN_EXE_vsnat"));
        keeper.args(["proc", "--interval", "100ms", "--dir"]);
        keeper.arg(folder);
        keeper.env(vsnat_api::SOCKET_ENV, self.scene.director().socket());
        Running::start(host.namespace(), &mut keeper, &host.file("proc.log"))
    }

    /// The sums of ipvsadm's counters over all services.
    pub fn totals(&self) -> [u64; 5] {
        let listing = self.scene.ipvsadm("-Ln --stats --exact");
        let services = listing.lines().skip(3).filter(|line| !line.contains("->"));
        let mut totals = [0; 5];
        for service in services {
            let counters = service.split_whitespace().skip(2);
            for (total, counter) in totals.iter_mut().zip(counters) {
                *total += counter.parse::<u64>().unwrap();
            }
        }
        totals
    }

    /// The servers of one of ipvsadm's listings, as words, with the first two
    /// words of their service before them.
    pub fn rows(&self, words: &str) -> Vec<Vec<String>> {
        let listing = self.scene.ipvsadm(words);
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut service = Vec::new();
        for line in listing.lines().skip(3) {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            if words[0] == "->" {
                let key = service.iter().cloned();
                rows.push(key.chain(words.into_iter().skip(1)).collect());
            } else {
                service = words[..2].to_vec();
            }
        }
        rows
    }
}

fn connect(port: u16) -> TcpStream {
    let address = SocketAddrV4::new(VIP, port);
    TcpStream::connect_timeout(&address.into(), Duration::from_secs(5)).unwrap()
}
