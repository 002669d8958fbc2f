//! Connections and datagrams.

use std::net::SocketAddrV4;

use oracle::plan::{Side, Step};
use oracle::world;

use super::script::Script;
use super::service::Packet;

/// A VIP and a port that no service has.
const NO_SERVICE: (u8, u16) = (30, 8080);

/// A few ticks of a kernel that counts a hundred in a second.
const TIMER_MS: u64 = 60;

impl Script {
    /// Some packets to one service, as its scheduler shows only in an order.
    pub fn connect(&mut self) {
        let Some(index) = self.any_service() else {
            return self.add_service();
        };
        let key = self.services[index].key;
        for _ in 0..self.draw.between(2, 7) {
            let packet = match self.draw.percent(1) {
                true => Packet::Tcp(SocketAddrV4::new(world::vip(NO_SERVICE.0), NO_SERVICE.1)),
                false => key.packet(&mut self.draw),
            };
            match packet {
                Packet::Tcp(to) => self.open(to),
                Packet::Udp(to) => self.ask(to),
            }
        }
    }

    /// Ends some of the held connections.
    pub fn end(&mut self) {
        for _ in 0..self.draw.between(1, 4) {
            if self.held.is_empty() {
                return;
            }
            let index = self.draw.between(0, self.held.len() - 1);
            let connection = self.held.swap_remove(index);
            self.end_one(connection);
        }
    }

    pub fn talk(&mut self) {
        if !self.held.is_empty() {
            let connection = self.draw.pick(&self.held.clone());
            self.steps.push(Step::Talk(connection));
        }
    }

    fn open(&mut self, to: SocketAddrV4) {
        // A port that was reset before: the director knows a closed connection of it. The
        // kernel counts that and the new one for a moment, which a threshold would notice.
        let again = self
            .reset
            .iter()
            .position(|(_, before)| *before == to)
            .filter(|_| !self.has_thresholds && self.draw.percent(30));
        let from = match again {
            Some(index) => self.reset.remove(index).0,
            None => self.client(),
        };
        let connection = self.opened.len();
        self.opened.push((from, to));
        self.steps.push(Step::Open {
            connection,
            from,
            to,
        });
        if again.is_some() {
            // The kernel gives up the old connection's place by a timer of its own.
            self.steps.push(Step::Wait {
                milliseconds: TIMER_MS,
            });
        }
        if self.draw.percent(70) {
            self.held.push(connection);
        } else {
            self.end_one(connection);
        }
    }

    fn ask(&mut self, to: SocketAddrV4) {
        let again = self.asked.iter().find(|(_, before)| *before == to).copied();
        let from = match again {
            Some((from, _)) if self.draw.percent(25) => from,
            Some(_) | None => self.client(),
        };
        self.asked.push((from, to));
        self.steps.push(Step::Datagram { from, to });
    }

    fn end_one(&mut self, connection: usize) {
        let step = match self.draw.weighted(&[6, 3, 4]) {
            0 => Step::Close {
                connection,
                first: Side::Client,
            },
            1 => Step::Close {
                connection,
                first: Side::Server,
            },
            _ => {
                self.reset.push(self.opened[connection]);
                Step::Reset(connection)
            }
        };
        self.steps.push(step);
    }
}
