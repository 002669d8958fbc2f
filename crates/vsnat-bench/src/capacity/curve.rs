//! The throughput over the number of servers: it rises with each server until
//! something gives out, and then stays.

use super::model::{Answer, LimitKind, Plan};

/// The picture goes on so far behind the first limit, and behind the last one
/// that it shows.
const BEHIND_FIRST: f64 = 1.6;
const BEHIND_LAST: f64 = 1.15;
/// Limits higher than so many times the first are not in the picture: they
/// would flatten the rest.
const HIGHER: f64 = 3.0;
/// Pictures have so many marks on the axis of servers, all at round numbers.
pub const MARKS: u32 = 4;
const ROUND: [f64; 11] = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
/// Room above the highest line of the picture.
const ROOM: f64 = 1.12;

/// Where so many servers fill a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    pub kind: LimitKind,
    /// As it is called in a picture.
    pub name: &'static str,
    pub bytes_per_s: f64,
    pub servers: f64,
    pub whole_servers: u64,
}

/// What a picture shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub first: LimitKind,
    /// Ends of the axes.
    pub servers_end: f64,
    pub bytes_per_s_end: f64,
    /// Of all parts that are in the picture, in their order.
    pub saturations: Vec<Saturation>,
    /// Of the parts that give out far beyond the picture.
    pub beyond: Vec<Saturation>,
    server_bytes_per_s: f64,
    limit_bytes_per_s: f64,
}

impl Curve {
    pub fn new(plan: &Plan, answer: &Answer) -> Self {
        let limit = answer.bytes_per_s;
        let all: Vec<Saturation> = answer
            .limits
            .iter()
            // A single CPU is all of them.
            .filter(|part| part.kind != LimitKind::OneCpu || plan.cpus > 1)
            .map(|part| Saturation {
                kind: part.kind,
                name: name(part.kind, plan.cpus),
                bytes_per_s: part.bytes_per_s,
                servers: part.servers,
                whole_servers: part.whole_servers(),
            })
            .collect();
        let (saturations, beyond): (Vec<Saturation>, Vec<Saturation>) = all
            .into_iter()
            .partition(|part| part.bytes_per_s <= limit * HIGHER);
        let server = plan.server_bytes_per_s.bytes_per_s();
        let shown = saturations.iter().map(|part| part.bytes_per_s);
        let highest = shown.fold(limit, f64::max);
        let last = (limit * BEHIND_FIRST).max(highest * BEHIND_LAST) / server;
        Curve {
            first: answer.first,
            servers_end: f64::from(MARKS) * round_up(last / f64::from(MARKS)),
            bytes_per_s_end: highest * ROOM,
            saturations,
            beyond,
            server_bytes_per_s: server,
            limit_bytes_per_s: limit,
        }
    }

    /// What so many servers get through.
    pub fn bytes_per_s(&self, servers: f64) -> f64 {
        (servers * self.server_bytes_per_s).min(self.limit_bytes_per_s)
    }

    /// Where the curve stops rising.
    pub fn corner(&self) -> (f64, f64) {
        let servers = self.limit_bytes_per_s / self.server_bytes_per_s;
        (servers, self.limit_bytes_per_s)
    }
}

/// The next round number, and a whole one at least.
fn round_up(number: f64) -> f64 {
    let number = number.max(1.0);
    let power = 10_f64.powf(number.log10().floor());
    let rounded = ROUND.into_iter().map(|round| round * power);
    let mut fitting = rounded.filter(|round| *round >= number && round.fract() == 0.0);
    fitting.next().unwrap_or_else(|| number.ceil())
}

const fn name(kind: LimitKind, cpus: u32) -> &'static str {
    match (kind, cpus) {
        (LimitKind::AllCpus, 1) => "the CPU",
        (LimitKind::AllCpus, _) => "all CPUs",
        (LimitKind::OneCpu, _) => "one CPU",
        (LimitKind::OuterLink, _) => "outer link",
        (LimitKind::InnerLink, _) => "inner links",
        (LimitKind::Servers, _) => "the servers",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::{ByteRate, PacketPrice, Traffic};

    fn curve(cpus: u32, outer_link_bits_per_s: f64) -> Curve {
        let plan = Plan {
            price: PacketPrice {
                to_client_ns: 100_000.0,
                to_server_ns: 100_000.0,
            },
            traffic: Traffic {
                packet_bytes: 1_500,
                packets_back: 0.0,
                connection: None,
            },
            cpus,
            outer_link_bytes_per_s: ByteRate::of_bits(outer_link_bits_per_s),
            inner_link_bytes_per_s: None,
            server_bytes_per_s: ByteRate::new(300.0 * 1_024.0).unwrap(),
            servers: None,
        };
        Curve::new(&plan, &plan.answer())
    }

    #[test]
    fn it_rises_until_something_gives_out() {
        let curve = curve(1, 1e9);
        assert_eq!(curve.first, LimitKind::AllCpus);
        assert_eq!(curve.bytes_per_s(10.0), 3_072_000.0);
        assert_eq!(curve.bytes_per_s(48.0), 48.0 * 307_200.0);
        assert_eq!(curve.bytes_per_s(49.0).round(), 15e6);
        let (servers, rate) = curve.corner();
        assert_eq!((servers as u32, rate.round()), (48, 15e6));
        assert_eq!(curve.servers_end, 80.0);
    }

    #[test]
    fn what_is_far_higher_is_told_only() {
        let kinds = |parts: &[Saturation]| -> Vec<LimitKind> {
            parts.iter().map(|part| part.kind).collect()
        };
        let low = curve(2, 100e6);
        let shown = [LimitKind::OuterLink, LimitKind::OneCpu, LimitKind::AllCpus];
        assert_eq!(kinds(&low.saturations), shown);
        assert!(low.beyond.is_empty());
        let high = curve(1, 1e9);
        assert_eq!(kinds(&high.saturations), [LimitKind::AllCpus]);
        assert_eq!(kinds(&high.beyond), [LimitKind::OuterLink]);
    }

    #[test]
    fn marks_are_at_whole_round_numbers() {
        let cases = [
            (0.2, 1.0),
            (1.1, 2.0),
            (2.3, 3.0),
            (19.5, 20.0),
            (63.5, 80.0),
            (1_001.0, 1_200.0),
            (1.1e9, 1.2e9),
        ];
        for (number, round) in cases {
            assert_eq!(round_up(number), round, "{number}");
        }
    }
}
