//! Lines that change the table: services, servers, settings.

use oracle::plan::Step;
use oracle::world::TCP_PORTS;

use super::Theme;
use super::script::Script;
use super::service::{Key, Server, Service};

/// All but `twos`, which draws servers at random and which the machine's kernel lacks.
const SCHEDULERS: [&str; 13] = [
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh",
];
const WEIGHTS: [u32; 14] = [0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 7, 10, 100, 1000];
const MASKS: [&str; 4] = [
    "255.255.255.0",
    "255.255.255.128",
    "255.255.255.252",
    "255.255.255.255",
];
const PERSISTENCE_S: [u32; 4] = [30, 100, 300, 3600];
/// A port on which no server listens.
const CLOSED_PORT: u16 = 9;
const MOST_SERVERS: usize = 8;
const MOST_SERVICES: usize = 5;

/// Settings that change what the next steps come to, with other values than the default.
const SETTINGS: [(&str, u32, u32); 4] = [
    ("expire_nodest_conn", 0, 1),
    ("expire_quiescent_template", 0, 1),
    ("conn_reuse_mode", 1, 0),
    ("sloppy_tcp", 0, 1),
];

/// Without any service the kernel takes its hooks away, and with them what it knows of
/// open connections: this one, which nothing uses, stays.
const KEPT_SERVICE: &str = "-A -t 10.0.1.131:9 -s rr";
/// Longer than the kernel takes to collect its counters: what it has not collected comes
/// back after they were set to zero.
const COLLECTED_MS: u64 = 2200;

impl Script {
    pub fn keep_one_service(&mut self) {
        self.line(KEPT_SERVICE);
    }

    pub fn add_service(&mut self) {
        let key = self.key();
        let known = self.services.iter().any(|service| service.key == key);
        if known || self.services.len() >= MOST_SERVICES {
            return;
        }
        let mut words = vec!["-A".to_owned()];
        words.extend(key.words());
        words.extend(self.service_options(key));
        self.ipvsadm(words);
        self.services.push(Service {
            key,
            servers: Vec::new(),
            deleted: Vec::new(),
        });
        let index = self.services.len() - 1;
        for _ in 0..self.draw.weighted(&[1, 2, 6, 8, 4, 2]) {
            self.add_server_to(index);
        }
    }

    pub fn edit_service(&mut self) {
        let Some(index) = self.any_service() else {
            return self.add_service();
        };
        let key = self.services[index].key;
        let mut words = vec!["-E".to_owned()];
        words.extend(key.words());
        words.extend(self.service_options(key));
        self.ipvsadm(words);
    }

    pub fn delete_service(&mut self) {
        let Some(index) = self.any_service() else {
            return self.add_service();
        };
        let service = self.services.remove(index);
        let mut words = vec!["-D".to_owned()];
        words.extend(service.key.words());
        self.ipvsadm(words);
    }

    pub fn add_server(&mut self) {
        match self.any_service() {
            Some(index) => self.add_server_to(index),
            None => self.add_service(),
        }
    }

    pub fn edit_server(&mut self) {
        let Some((service, server)) = self.any_server() else {
            return self.add_server();
        };
        let (key, server) = {
            let service = &self.services[service];
            (service.key, service.servers[server])
        };
        self.server_line("-e", key, server);
    }

    pub fn delete_server(&mut self) {
        let Some((service, server)) = self.any_server() else {
            return self.add_server();
        };
        let (key, server) = {
            let service = &mut self.services[service];
            let server = service.servers.remove(server);
            service.deleted.push(server);
            (service.key, server)
        };
        let mut words = vec!["-d".to_owned()];
        words.extend(key.words());
        words.extend(["-r".to_owned(), server.word()]);
        self.ipvsadm(words);
    }

    pub fn zero(&mut self) {
        self.steps.push(Step::Wait {
            milliseconds: COLLECTED_MS,
        });
        match self.any_service() {
            Some(index) if self.draw.percent(60) => {
                let mut words = vec!["-Z".to_owned()];
                words.extend(self.services[index].key.words());
                self.ipvsadm(words);
            }
            Some(_) | None => self.line("-Z"),
        }
    }

    pub fn set(&mut self) {
        let (name, default, other) = self.draw.pick(&SETTINGS);
        let value = match self.settings.iter().any(|setting| setting == name) {
            true => default,
            false => other,
        };
        self.set_to(name, value);
        self.settings.push(name.to_owned());
    }

    pub fn timeouts(&mut self) {
        let tcp = self.draw.pick(&[0, 600, 1200]);
        let fin = self.draw.pick(&[0, 60, 240]);
        let udp = self.draw.pick(&[0, 100, 400]);
        self.line(&format!("--set {tcp} {fin} {udp}"));
        self.line("-L --timeout");
        self.settings.push("--set".to_owned());
    }

    /// Settings are of the director, not of the table: -C leaves them.
    pub fn restore_settings(&mut self) {
        for (name, default, _) in SETTINGS {
            if self.settings.iter().any(|setting| setting == name) {
                self.set_to(name, default);
            }
        }
        if self.settings.iter().any(|setting| setting == "--set") {
            self.line("--set 900 120 300");
        }
    }

    fn set_to(&mut self, name: &str, value: u32) {
        self.steps.push(Step::Set {
            name: name.to_owned(),
            value,
        });
    }

