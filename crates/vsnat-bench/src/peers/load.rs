//! The clients' side of a turn: the load of a row, and what the machine did meanwhile.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use vsnat_lab::{CLIENTS, Cancel, Namespace};
use vsnat_load::{
    Amount, AtEnd, Connections, Drive, ExpectedLength, HttpPlan, HttpRequest, LoadPlan, LoadResult,
    Observer, Sources, UdpPlan,
};

use super::PeersError;
use super::machine;
use super::network::Network;
use super::peer::Peer;
use super::report::Run;
use super::rows::{Manner, Row};

/// A second of packets sent again and again: what takes longer was lost.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The clients, who go on with their ports from run to run: one used again soon would
/// be a connection that is still known, and no new one.
#[derive(Debug)]
pub struct Clients {
    namespace: Namespace,
    sources: Sources,
    cancel: Cancel,
}

impl Clients {
    pub fn new(network: &Network, cancel: &Cancel) -> Self {
        Clients {
            namespace: network.client(),
            sources: Sources::ports_in_turn(&CLIENTS.map(IpAddr::from)),
            cancel: cancel.clone(),
        }
    }

    /// Loads a peer with a row for some time. Requests under way at the end count as
    /// neither answered nor failed.
    pub fn run(
        &self,
        network: &Network,
        peer: Peer,
        row: Row,
        time: Duration,
    ) -> Result<Turn, PeersError> {
        let targets = peer.targets(row.manner, network);
        let load = self.plan(
            targets.into_iter().map(SocketAddr::from).collect(),
            row,
            time,
        );
        let packets = network.server_packets()?;
        let before_us = machine::busy_us()?;
        let result = self.namespace.run(|| self.send(load, row))??;
        let busy_us = machine::busy_us()?.saturating_sub(before_us);
        self.cancel.check()?;
        let now = network.server_packets()?.into_iter().zip(packets);
        let server_packets = now
            .map(|(now, before)| now.saturating_sub(before))
            .collect();
        Ok(Turn {
            result,
            busy_us,
            server_packets,
        })
    }

    fn plan(&self, targets: Vec<SocketAddr>, row: Row, time: Duration) -> LoadPlan {
        let drive = Drive::Closed {
            connections: row.connections.into(),
        };
        LoadPlan {
            connections: match row.manner {
                Manner::PerRequest => Connections::OnePerRequest,
                Manner::KeepAlive | Manner::Udp => Connections::KeptAlive,
            },
            timeout: TIMEOUT,
            at_end: AtEnd::Cut,
            sources: self.sources.clone(),
            ..LoadPlan::new(targets, drive, Amount::Time(time))
        }
    }

    fn send(&self, load: LoadPlan, row: Row) -> Result<LoadResult, PeersError> {
        let observer = UntilCancelled(&self.cancel);
        let result = match row.manner {
            Manner::Udp => {
                let plan = UdpPlan::new(load, row.document.bytes() as usize);
                vsnat_load::run_udp(&plan, &observer)
            }
            Manner::KeepAlive | Manner::PerRequest => {
                let request = HttpRequest {
                    host: "bench".to_owned(),
                    path: format!("/{}", row.document.file()),
                };
                let mut plan = HttpPlan::new(load, request);
                plan.length = ExpectedLength::Exactly(row.document.bytes().into());
                vsnat_load::run_http(&plan, &observer)
            }
        };
        Ok(result?)
    }
}

/// What came of a peer's turn.
#[derive(Debug)]
pub struct Turn {
    result: LoadResult,
    busy_us: u64,
    server_packets: Vec<u64>,
}

impl Turn {
    pub fn told(self, peer: Peer, repetition: u32) -> Run {
        let result = &self.result;
        let latency_us = |share| result.total.at(share).as_secs_f64() * 1e6;
        Run {
            peer,
            repetition,
            seconds: result.elapsed.as_secs_f64(),
            requests: result.complete,
            failed: result.failures.total(),
            first_failure: result.first_failure.clone(),
            requests_per_s: result.requests_per_s(),
            bytes_per_s: result.bytes_per_s(),
            p50_us: latency_us(0.5),
            p99_us: latency_us(0.99),
            p999_us: latency_us(0.999),
            busy_us_per_request: self.busy_us as f64 / result.complete as f64,
            server_packets: self.server_packets,
        }
    }
}

struct UntilCancelled<'a>(&'a Cancel);

impl Observer for UntilCancelled<'_> {
    fn is_over(&self) -> bool {
        self.0.is_raised()
    }
}
