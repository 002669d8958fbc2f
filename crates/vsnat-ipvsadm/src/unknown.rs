//! A service with a scheduler, or an engine of persistence, that nobody knows.

use vsnat_api::{CommandError, ServiceKey, Services};

use crate::fault::Fault;
use crate::{Refusal, refusal_of};

/// A service that is to be added or edited, and a name that cannot be its
/// scheduler or engine.
///
/// IPVS looks for the service first, so the tables decide how it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownScheduler {
    pub(crate) service: ServiceKey,
    pub(crate) change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Edit,
}

impl UnknownScheduler {
    /// What ipvsadm prints where there are these services.
    pub fn refusal(&self, services: &Services) -> Refusal {
        let mut keys = services.services.iter().map(|service| service.spec.key);
        match (self.change, keys.any(|key| key == self.service)) {
            (Change::Add, true) => refusal_of(&CommandError::ServiceExists),
            (Change::Edit, false) => refusal_of(&CommandError::NoSuchService),
            (Change::Add, false) | (Change::Edit, true) => Fault::UnknownScheduler.into(),
        }
    }
}
