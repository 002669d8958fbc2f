//! Rates per second, estimated as IPVS does.
//!
//! Every two seconds a quarter of the newest rate replaces a quarter of the
//! old average (`ip_vs_est.c`). The fixed points are IPVS's too, so that the
//! printed numbers round the same way: rates carry 10 binary places, byte
//! rates 5.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use vsnat_api::{Counters, Rates, ServiceKey, ServiceView};

/// Time between two samples: IPVS's; the arithmetic below relies on it.
pub(crate) const PERIOD: Duration = Duration::from_secs(2);

/// Per 2 s → per second with 10 binary places: shift by 9.
const RATE_SHIFT: u32 = 9;
const RATE_PLACES: u32 = 10;
const BYTES_SHIFT: u32 = 4;
const BYTES_PLACES: u32 = 5;

/// A service, or one of its servers.
type Subject = (ServiceKey, Option<SocketAddr>);

/// The averages of everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Estimator {
    estimates: BTreeMap<Subject, Estimate>,
    /// The pass through all services that is under way, and how many subjects
    /// it has met.
    pass: u64,
    met: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Estimate {
    last: Counters,
    /// The pass that met it last.
    pass: u64,
    connections: Average,
    in_packets: Average,
    out_packets: Average,
    in_bytes: Average,
    out_bytes: Average,
}

/// A moving average in fixed point.
#[derive(Clone, Copy, Debug, Default)]
struct Average(i64);

impl Estimator {
    /// Takes the counters of some services; each is in one piece of a period.
    pub fn sample(&mut self, services: &[ServiceView]) {
        for (subject, counters) in subjects(services) {
            let estimate = self.estimates.entry(subject);
            let estimate = estimate.or_insert_with(|| Estimate::starting_at(counters));
            estimate.sample(counters);
            estimate.pass = self.pass;
            self.met += 1;
        }
    }

    /// Ends a period; what was in none of its pieces is forgotten.
    pub fn end_period(&mut self) {
        if self.met != self.estimates.len() {
            let pass = self.pass;
            self.estimates.retain(|_, estimate| estimate.pass == pass);
        }
        self.pass += 1;
        self.met = 0;
    }

    /// Starts again from zero, as setting the counters to zero does.
    pub fn reset(&mut self, service: Option<ServiceKey>) {
        let stays = |(key, _): &Subject| service.is_some_and(|service| service != *key);
        for (subject, estimate) in &mut self.estimates {
            if !stays(subject) {
                *estimate = Estimate::default();
            }
        }
    }

    /// Fills in the rates of a listing.
    pub fn fill(&self, services: &mut [ServiceView]) {
        for service in services {
            let key = service.spec.key;
            service.rates = self.rates((key, None));
            for server in &mut service.servers {
                server.rates = self.rates((key, Some(server.spec.address)));
            }
        }
    }

    fn rates(&self, subject: Subject) -> Rates {
        let estimate = self.estimates.get(&subject);
        estimate.map(Estimate::rates).unwrap_or_default()
    }
}

impl Estimate {
    fn starting_at(counters: Counters) -> Self {
        Estimate {
            last: counters,
            ..Estimate::default()
        }
    }

    fn sample(&mut self, now: Counters) {
        let was_reset = now.connections < self.last.connections
            || now.in_packets < self.last.in_packets
            || now.out_packets < self.last.out_packets;
        if was_reset {
            *self = Estimate::default();
        }
        let last = self.last;
        let rate = |now: u64, last: u64, shift| (now.saturating_sub(last) << shift) as i64;
        self.connections
            .add(rate(now.connections, last.connections, RATE_SHIFT));
        self.in_packets
            .add(rate(now.in_packets, last.in_packets, RATE_SHIFT));
        self.out_packets
            .add(rate(now.out_packets, last.out_packets, RATE_SHIFT));
        self.in_bytes
            .add(rate(now.in_bytes, last.in_bytes, BYTES_SHIFT));
        self.out_bytes
            .add(rate(now.out_bytes, last.out_bytes, BYTES_SHIFT));
        self.last = now;
    }

    fn rates(&self) -> Rates {
        Rates {
            connections: self.connections.rounded(RATE_PLACES),
            in_packets: self.in_packets.rounded(RATE_PLACES),
            out_packets: self.out_packets.rounded(RATE_PLACES),
            in_bytes: self.in_bytes.rounded(BYTES_PLACES),
            out_bytes: self.out_bytes.rounded(BYTES_PLACES),
        }
    }
}

impl Average {
    fn add(&mut self, rate: i64) {
        self.0 += (rate - self.0) >> 2;
    }

    /// Rounded with half of the last place less one unit, as IPVS reads it.
    fn rounded(self, places: u32) -> u64 {
        let half = (1i64 << (places - 1)) - 1;
        ((self.0 + half) >> places).max(0) as u64
    }
}

fn subjects(services: &[ServiceView]) -> impl Iterator<Item = (Subject, Counters)> {
    services.iter().flat_map(|service| {
        let key = service.spec.key;
        let servers = service.servers.iter();
        let servers = servers.map(move |s| ((key, Some(s.spec.address)), s.counters));
        std::iter::once(((key, None), service.counters)).chain(servers)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vsnat_api::{Protocol, Scheduler, ServiceSpec};

    fn service(counters: Counters) -> Vec<ServiceView> {
        let key = ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: "192.168.28.167:80".parse().unwrap(),
        };
        vec![ServiceView {
            spec: ServiceSpec::new(key, Scheduler::Rr),
            counters,
            rates: Rates::default(),
            servers: Vec::new(),
        }]
    }

    fn counters(connections: u64, in_bytes: u64) -> Counters {
        Counters {
            connections,
            in_bytes,
            ..Counters::default()
        }
    }

    fn rates_after(estimator: &Estimator) -> (u64, u64) {
        let mut services = service(Counters::default());
        estimator.fill(&mut services);
        (services[0].rates.connections, services[0].rates.in_bytes)
    }

    #[test]
    fn a_steady_rate_is_approached_by_quarters() {
        let mut estimator = Estimator::default();
        estimator.sample(&service(counters(1_000, 0)));
        estimator.end_period();
        assert_eq!(rates_after(&estimator), (0, 0), "history is no rate");
        let mut seen = Vec::new();
        for period in 1..=4 {
            estimator.sample(&service(counters(1_000 + period * 200, period * 2_000)));
            estimator.end_period();
            seen.push(rates_after(&estimator));
        }
        assert_eq!(seen, [(25, 250), (44, 437), (58, 578), (68, 684)]);
    }

    #[test]
    fn zeroed_counters_start_again() {
        let mut estimator = Estimator::default();
        estimator.sample(&service(counters(0, 0)));
        estimator.sample(&service(counters(4_000, 0)));
        assert_eq!(rates_after(&estimator).0, 500);
        estimator.sample(&service(counters(8, 0)));
        assert_eq!(rates_after(&estimator).0, 1);
        estimator.reset(None);
        assert_eq!(rates_after(&estimator).0, 0);
    }
    #[test]
    fn what_is_gone_for_a_period_is_forgotten() {
        let mut estimator = Estimator::default();
        estimator.sample(&service(counters(0, 0)));
        estimator.end_period();
        estimator.sample(&service(counters(4_000, 0)));
        estimator.end_period();
        assert_eq!(rates_after(&estimator).0, 500);
        estimator.end_period();
        assert!(estimator.estimates.is_empty());
        estimator.sample(&service(counters(5_000, 0)));
        assert_eq!(rates_after(&estimator).0, 0, "history is no rate");
    }
}
