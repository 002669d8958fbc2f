//! Rules that bind several options of a line.
//!
//! The first ones are ipvsadm's own. The last are those of the kernel that can
//! be judged from the line alone.

use std::str::FromStr;

use vsnat_api::{Protocol, Scheduler, SchedulerFlags};

use crate::fault::Fault;
use crate::line::{Line, Service};
use crate::table::{CommandId, OptionId};

/// IPVS's name of a service without a scheduler, which serves nobody.
const NO_SCHEDULER: &str = "none";

/// ipvsadm's default.
const DEFAULT_SCHEDULER: Scheduler = Scheduler::Wlc;

/// The only persistence engine there is.
const ENGINE: &str = "sip";

/// Options of a tunnel type: needed, and allowed as one of several.
struct Tunnel {
    name: &'static str,
    needed: &'static [(OptionId, &'static str)],
    one_of: &'static [(OptionId, &'static str)],
}

const TUN_PORT: (OptionId, &str) = (OptionId::TunPort, "tun-port");
const TUN_NOCSUM: (OptionId, &str) = (OptionId::TunNocsum, "tun-nocsum");
const TUN_CSUM: (OptionId, &str) = (OptionId::TunCsum, "tun-csum");
const TUN_REMCSUM: (OptionId, &str) = (OptionId::TunRemcsum, "tun-remcsum");
const TUNNEL_OPTIONS: &[(OptionId, &str)] = &[TUN_PORT, TUN_NOCSUM, TUN_CSUM, TUN_REMCSUM];

const TUNNELS: &[Tunnel] = &[
    Tunnel {
        name: "ipip",
        needed: &[],
        one_of: &[],
    },
    Tunnel {
        name: "gue",
        needed: &[TUN_PORT],
        one_of: &[TUN_NOCSUM, TUN_CSUM, TUN_REMCSUM],
    },
    Tunnel {
        name: "gre",
        needed: &[],
        one_of: &[TUN_NOCSUM, TUN_CSUM],
    },
];

