//! Every server with how it came, since when, and why it is in or out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use vsnat_api::{ServerStanding, ServerStandings, Services, Source, Standing};

use super::Place;
use super::member::Member;

pub(super) fn of(
    services: &Services,
    fixed: &BTreeSet<Place>,
    members: &BTreeMap<Place, Member>,
    now: Instant,
) -> ServerStandings {
    let mut servers = Vec::new();
    for service in &services.services {
        let (key, source) = (service.spec.key, service.spec.source);
        // As they were added: the schedulers see them the other way round.
        for server in service.servers.iter().rev() {
            let place = (key, server.spec.address);
            let came_by = match fixed.contains(&place) {
                true => "file",
                false => "command",
            };
            let mut standing = ServerStanding {
                service: key,
                address: server.spec.address,
                weight: server.spec.weight,
                came_by: came_by.to_owned(),
                standing: Standing::In,
                since_s: None,
                why: "nobody checks it".to_owned(),
                growing: None,
                source,
            };
            if let Some(member) = members.get(&place) {
                standing = of_member(place, member, source, now);
                standing.weight = server.spec.weight;
            }
            servers.push(standing);
        }
        let out = members
            .iter()
            .filter(|((service, _), m)| *service == key && !m.is_in());
        servers.extend(out.map(|(place, member)| of_member(*place, member, source, now)));
    }
    ServerStandings { servers }
}

fn of_member(place: Place, member: &Member, source: Source, now: Instant) -> ServerStanding {
    let (service, address) = place;
    ServerStanding {
        service,
        address,
        weight: member.weight,
        came_by: member.came_by.clone(),
        standing: member.standing,
        since_s: Some(now.saturating_duration_since(member.since).as_secs()),
        why: member.why.clone(),
        growing: member.growth.map(|growth| growth.view(now)),
        source,
    }
}
