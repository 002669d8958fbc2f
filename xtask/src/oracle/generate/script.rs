//! A sequence while it is drawn, and the state that its next step is drawn from.

use std::net::{Ipv4Addr, SocketAddrV4};

use oracle::plan::Step;
use oracle::world;

use super::Theme;
use super::service::Service;
use crate::oracle::draw::Draw;

/// Below the range that kernels take for themselves.
const FIRST_CLIENT_PORT: u16 = 2000;
/// Clients in the same /25, and two of the next.
const CLIENT_HOSTS: [u8; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 130, 131];

pub struct Script {
    pub number: u32,
    pub theme: Theme,
    pub draw: Draw,
    pub steps: Vec<Step>,
    pub services: Vec<Service>,
    /// Connections that are held, unless the director refused them.
    pub held: Vec<usize>,
    /// Clients' ends of connections that were reset: their ports are free again.
    pub reset: Vec<(SocketAddrV4, SocketAddrV4)>,
    /// Clients' ends of open connections, by number.
    pub opened: Vec<(SocketAddrV4, SocketAddrV4)>,
    pub asked: Vec<(SocketAddrV4, SocketAddrV4)>,
    pub settings: Vec<String>,
    /// A server has had a threshold.
    pub has_thresholds: bool,
    next_port: u16,
    next_server: u8,
}

impl Script {
    pub fn new(number: u32, theme: Theme, draw: Draw) -> Self {
        Script {
            number,
            theme,
            draw,
            steps: Vec::new(),
            services: Vec::new(),
            held: Vec::new(),
            reset: Vec::new(),
            opened: Vec::new(),
            asked: Vec::new(),
            settings: Vec::new(),
            has_thresholds: false,
            next_port: FIRST_CLIENT_PORT,
            next_server: 1,
        }
    }

    pub fn ipvsadm(&mut self, words: impl IntoIterator<Item = impl Into<String>>) {
        let words = words.into_iter().map(Into::into).collect();
        self.steps.push(Step::Ipvsadm(words));
    }

    /// A line as it is typed.
    pub fn line(&mut self, line: &str) {
        self.ipvsadm(line.split_whitespace());
    }

    /// A client with a port that it did not have before.
    pub fn client(&mut self) -> SocketAddrV4 {
        let host = self.draw.pick(&CLIENT_HOSTS);
        self.next_port += 1;
        SocketAddrV4::new(world::client(self.number, host), self.next_port)
    }

    /// A server that no service had before.
    pub fn fresh_server(&mut self) -> Ipv4Addr {
        let address = world::server(self.number, self.next_server);
        self.next_server += 1;
        address
    }

    /// Index of a service, if there is one.
    pub fn any_service(&mut self) -> Option<usize> {
        match self.services.len() {
            0 => None,
            count => Some(self.draw.between(0, count - 1)),
        }
    }

    /// Index of a service that has servers, and of one of them.
    pub fn any_server(&mut self) -> Option<(usize, usize)> {
        let service = self.any_service()?;
        match self.services[service].servers.len() {
            0 => None,
            count => Some((service, self.draw.between(0, count - 1))),
        }
    }
}