impl Line<'_> {
    pub(crate) fn check_values(&self, command: CommandId) -> Result<(), Fault> {
        match command {
            CommandId::AddService | CommandId::EditService => self.check_service(),
            CommandId::AddServer | CommandId::EditServer => self.check_server(),
            CommandId::DeleteService
            | CommandId::Clear
            | CommandId::Restore
            | CommandId::Save
            | CommandId::DeleteServer
            | CommandId::List
            | CommandId::Zero
            | CommandId::Set
            | CommandId::StartDaemon
            | CommandId::StopDaemon
            | CommandId::Help
            | CommandId::Version => Ok(()),
        }
    }

    /// The scheduler of the line, unless IPVS knows none of that name, or no
    /// such engine. One that only the director lacks is noted.
    pub(crate) fn scheduler(&mut self) -> Option<Scheduler> {
        if self.engine.is_some_and(|engine| engine != ENGINE) {
            return None;
        }
        match self.scheduler {
            "" => Some(DEFAULT_SCHEDULER),
            NO_SCHEDULER => {
                self.note(format!("-s {NO_SCHEDULER}"));
                Some(DEFAULT_SCHEDULER)
            }
            name => Scheduler::from_str(name).ok(),
        }
    }

    fn check_service(&self) -> Result<(), Fault> {
        if let Some(Service::Address { protocol, port, .. }) = self.service {
            if port == 0 && !self.given.has(OptionId::Persistent) {
                return Err(Fault::ZeroPort);
            }
            if protocol != Protocol::Udp && self.given.has(OptionId::Ops) {
                return Err(Fault::OnePacketNotUdp);
            }
        }
        Ok(())
    }

    /// The flags of the line, each fit for the scheduler.
    pub(crate) fn scheduler_flags(&self) -> Result<SchedulerFlags, Fault> {
        let words = self.scheduler_flags.split(',');
        let mut flags = SchedulerFlags::default();
        for flag in words.filter(|flag| !flag.is_empty()) {
            let (scheduler, bit) = match flag {
                "flag-1" => (self.scheduler, SchedulerFlags::FALLBACK),
                "flag-2" => (self.scheduler, SchedulerFlags::PORT),
                "flag-3" => (self.scheduler, SchedulerFlags::THIRD),
                "sh-fallback" => ("sh", SchedulerFlags::FALLBACK),
                "sh-port" => ("sh", SchedulerFlags::PORT),
                "mh-fallback" => ("mh", SchedulerFlags::FALLBACK),
                "mh-port" => ("mh", SchedulerFlags::PORT),
                _ => {
                    return Err(Fault::UnknownFlag {
                        flag: flag.to_owned(),
                    });
                }
            };
            if self.scheduler != scheduler {
                return Err(Fault::IncompatibleFlag {
                    flag: flag.to_owned(),
                });
            }
            flags = flags.with(bit);
        }
        Ok(flags)
    }

    fn check_server(&self) -> Result<(), Fault> {
        let tunneling = self.given.has(OptionId::Ipip);
        // Unlike IPVS the director translates between the families, but for
        // marks, whose packets may be of any address.
        let has_address = matches!(self.service, Some(Service::Address { .. }));
        let translated = has_address && self.given.has(OptionId::Masquerading);
        if let (Some(service), Some(server)) = (self.service, self.server)
            && service.family() != server.host.into()
            && !tunneling
            && !translated
        {
            return Err(Fault::MixedFamilies);
        }
        if tunneling {
            self.check_tunnel()?;
        } else if self.given.has(OptionId::TunType) || !self.tunnel_options().is_empty() {
            return Err(Fault::TunnelOptions);
        }
        Ok(())
    }

    fn tunnel_options(&self) -> Vec<(OptionId, &'static str)> {
        let options = TUNNEL_OPTIONS.iter().copied();
        options
            .filter(|(option, _)| self.given.has(*option))
            .collect()
    }

    fn check_tunnel(&self) -> Result<(), Fault> {
        let Some(rules) = TUNNELS.iter().find(|tunnel| tunnel.name == self.tunnel) else {
            return Err(Fault::Value {
                what: "tunnel type",
            });
        };
        let tunnel = rules.name;
        for (needed, option) in rules.needed {
            if !self.given.has(*needed) {
                return Err(Fault::TunnelMissing { option, tunnel });
            }
        }
        let mut exclusive = None;
        for given in self.tunnel_options() {
            let option = given.1;
            if rules.needed.contains(&given) {
                continue;
            }
            if !rules.one_of.contains(&given) {
                return Err(Fault::TunnelIllegal { option, tunnel });
            }
            if let Some(other) = exclusive.replace(option) {
                return Err(Fault::TunnelConflict {
                    option,
                    other,
                    tunnel,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{NoNames, parse};

    fn refusal(line: &str) -> (u8, String) {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let refusal = parse(&args, &NoNames).expect_err(line);
        (refusal.exit_code, refusal.to_string())
    }

    #[test]
    fn rules_of_ipvsadm_come_before_what_is_not_supported_yet() {
        let cases = [
            (
                "-A -t 1.1.1.1:80 -o",
                "One-Packet Scheduling is only for UDP virtual services",
            ),
            ("-A -6 -f 1", "-6 used before -f"),
            ("-L -6", "-6 used before -f"),
            (
                "-A --sctp-service 1.1.1.1:80 -o",
                "One-Packet Scheduling is only for UDP virtual services",
            ),
            ("-A -t [::1]:80 -p -M 0", "illegal ipv6 netmask specified"),
            ("-A -f 1 -6 -M 129", "illegal ipv6 netmask specified"),
            (
                "-a -f 1 -6 -r 10.0.0.1 -m",
                "Different address family is allowed only for tunneling servers",
            ),
            (
                "--start-daemon master --mcast-group 10.0.0.1",
                "invalid IPv4 mcast-group `10.0.0.1'",
            ),
            (
                "--start-daemon master --mcast-group ::1",
                "invalid IPv6 mcast-group `::1'",
            ),
            (
                "--start-daemon master --pe x",
                "Illegal 'pe' option with the 'start-daemon' command",
            ),
            (
                "--stop-daemon backup --mcast-interface eth0",
                "Illegal 'mcast-interface' option with the 'stop-daemon' command",
            ),
            (
                "-L --timeout --thresholds",
                "options conflicts in the list command",
            ),
            (
                "-L --timeout --persistent-conn",
                "options conflicts in the list command",
            ),
            (
                "-L --daemon --stats",
                "options conflicts in the list command",
            ),
            (
                "-L --daemon -f 5",
                "The option 'daemon' conflicts with the 'service-address' option in the 'list' \
                 command",
            ),
            (
                "--set 1 2 3 -n",
                "Illegal 'numeric' option with the 'set' command",
            ),
            (
                "--set 2678400 1 2678401",
                "invalid timeout value `2678401' specified",
            ),
            (
                "-a -t 1.1.1.1:80 -r 1.1.1.2 -m -x 2147483648",
                "illegal u_threshold specified",
            ),
            (
                "-A -t 1.1.1.1:80 -b sh-port -s wrr",
                "incompatible scheduler flag `sh-port'",
            ),
            ("-A -t 1.1.1.1:80 -p 1 -b x", "invalid scheduler flag `x'"),
            (
                "-a -t 1.1.1.1:80 -r [fd00::1]:80",
                "Different address family is allowed only for tunneling servers",
            ),
            (
                "-a -t 1.1.1.1:80 -r 1.1.1.2 -g --tun-csum",
                "Tunnel options conflict with forward method",
            ),
            (
                "-a -t 1.1.1.1:80 -r 1.1.1.2 -i --tun-csum",
                "Illegal 'tun-csum' option with the 'ipip' tunnel type",
            ),
            (
                "-a -t 1.1.1.1:80 -r 1.1.1.2 -i --tun-type gre --tun-csum --tun-nocsum",
                "The option 'tun-csum' conflicts with the 'tun-nocsum' option in the 'gre' tunnel \
                 type",
            ),
            (
                "-L -c -t 1.1.1.1:80",
                "The option 'service-address' conflicts with the 'connection' option in the \
                 'list' command",
            ),
            (
                "-L --daemon --persistent-conn",
                "options conflicts in the list command",
            ),
            (
                "--stop-daemon master -n",
                "Illegal 'numeric' option with the 'stop-daemon' command",
            ),
            (
                "-A -t 1.1.1.1:80 --stop-daemon master",
                "invalid option `master'",
            ),
        ];
        for (line, message) in cases {
            assert_eq!(refusal(line), (2, message.to_owned()), "{line}");
        }
    }

    #[test]
    fn what_is_not_supported_yet_is_named_in_one_line() {
        let cases = [
            ("-A -t 1.1.1.1:80 -s none", "-s none"),
            ("-A -f 1 -6", "-6 (marks of IPv6)"),
            ("-A -t [fd00::1]:80 -p -s none", "-s none"),
            ("-A -u 1.1.1.1:80 -p --pe sip", "--pe (persistence engines)"),
            (
                "--start-daemon backup --syncid 9",
                "--start-daemon (connection synchronisation) and \
              --syncid (connection synchronisation)",
            ),
        ];
        for (line, what) in cases {
            let message = format!("vsnat does not support {what} yet");
            assert_eq!(refusal(line), (2, message), "{line}");
        }
    }
}
