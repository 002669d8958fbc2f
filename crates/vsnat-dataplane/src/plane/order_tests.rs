//! The prepared order against IPVS's algorithms, written down step by step.

use proptest::prelude::*;

use super::*;

/// IPVS's two schedulers, with their lists and marks.
struct Ipvs {
    servers: Vec<Listed>,
    /// `rr`: place of the server used last; `wrr`: place of the mark.
    at: Option<usize>,
    current: u64,
}

impl Ipvs {
    fn rr(&mut self) -> Option<u32> {
        let count = self.servers.len();
        let first = self.at.map_or(0, |at| at + 1);
        let place = (0..count)
            .map(|i| (first + i) % count)
            .find(|p| self.servers[*p].weight > 0)?;
        self.at = Some(place);
        Some(self.servers[place].dest)
    }

    fn wrr(&mut self) -> Option<u32> {
        let steps = steps(&self.servers);
        if steps.largest == 0 {
            return None;
        }
        let mut next = self.at.map_or(0, |at| at + 1);
        loop {
            while let Some(server) = self.servers.get(next) {
                if u64::from(server.weight) >= self.current {
                    self.at = Some(next);
                    return Some(server.dest);
                }
                next += 1;
            }
            next = 0;
            self.current = match self.current.checked_sub(steps.step) {
                Some(left) if left > 0 => left,
                _ => steps.largest,
            };
        }
    }

    /// A change of the list, as the kernel's schedulers take it.
    fn change(&mut self, name: Scheduler, servers: Vec<Listed>) {
        let last = self.at.map(|at| self.servers[at].dest);
        let place = |dest: u32| servers.iter().position(|s| s.dest == dest);
        self.at = match name {
            Scheduler::Rr => last.and_then(place),
            _ => None,
        };
        self.servers = servers;
        self.current = settle(self.current, &steps(&self.servers));
    }
}

/// Our side: a view, its ring, and the number of picks.
struct Ours {
    order: Order,
    picks: u64,
}

impl Ours {
    fn pick(&mut self) -> Option<u32> {
        let view = &self.order.view;
        let place = (self.picks + view.start).checked_rem(view.period)?;
        self.picks += 1;
        if view.levels == 0 {
            return Some(Entry::from_raw(self.order.entries[place as usize]).dest());
        }
        let level = (0..view.levels as usize)
            .rev()
            .find(|l| self.order.entries[l * 2] <= place)?;
        let members = Level::from_raw(self.order.entries[level * 2 + 1]);
        let within = (place - self.order.entries[level * 2]) % u64::from(members.servers());
        let at = members.offset() as usize + within as usize;
        Some(Entry::from_raw(self.order.entries[at]).dest())
    }

    fn change(&mut self, name: Scheduler, servers: &[Listed]) {
        let entries = &self.order.entries;
        let standing = standing(&self.order.view, |at| entries[at as usize], self.picks);
        self.order = order(name, servers, standing);
        self.picks = 0;
    }
}

fn server(dest: usize, weight: u32) -> Listed {
    Listed {
        dest: dest as u32,
        weight,
        last_weight: weight,
        address: 0x0a00_0200 + dest as u32,
        port: 80,
    }
}

fn lists() -> impl Strategy<Value = Vec<Vec<Listed>>> {
    let weights = proptest::collection::vec(0u32..8, 0..6);
    let scaled = (weights, 1u32..4).prop_map(|(weights, scale)| {
        let listed = |(dest, weight): (usize, &u32)| server(dest, weight * scale);
        weights.iter().enumerate().map(listed).collect()
    });
    proptest::collection::vec(scaled, 1..5)
}

proptest! {
    #[test]
    fn picks_are_those_of_ipvs(
        lists in lists(),
        picks in proptest::collection::vec(0usize..40, 5),
        rr in any::<bool>(),
    ) {
        let name = if rr { Scheduler::Rr } else { Scheduler::Wrr };
        let mut ipvs = Ipvs { servers: Vec::new(), at: None, current: 0 };
        let mut ours = Ours { order: order(name, &[], Standing::default()), picks: 0 };
        for (list, picks) in lists.into_iter().zip(picks) {
            // A server keeps its identity over a change only while it stays:
            // one that IPVS removes moves its mark, which the caller does.
            let kept = ipvs.at.map(|at| ipvs.servers[at].dest);
            if kept.is_some_and(|dest| list.iter().all(|s| s.dest != dest)) && rr {
                continue;
            }
            ours.change(name, &list);
            ipvs.change(name, list);
            for _ in 0..picks {
                let want = if rr { ipvs.rr() } else { ipvs.wrr() };
                prop_assert_eq!(ours.pick(), want);
            }
        }
    }

    #[test]
    fn a_period_serves_each_server_by_its_weight(
        weights in proptest::collection::vec(0u32..50, 1..20),
    ) {
        let list: Vec<Listed> = weights.iter().enumerate()
            .map(|(dest, weight)| server(dest, *weight)).collect();
        let mut ours = Ours { order: order(Scheduler::Wrr, &list, Standing::default()), picks: 0 };
        let mut served = vec![0u64; weights.len()];
        for _ in 0..ours.order.view.period {
            let dest = ours.pick().unwrap();
            served[dest as usize] += 1;
        }
        let step = steps(&list).step;
        for (served, weight) in served.iter().zip(&weights) {
            prop_assert_eq!(*served, u64::from(*weight) / step);
        }
    }
}
