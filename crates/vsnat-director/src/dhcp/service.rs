//! The thread that serves: packets in, leases to the disk, answers out.
//!
//! All messages that have come are answered together, with one write to the disk
//! for their leases: that is what a thousand exchanges a second need, and no
//! client is told what is not on the disk.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use vsnat_dhcp::{
    Action, Answer, Arrival, Event, Folder, Lease, Link, ProbeResult, Request, Server, Store,
};

use super::clock::Clock;
use super::frame::Datagram;
use super::ping::Pinger;
use super::port::{FRAME, Port};

/// Messages of one interface that are answered together, so that a flood on one
/// does not keep the others waiting.
const BATCH: usize = 64;

/// An interface that was made anew serves after so long.
const LOOK: Duration = Duration::from_secs(1);

/// Events of leases are told so often a second; a flood of clients would fill
/// the log. The counters have all of them.
const TOLD_A_SECOND: u32 = 20;

pub(super) struct Service {
    pub server: Arc<Mutex<Server>>,
    pub store: Store<Folder>,
    pub ports: Vec<Port>,
    pub pinger: Pinger,
    pub clock: Clock,
    pub stop: Arc<EventFd>,
}

/// What has to be done for a batch of messages.
#[derive(Default)]
struct Work {
    writes: Vec<Lease>,
    answers: Vec<Answer>,
    probes: Vec<Ipv4Addr>,
    events: Vec<Event>,
}

/// What changes from one turn to the next.
struct Moods {
    looked: Instant,
    told: u32,
    untold: u64,
    /// The last failure of each kind, so that it is told once.
    failures: HashMap<String, String>,
}

/// A thread that panicked leaves no lease half written: they are replaced whole.
pub(super) fn locked(server: &Mutex<Server>) -> MutexGuard<'_, Server> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    /// Returns when it is told to stop.
    pub fn run(mut self) {
        let mut moods = Moods {
            looked: Instant::now(),
            told: 0,
            untold: 0,
            failures: HashMap::new(),
        };
        loop {
            match self.wait(moods.looked + LOOK) {
                Ok(Woken::ToStop) => return,
                Ok(Woken::ToServe) => {}
                Err(error) => {
                    tracing::error!("DHCP ends, since it cannot wait for packets: {error}");
                    return;
                }
            }
            let work = self.take_in(&mut moods);
            self.carry_out(work, &mut moods);
            if moods.looked.elapsed() >= LOOK {
                self.look(&mut moods);
            }
        }
    }

    fn wait(&self, look: Instant) -> io::Result<Woken> {
        let sockets = self.ports.iter().map(Port::socket);
        let sockets = sockets.chain([self.pinger.socket(), self.stop.as_fd()]);
        let mut fds: Vec<PollFd> = sockets
            .map(|socket| PollFd::new(socket, PollFlags::POLLIN))
            .collect();
        let until = self.pinger.next_end().map_or(look, |end| end.min(look));
        // Rounded up, so that what is waited for is over then.
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let stopped = fds.last().and_then(PollFd::any).unwrap_or(false);
        Ok(match stopped {
            true => Woken::ToStop,
            false => Woken::ToServe,
        })
    }

    /// Everything that has come, answered but not yet sent.
    fn take_in(&mut self, moods: &mut Moods) -> Work {
        let mut work = Work::default();
        let mut server = locked(&self.server);
        let now = self.clock.time();
        for address in self.pinger.answered() {
            work.add(server.probed(address, ProbeResult::Answered, now));
        }
        for address in self.pinger.silent(Instant::now()) {
            work.add(server.probed(address, ProbeResult::Silent, now));
        }
        for (index, port) in self.ports.iter().enumerate() {
            let mut buffer = [0; FRAME];
            for _ in 0..BATCH {
                let frame = match port.receive(&mut buffer) {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    // Gone or down: it is looked at again every second.
                    Err(error) => {
                        moods.failed(&port.interface, &error.to_string());
                        break;
                    }
                };
                work.add(handle(&mut server, port, Link(index), frame, self.clock));
            }
        }
        work
    }

    fn carry_out(&mut self, work: Work, moods: &mut Moods) {
        let Work {
            writes,
            answers,
            probes,
            events,
        } = work;
        if let Err(error) = self.write(&writes) {
            // Their clients ask again.
            moods.failed("leases", &error);
            return;
        }
        if !writes.is_empty() {
            moods.mended("leases");
        }
        for answer in &answers {
            let Some(port) = self.ports.get(answer.link.0) else {
                continue;
            };
            if let Err(error) = port.send(answer) {
                tracing::debug!("{}: no answer to {:?}: {error}", port.interface, answer.to);
            }
        }
        for address in probes {
            self.pinger.ask(address);
        }
        for event in events {
            moods.tell(&event);
        }
    }

    fn write(&mut self, writes: &[Lease]) -> Result<(), String> {
        if writes.is_empty() {
            return Ok(());
        }
        let server = locked(&self.server);
        let (count, all) = server.stored();
        let written = self.store.write(writes, count, all);
        written.map_err(|error| error.to_string())
    }

    /// Takes up interfaces that were made anew.
    fn look(&mut self, moods: &mut Moods) {
        moods.next_second();
        for port in &mut self.ports {
            match port.reopened() {
                None => {}
                Some(Ok(anew)) => {
                    tracing::info!("{} is back; DHCP serves on it", port.interface);
                    moods.mended(&port.interface);
                    *port = anew;
                }
                Some(Err(error)) => moods.failed(&port.interface, &error.to_string()),
            }
        }
    }
}

