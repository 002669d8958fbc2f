//! What the tables shall hold, from a file or as it runs.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vsnat_api::{MarkRule, ServiceKey, ServiceView, Setting, SettingName, Timeouts};

use crate::{DEFAULT_TIMEOUTS, DesiredService};

/// Everything that commands change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// In the order in which they are to be added.
    pub services: Vec<DesiredService>,
    pub deny: Vec<IpNet>,
    /// In the order in which they are tried.
    #[serde(default)]
    pub marks: Vec<MarkRule>,
    /// Those that differ from their defaults.
    #[serde(default)]
    pub settings: Vec<Setting>,
    #[serde(default = "default_timeouts")]
    pub timeouts: Timeouts,
}

impl Default for Desired {
    /// What a data plane holds that nobody has told anything.
    fn default() -> Self {
        Desired {
            services: Vec::new(),
            deny: Vec::new(),
            marks: Vec::new(),
            settings: Vec::new(),
            timeouts: DEFAULT_TIMEOUTS,
        }
    }
}

/// What a data plane tells of itself.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    pub services: &'a [ServiceView],
    pub deny: &'a [IpNet],
    pub marks: &'a [MarkRule],
    pub settings: &'a [Setting],
    pub timeouts: Timeouts,
}

impl Desired {
    /// What runs, as a wish: oldest service and oldest server first.
    pub fn of_running(running: Running) -> Self {
        let services = running.services.iter().map(|view| DesiredService {
            spec: view.spec,
            servers: view
                .servers
                .iter()
                .rev()
                .map(|server| server.spec)
                .collect(),
        });
        Desired {
            services: services.collect(),
            deny: running.deny.to_vec(),
            marks: running.marks.to_vec(),
            settings: unlike_default(running.settings),
            timeouts: running.timeouts,
        }
    }

    /// The value of a setting, its default where nothing is said.
    pub fn setting(&self, name: SettingName) -> u32 {
        let named = self.settings.iter().find(|setting| setting.name() == name);
        named.map_or(name.default_value(), |setting| setting.value())
    }

    /// The services by what they are found by: there may be thousands.
    pub(crate) fn by_key(&self) -> BTreeMap<ServiceKey, &DesiredService> {
        let services = self.services.iter();
        services
            .map(|service| (service.spec.key, service))
            .collect()
    }
}

pub(crate) fn unlike_default(settings: &[Setting]) -> Vec<Setting> {
    let is_unlike = |setting: &Setting| setting.value() != setting.name().default_value();
    let unlike = settings.iter().copied().filter(is_unlike);
    unlike.collect()
}

const fn default_timeouts() -> Timeouts {
    DEFAULT_TIMEOUTS
}
