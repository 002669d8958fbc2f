//! Machines with a lease become servers: the director looks who is there, asks
//! whether it serves, and puts it in or takes it out.
//!
//! Who ought to serve follows from the leases and the file alone ([`candidate`]),
//! when he does from the answers to his checks ([`member`]). Nothing of it is
//! stored: a daemon that takes over finds the leases on the disk and the servers
//! in the tables, and goes on from there.

mod candidate;
mod checker;
mod growth;
mod member;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vsnat_api::{Command, ServerSpec, ServerStandings, ServiceKey, Services};
use vsnat_config::{DesiredService, Enrolment};

use crate::dhcp::Dhcp;
use crate::engine::{Engine, Gone};

use candidate::{Candidate, Presence};
use checker::{Checker, TcpConnect};
use member::{Change, Finding, Member};

/// A server that is plugged in serves within two seconds of being ready.
const PERIOD: Duration = Duration::from_secs(2);

/// Checks under way at once: each takes a socket, and a pool may be full of
/// machines that do not answer.
const CHECKS_AT_ONCE: usize = 64;

/// A server of a service.
type Place = (ServiceKey, SocketAddr);

/// Which machines are servers by enrolment, and why.
#[derive(Debug)]
pub(crate) struct Enrol {
    rules: Vec<Enrolment>,
    /// Servers that the file names: they are not ours to take out.
    fixed: BTreeSet<Place>,
    members: Mutex<BTreeMap<Place, Member>>,
}

impl Enrol {
    pub fn new(rules: Vec<Enrolment>, services: &[DesiredService]) -> Self {
        let fixed = services.iter().flat_map(|service| {
            let servers = service.servers.iter();
            servers.map(|server| (service.spec.key, server.address))
        });
        Enrol {
            rules,
            fixed: fixed.collect(),
            members: Mutex::default(),
        }
    }

    /// Looks and acts until the director ends.
    pub async fn run(self: Arc<Self>, engine: Arc<Engine>, dhcp: Arc<Dhcp>) {
        if self.rules.is_empty() {
            return;
        }
        let checker = Arc::new(TcpConnect);
        loop {
            if self.turn(&engine, &dhcp, &checker).await.is_err() {
                return;
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Every server and why it is in or out.
    pub fn standings(&self, services: &Services) -> ServerStandings {
        standing::of(services, &self.fixed, &self.locked(), Instant::now())
    }

    async fn turn<C: Checker>(
        &self,
        engine: &Arc<Engine>,
        dhcp: &Arc<Dhcp>,
        checker: &Arc<C>,
    ) -> Result<(), Gone> {
        let asked = Arc::clone(dhcp);
        let leases = tokio::task::spawn_blocking(move || asked.leases()).await;
        let leases = leases.map_err(|_| Gone)?.leases;
        let mut candidates = candidate::of(&leases, &self.rules);
        candidates.retain(|place, _| !self.fixed.contains(place));
        let findings = found(&candidates, checker).await;
        let running = engine.blocking(Engine::services).await?;
        let running = places(&running);
        let commands = self.judge(candidates, findings, &running);
        if commands.is_empty() {
            return Ok(());
        }
        let applied = engine.blocking(move |engine| {
            let results = engine.apply(&commands)?;
            Ok(commands.into_iter().zip(results).collect::<Vec<_>>())
        });
        for (command, result) in applied.await? {
            if let Err(error) = result {
                let what = vsnat_config::describe(&command);
                tracing::error!("enrolment: \"{what}\" is refused: {error}");
            }
        }
        Ok(())
    }

    /// What the findings of a turn change.
    fn judge(
        &self,
        candidates: BTreeMap<Place, Candidate>,
        mut findings: BTreeMap<Place, Finding>,
        running: &BTreeMap<Place, ServerSpec>,
    ) -> Vec<Command> {
        let now = Instant::now();
        let mut members = self.locked();
        // One that nobody knows any more has left for good.
        let gone = members
            .keys()
            .filter(|place| !candidates.contains_key(place));
        for place in gone.copied().collect::<Vec<_>>() {
            findings.insert(place, Finding::NoLease);
        }
        for (place, candidate) in &candidates {
            let weight = running.get(place).map(|server| server.weight);
            let member = members
                .entry(*place)
                .or_insert_with(|| Member::new(candidate, weight, now));
            member.weight = candidate.weight;
        }
        let mut commands = Vec::new();
        for (place, finding) in findings {
            let Some(member) = members.get_mut(&place) else {
                continue;
            };
            let runs = running.get(&place);
            let change = member.judge(finding, runs.is_some(), now);
            let (service, address) = place;
            match change {
                None => {
                    let Some(server) = runs.filter(|_| member.is_in()) else {
                        continue;
                    };
                    if let Some(weight) = member.grow(server.weight, now) {
                        let server = ServerSpec { weight, ..*server };
                        commands.push(Command::EditServer { service, server });
                    }
                }
                Some(Change::Join) => {
                    tracing::info!("{address} joins {service}: {}", member.came_by);
                    let server = ServerSpec::new(address, member.first_weight());
                    commands.push(Command::AddServer { service, server });
                }
                Some(Change::Leave) => {
                    tracing::info!("{address} leaves {service}: {}", member.why);
                    commands.push(Command::DeleteServer { service, address });
                }
            }
        }
        members.retain(|place, member| candidates.contains_key(place) || member.is_in());
        commands
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Place, Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks all of those that have a lease.
async fn found<C: Checker>(
    candidates: &BTreeMap<Place, Candidate>,
    checker: &Arc<C>,
) -> BTreeMap<Place, Finding> {
    let mut findings = BTreeMap::new();
    let mut checks = JoinSet::new();
    let limit = Arc::new(Semaphore::new(CHECKS_AT_ONCE));
    for (place, candidate) in candidates {
        match candidate.presence {
            Presence::Gone => {
                findings.insert(*place, Finding::NoLease);
            }
            Presence::Here => {
                let (place, checker, limit) = (*place, Arc::clone(checker), Arc::clone(&limit));
                checks.spawn(async move {
                    // Nobody closes it.
                    let _permit = limit.acquire().await;
                    (place, checker.check(place.1).await)
                });
            }
        }
    }
    while let Some(checked) = checks.join_next().await {
        // A check that panicked has found nothing.
        if let Ok((place, result)) = checked {
            let finding = match result {
                Ok(()) => Finding::Serves,
                Err(why) => Finding::Fails(why),
            };
            findings.insert(place, finding);
        }
    }
    findings
}

fn places(services: &Services) -> BTreeMap<Place, ServerSpec> {
    let places = services.services.iter().flat_map(|service| {
        let servers = service.servers.iter();
        servers.map(|server| ((service.spec.key, server.spec.address), server.spec))
    });
    places.collect()
}
