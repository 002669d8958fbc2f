//! A few lines of IPVS: which server its schedulers pick.
//!
//! Written from the rules and not from our packet path, step by step where
//! that one prepares tables, so that a mistake in one is not in the other.

use vsnat_api::Scheduler;

/// What an administrator says of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub weight: u32,
    pub upper: u32,
    pub lower: u32,
}

struct Server {
    limits: Limits,
    connections: u32,
    overloaded: bool,
}

impl Server {
    fn works(&self) -> bool {
        self.limits.weight > 0 && !self.overloaded
    }
}

/// What may come of a pick.
#[derive(Clone, Debug)]
pub enum Allowed {
    This(Option<usize>),
    /// Or none.
    OneOf(Vec<usize>),
}

/// One service and its servers, whose connections are all active.
pub struct Director {
    scheduler: Scheduler,
    /// In the order in which they were added; schedulers see the newest first.
    servers: Vec<Server>,
    /// `rr` and `wrr`: the server used last; `None` is the head of the list.
    last: Option<usize>,
    current: i64,
    largest: i64,
    step: i64,
    /// `lblc`: the server of the one destination.
    remembered: Option<usize>,
}

impl Director {
    pub fn new(scheduler: Scheduler) -> Self {
        Director {
            scheduler,
            servers: Vec::new(),
            last: None,
            current: 0,
            largest: 0,
            step: 1,
            remembered: None,
        }
    }

    pub fn servers(&self) -> usize {
        self.servers.len()
    }

    pub fn add(&mut self, limits: Limits) {
        self.servers.push(Server {
            limits,
            connections: 0,
            overloaded: false,
        });
        self.settle();
    }

    pub fn edit(&mut self, server: usize, limits: Limits) {
        let edited = &mut self.servers[server];
        if limits.upper == 0 || limits.upper > edited.limits.upper {
            edited.overloaded = false;
        }
        edited.limits = limits;
        self.settle();
    }

    pub fn begin(&mut self, server: usize) {
        self.remembered = Some(server);
        let busy = &mut self.servers[server];
        busy.connections += 1;
        if busy.limits.upper != 0 && busy.connections >= busy.limits.upper {
            busy.overloaded = true;
        }
    }

    pub fn end(&mut self, server: usize) {
        let busy = &mut self.servers[server];
        busy.connections -= 1;
        let Limits { upper, lower, .. } = busy.limits;
        let room = match (lower, upper) {
            (0, 0) => true,
            (0, upper) => busy.connections * 4 < upper * 3,
            (lower, _) => busy.connections < lower,
        };
        if room {
            busy.overloaded = false;
        }
    }

    pub fn pick(&mut self) -> Allowed {
        let this = match self.scheduler {
            Scheduler::Rr => self.next(),
            Scheduler::Wrr => self.next_weighted(),
            Scheduler::Lc => self.least(|server| (257 * u64::from(server.connections), 1)),
            Scheduler::Wlc => self.least(|server| {
                let weight = u64::from(server.limits.weight);
                (257 * u64::from(server.connections), weight)
            }),
            Scheduler::Sed => self.least(delay),
            Scheduler::Nq => self.idle().or_else(|| self.least(delay)),
            Scheduler::Fo => self.heaviest(|_| true),
            Scheduler::Ovf => self.heaviest(|server| server.connections <= server.limits.weight),
            Scheduler::Twos | Scheduler::Sh | Scheduler::Dh | Scheduler::Mh | Scheduler::Lblcr => {
                return Allowed::OneOf(self.working().collect());
            }
            Scheduler::Lblc => return Allowed::OneOf(self.working_or_remembered()),
        };
        Allowed::This(this)
    }

    fn newest_first(&self) -> impl Iterator<Item = usize> {
        (0..self.servers.len()).rev()
    }

    fn working(&self) -> impl Iterator<Item = usize> {
        self.newest_first().filter(|at| self.servers[*at].works())
    }

    /// `lblc` does not ask whether the server it remembers has enough.
    fn working_or_remembered(&self) -> Vec<usize> {
        let remembered = self.remembered;
        let remembered = remembered.filter(|at| self.servers[*at].limits.weight > 0);
        self.working().chain(remembered).collect()
    }

    fn least(&self, load: impl Fn(&Server) -> (u64, u64)) -> Option<usize> {
        // The first of equals: `min_by` takes it.
        self.working().min_by(|a, b| {
            let (a_load, a_weight) = load(&self.servers[*a]);
            let (b_load, b_weight) = load(&self.servers[*b]);
            (a_load * b_weight).cmp(&(b_load * a_weight))
        })
    }

    fn idle(&self) -> Option<usize> {
        self.working().find(|at| self.servers[*at].connections == 0)
    }

    fn heaviest(&self, may: impl Fn(&Server) -> bool) -> Option<usize> {
        let able = self.working().filter(|at| may(&self.servers[*at]));
        able.min_by_key(|at| std::cmp::Reverse(self.servers[*at].limits.weight))
    }

    /// The servers behind the one used last, and then from the head on.
    fn behind(&self, last: Option<usize>) -> Vec<usize> {
        self.newest_first()
            .filter(|at| last.is_none_or(|last| *at < last))
            .collect()
    }

    fn next(&mut self) -> Option<usize> {
        let around = self
            .behind(self.last)
            .into_iter()
            .chain(self.newest_first());
        let found = around.into_iter().find(|at| self.servers[*at].works())?;
        self.last = Some(found);
        Some(found)
    }

    fn next_weighted(&mut self) -> Option<usize> {
        if self.working().next().is_none() {
            // As it was seen of a kernel.
            if self.last.is_none() || self.current > self.step {
                self.last = None;
                self.current = self.largest;
            }
            return None;
        }
        loop {
            let found = self.behind(self.last).into_iter().find(|at| {
                let server = &self.servers[*at];
                !server.overloaded && i64::from(server.limits.weight) >= self.current
            });
            self.last = found;
            if found.is_some() {
                return found;
            }
            self.current -= self.step;
            if self.current <= 0 {
                self.current = self.largest;
            }
        }
    }

    /// `wrr` begins at the head of the list after every change.
    fn settle(&mut self) {
        if self.scheduler != Scheduler::Wrr {
            return;
        }
        let weights = || self.servers.iter().map(|s| i64::from(s.limits.weight));
        let step = weights().filter(|weight| *weight > 0).fold(0, gcd).max(1);
        self.step = step;
        self.largest = weights().max().unwrap_or(0) - (step - 1);
        self.last = None;
        if self.current > self.largest || self.current == 0 {
            self.current = self.largest;
        } else if step > 1 {
            self.current = self.current / step * step + 1;
        }
    }
}

fn delay(server: &Server) -> (u64, u64) {
    let weight = u64::from(server.limits.weight);
    (u64::from(server.connections) + 1, weight)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