/// Why the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    ToServe,
    ToStop,
}

fn handle(server: &mut Server, port: &Port, link: Link, frame: &[u8], clock: Clock) -> Vec<Action> {
    let Some(datagram) = Datagram::read(frame) else {
        server.malformed();
        return Vec::new();
    };
    if !port.is_own(datagram.destination) {
        return Vec::new();
    }
    let request = match Request::read(datagram.payload) {
        Ok(request) => request,
        Err(error) => {
            tracing::debug!("{}: from {}: {error}", port.interface, datagram.sender);
            server.malformed();
            return Vec::new();
        }
    };
    let arrival = Arrival {
        link,
        sender: datagram.sender,
        source: datagram.source,
    };
    let actions = server.handle(&request, &arrival, clock.time());
    tracing::debug!(
        "{}: {:?} of {} gets {} actions",
        port.interface,
        request.kind,
        request.client,
        actions.len()
    );
    actions
}

impl Work {
    fn add(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Write(lease) => self.writes.push(lease),
                Action::Send(answer) => self.answers.push(answer),
                Action::Probe(probe) => self.probes.push(probe.address),
                Action::Tell(event) => self.events.push(event),
            }
        }
    }
}

impl Moods {
    fn tell(&mut self, event: &Event) {
        if self.told >= TOLD_A_SECOND {
            self.untold += 1;
            return;
        }
        self.told += 1;
        match event {
            Event::Bound { address, client } => tracing::info!("{address} is leased to {client}"),
            Event::Released { address, client } => {
                tracing::info!("{address} was given back by {client}");
            }
            Event::InUse { address } => tracing::warn!(
                "{address} is in use by a host without a lease; it is given to nobody for a while"
            ),
            Event::ReservationHeld { address, client } => tracing::warn!(
                "{address} is reserved for {client}, but held by another; it is offered when free"
            ),
            Event::Exhausted { network } => tracing::warn!(
                "no address of {network} is left; clients without one are not answered: enlarge \
                 its pools, or see who has them by `vsnat dhcp leases`"
            ),
        }
    }

    fn next_second(&mut self) {
        self.looked = Instant::now();
        self.told = 0;
        if self.untold > 0 {
            tracing::info!("and {} more changes of leases", self.untold);
            self.untold = 0;
        }
    }

    fn failed(&mut self, what: &str, error: &str) {
        let last = self.failures.insert(what.to_owned(), error.to_owned());
        if last.as_deref() != Some(error) {
            tracing::error!("DHCP, {what}: {error}; trying again");
        }
    }

    fn mended(&mut self, what: &str) {
        if self.failures.remove(what).is_some() {
            tracing::info!("DHCP, {what}: it works again");
        }
    }
}
