//! A kind of traffic over a chain: checked packet by packet first, then timed.

use std::thread;
use std::time::{Duration, Instant};

use crate::path::chain::Chain;
use crate::path::error::PathError;
use crate::path::frame::{address, read};
use crate::path::row::Row;
use crate::path::socket::{BATCH, Batch};
use crate::path::traffic::{Picks, Side, Traffic};

/// Flows follow each other in steps of this many: what lies side by side in a
/// table is not used side by side. A prime, so that every flow has its turn.
const STRIDE: u64 = 2_654_435_761;

/// For packets that were put off.
const PATIENCE: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(1);

pub struct Lane {
    pub row: Row,
    traffic: Traffic,
    flows: u32,
    batch: Batch,
    /// Packets sent so far.
    turn: u64,
    pub slices_ns: Vec<f64>,
}

impl Lane {
    pub fn new(row: Row, traffic: Traffic, flows: u32) -> Self {
        Lane {
            row,
            traffic,
            flows,
            batch: Batch::new(traffic.frame()),
            turn: 0,
            slices_ns: Vec::new(),
        }
    }

    /// Sends a packet of every flow and looks at each where it arrives. Learns
    /// the servers of the flows.
    pub fn check(&mut self, chain: &Chain, picks: &mut Picks) -> Result<(), PathError> {
        if self.traffic == Traffic::Stray {
            return Ok(());
        }
        let from = self.traffic.from();
        let tap = chain.tap(from.other())?;
        let mut place = [0; 128];
        let mut left = u64::from(self.flows);
        while left > 0 {
            let count = left.min(BATCH as u64);
            self.send(chain, picks, count)?;
            let patience = Instant::now();
            let mut arrived = 0;
            while arrived < count && patience.elapsed() < PATIENCE {
                if let Some(bytes) = tap.next(&mut place)? {
                    self.learn(bytes, picks)?;
                    arrived += 1;
                }
            }
            self.complete(count, arrived)?;
            left -= count;
        }
        Ok(())
    }

    /// Times so many packets, after one of every flow of a short round.
    pub fn slice(
        &mut self,
        chain: &mut Chain,
        picks: &Picks,
        packets: u64,
        warm: u64,
    ) -> Result<(), PathError> {
        self.through(chain, picks, warm)?;
        let lasted = self.through(chain, picks, packets)?;
        let ns = lasted.as_secs_f64() * 1e9 / packets as f64;
        self.slices_ns.push(ns);
        Ok(())
    }

    /// Sends so many packets; tells how long it took until the last was through.
    fn through(
        &mut self,
        chain: &mut Chain,
        picks: &Picks,
        packets: u64,
    ) -> Result<Duration, PathError> {
        let before = self.arrived(chain)?;
        let start = Instant::now();
        self.send(chain, picks, packets)?;
        let deadline = start.elapsed() + PATIENCE;
        loop {
            // Taken first: counting is not part of the path.
            let lasted = start.elapsed();
            let arrived = self.arrived(chain)? - before;
            if arrived == packets {
                return Ok(lasted);
            }
            if lasted > deadline {
                self.complete(packets, arrived)?;
            }
            // The kernel has put the last ones off, to a thread of its own.
            thread::sleep(POLL);
        }
    }

    fn send(&mut self, chain: &Chain, picks: &Picks, packets: u64) -> Result<(), PathError> {
        let sender = chain.sender(self.traffic.from());
        let mut left = packets;
        while left > 0 {
            let count = left.min(BATCH as u64) as usize;
            for frame in &mut self.batch.frames()[..count] {
                let flow = (self.turn.wrapping_mul(STRIDE) % u64::from(self.flows)) as u32;
                let (src, dst) = self.traffic.ends(flow, picks);
                address(frame, src, dst);
                self.turn += 1;
            }
            sender.send(&mut self.batch, count)?;
            left -= count as u64;
        }
        Ok(())
    }

    fn arrived(&self, chain: &mut Chain) -> Result<u64, PathError> {
        match self.traffic {
            Traffic::Stray => chain.entered(),
            Traffic::ToVip | Traffic::ToServers => chain.arrived(Side::Servers),
            Traffic::FromServers | Traffic::FromVip => chain.arrived(Side::Clients),
        }
    }

    fn learn(&self, bytes: &[u8], picks: &mut Picks) -> Result<(), PathError> {
        let wrong = |arrived: String| PathError::Wrong {
            row: self.row.to_string(),
            arrived,
            wanted: self.traffic.wanted().to_owned(),
        };
        let (src, dst) = read(bytes).map_err(wrong)?;
        let Some((flow, server)) = self.traffic.arrived(src, dst) else {
            return Err(wrong(format!("{src} to {dst}")));
        };
        match server {
            Some(server) if self.traffic == Traffic::ToVip => picks.set(flow, server),
            Some(_) | None => {}
        }
        Ok(())
    }

    fn complete(&self, sent: u64, arrived: u64) -> Result<(), PathError> {
        if sent == arrived {
            return Ok(());
        }
        Err(PathError::Lost {
            row: self.row.to_string(),
            sent,
            arrived,
        })
    }
}