    fn key(&mut self) -> Key {
        let vip = self.draw.pick(&[0, 1]);
        let tcp = Key::Tcp {
            vip,
            port: self.draw.pick(&[80, 80, 443]),
        };
        let udp = Key::Udp {
            vip,
            port: self.draw.pick(&[53, 53, 5000]),
        };
        let zero = match self.draw.percent(70) {
            true => Key::Tcp { vip, port: 0 },
            false => Key::Udp { vip, port: 0 },
        };
        let mark = Key::Mark(self.draw.pick(&[1, 2, 3, 4, 5, 5]));
        let weights = match self.theme {
            Theme::Scheduling | Theme::Thresholds | Theme::Faults => [8, 2, 0, 1],
            Theme::Persistence => [5, 2, 4, 3],
            Theme::Datagrams => [1, 8, 1, 1],
            Theme::Marks => [2, 1, 1, 8],
        };
        [tcp, udp, zero, mark][self.draw.weighted(&weights)]
    }

    fn service_options(&mut self, key: Key) -> Vec<String> {
        let mut words = Vec::new();
        let scheduler = match self.theme {
            // Where their destinations differ.
            Theme::Marks if self.draw.percent(50) => self.draw.pick(&["lblc", "lblcr", "dh"]),
            _ => self.draw.pick(&SCHEDULERS),
        };
        if self.draw.percent(96) {
            words.extend(["-s".to_owned(), scheduler.to_owned()]);
        }
        let persistent = match self.theme {
            Theme::Persistence => 75,
            Theme::Marks => 20,
            Theme::Scheduling | Theme::Thresholds | Theme::Datagrams | Theme::Faults => 5,
        };
        if key.has_port_zero() || self.draw.percent(persistent) {
            words.push("-p".to_owned());
            if self.draw.percent(75) {
                words.push(self.draw.pick(&PERSISTENCE_S).to_string());
            }
            if self.draw.percent(40) {
                words.extend(["-M".to_owned(), self.draw.pick(&MASKS).to_owned()]);
            }
        }
        let one_packet = match self.theme {
            Theme::Datagrams => 20,
            _ => 4,
        };
        if key.may_be_one_packet() && self.draw.percent(one_packet) {
            words.push("-o".to_owned());
        }
        if let Some(flags) = self.flags(scheduler) {
            words.extend(["-b".to_owned(), flags]);
        }
        words
    }

    fn flags(&mut self, scheduler: &str) -> Option<String> {
        let (own, chance) = match scheduler {
            "sh" => (["sh-fallback", "sh-port", "sh-fallback,sh-port"], 60),
            "mh" => (["mh-fallback", "mh-port", "mh-fallback,mh-port"], 60),
            _ => (["flag-1", "flag-2,flag-3", "flag-1,flag-2"], 2),
        };
        self.draw
            .percent(chance)
            .then(|| self.draw.pick(&own).to_owned())
    }

    fn add_server_to(&mut self, index: usize) {
        if self.services[index].servers.len() >= MOST_SERVERS {
            return;
        }
        let key = self.services[index].key;
        // expire_nodest_conn makes IPVS forget what a deleted server had at once.
        let forgotten = self
            .settings
            .iter()
            .any(|name| name == "expire_nodest_conn");
        let again = !forgotten && !self.services[index].deleted.is_empty() && self.draw.percent(50);
        let server = match again.then(|| self.services[index].deleted.pop()).flatten() {
            Some(server) => server,
            None => Server {
                address: self.fresh_server(),
                port: self.server_port(key),
            },
        };
        self.server_line("-a", key, server);
        self.services[index].servers.push(server);
    }

    fn server_port(&mut self, key: Key) -> Option<u16> {
        let explicit = match key {
            // Both protocols have this mark, and no port serves both.
            Key::Mark(3) => 0,
            Key::Mark(_) => 20,
            _ if key.has_port_zero() => 20,
            Key::Tcp { .. } | Key::Udp { .. } => 60,
        };
        if !self.draw.percent(explicit) {
            return None;
        }
        let ports = key.server_ports();
        // A TCP server refuses by a reset; one of UDP by ICMP, which vsnat does not
        // translate yet.
        if ports == TCP_PORTS && self.draw.percent(4) {
            return Some(CLOSED_PORT);
        }
        Some(self.draw.pick(ports))
    }

    fn server_line(&mut self, command: &str, key: Key, server: Server) {
        let mut words = vec![command.to_owned()];
        words.extend(key.words());
        words.extend(["-r".to_owned(), server.word(), "-m".to_owned()]);
        if self.draw.percent(70) {
            words.extend(["-w".to_owned(), self.draw.pick(&WEIGHTS).to_string()]);
        }
        let thresholds = match self.theme {
            Theme::Thresholds => 70,
            _ => 5,
        };
        if self.draw.percent(thresholds) {
            self.has_thresholds = true;
            let upper = self.draw.between(1, 5);
            words.extend(["-x".to_owned(), upper.to_string()]);
            if self.draw.percent(50) {
                let lower = self.draw.between(0, upper);
                words.extend(["-y".to_owned(), lower.to_string()]);
            }
        }
        self.ipvsadm(words);
    }
}
