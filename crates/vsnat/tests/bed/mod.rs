//! A cluster with a running director, as the scenarios need it, and the look
//! at everything that must be zero when the last connection has ended.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use vsnat_api::Status;
use vsnat_lab::{Cluster, Director, DirectorOptions, INNER_INTERFACE, LabName, OUTER_INTERFACE};
use vsnat_lab::{Plan, VIP};

/// Scenarios load the whole machine: one at a time, whatever starts them.
static TURN: Mutex<()> = Mutex::new(());

const POLL: Duration = Duration::from_millis(100);

/// What the director of a scenario is told.
pub struct Shape {
    pub servers: usize,
    /// Slots of the connection table.
    pub connections: u32,
    /// Lines of the file's `[timeouts]`.
    pub timeouts: &'static str,
    /// VIPs besides the lab's own, each with its prefix.
    pub more_vips: &'static [&'static str],
}

/// A cluster and its director. Dropping it removes both.
pub struct Bed {
    /// Absent only while a scenario has it dead.
    pub director: Option<Director>,
    pub options: DirectorOptions,
    pub cluster: Cluster,
    _turn: MutexGuard<'static, ()>,
}

/// Connections as ipvsadm counts them, over all servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub active: u64,
    pub inactive: u64,
}

impl Bed {
    pub fn new(lab: &str, shape: &Shape) -> Bed {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let lab = LabName::new(lab).unwrap();
        let plan = Plan {
            servers: shape.servers,
            ..Plan::default()
        };
        let cluster = Cluster::build(&lab, &plan).unwrap();
        let executable = Path::new(env!("CARGO_BIN_EXE_vsnat"));
        let mut options = DirectorOptions::new(executable, &lab);
        options.config = config(shape);
        let director = Director::start(options.clone()).unwrap();
        Bed {
            director: Some(director),
            options,
            cluster,
            _turn: turn,
        }
    }

    pub fn director(&self) -> &Director {
        self.director.as_ref().expect("the director is dead")
    }

    pub fn status(&self) -> Status {
        self.director().status().unwrap()
    }

    /// How often the packet path gave a reason.
    pub fn reason(&self, name: &str) -> u64 {
        let reasons = self.status().reasons;
        let reason = reasons.iter().find(|count| count.reason == name);
        reason.expect("a reason of the packet path").packets
    }

    pub fn ipvsadm(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.director().ipvsadm(&words).unwrap()
    }

    /// Sums the last two columns of ipvsadm's listing.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for line in self.ipvsadm("-Ln").lines().skip(3) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if let ["->", _, "Masq", _, active, inactive] = columns[..] {
                counts.active += active.parse::<u64>().unwrap();
                counts.inactive += inactive.parse::<u64>().unwrap();
            }
        }
        counts
    }

    /// Templates over all servers.
    pub fn templates(&self) -> u64 {
        let listing = self.ipvsadm("-Ln --persistent-conn");
        let columns = listing.lines().skip(3).map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            match columns[..] {
                ["->", _, _weight, persistent, _, _] => persistent.parse::<u64>().unwrap(),
                _ => 0,
            }
        });
        columns.sum()
    }

    /// Waits until all connections but so many have ended.
    pub fn wait_for_live(&self, connections: u32, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            let table = self.status().table;
            if table.live == connections {
                return;
            }
            assert!(Instant::now() < deadline, "not {connections}: {table:?}");
            thread::sleep(POLL);
        }
    }

    /// As [`Bed::assert_at_rest`], where no client is kept at its server: each
    /// connection that was opened has ended once.
    pub fn assert_all_freed(&self, patience: Duration) {
        self.assert_at_rest(patience);
        assert_eq!(self.reason("opened"), self.status().sweeper.expired);
    }

    /// Waits for the last connection and template to end, and for their slots
    /// to be free again. Then nothing may be left of any of them.
    pub fn assert_at_rest(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let resting = || {
            let table = self.status().table;
            table.live + table.dying
        };
        while resting() > 0 {
            if Instant::now() > deadline {
                let left = self.ipvsadm("-Lnc");
                let left: Vec<&str> = left.lines().take(20).collect();
                panic!("connections do not end: {:?}\n{left:#?}", self.status());
            }
            thread::sleep(POLL);
        }
        let status = self.status();
        assert_eq!(status.table.free, status.table.capacity);
        assert_eq!(self.counts(), Counts::default(), "{}", self.ipvsadm("-Ln"));
        assert_eq!(self.templates(), 0);
        println!(
            "{}: all {} slots free, {} expired in {} ticks, the longest {} us",
            self.options.lab,
            status.table.free,
            status.sweeper.expired,
            status.sweeper.ticks,
            status.sweeper.longest_tick_us
        );
    }
}

fn config(shape: &Shape) -> String {
    let own = format!("{VIP}/24");
    let vips: Vec<&str> = std::iter::once(own.as_str())
        .chain(shape.more_vips.iter().copied())
        .collect();
    format!(
        "[director]\nouter = \"{OUTER_INTERFACE}\"\ninner = [\"{INNER_INTERFACE}\"]\n\
         vips = {vips:?}\nmasquerade = true\n\n[limits]\nconnections = {}\n\n[timeouts]\n{}",
        shape.connections, shape.timeouts
    )
}
