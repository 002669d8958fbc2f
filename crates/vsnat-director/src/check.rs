//! What commands must be like, besides what the tables ask of them.
//!
//! Clients check the same, to tell it better; these are the last to look, so
//! that nobody who speaks to the API directly gets what cannot work.

use vsnat_api::{Command, CommandError, MarkRule, Persistence, Protocol, ServiceSpec};
use vsnat_config::Config;

pub(crate) fn check(command: &Command, config: &Config) -> Result<(), CommandError> {
    let checked = match command {
        Command::AddService(spec) | Command::EditService(spec) => check_service(spec),
        Command::MarkAdd(rule) => check_rule(rule, config),
        Command::DeleteService(_)
        | Command::Clear
        | Command::AddServer { .. }
        | Command::EditServer { .. }
        | Command::DeleteServer { .. }
        | Command::Zero(_)
        | Command::DenyAdd(_)
        | Command::DenyDelete(_)
        | Command::SetTimeouts(_)
        | Command::Set(_)
        | Command::MarkDelete(_) => Ok(()),
    };
    checked.map_err(|message| CommandError::Failed { message })
}

fn check_service(spec: &ServiceSpec) -> Result<(), String> {
    let key = spec.key;
    let longest = Persistence::MAX_TIMEOUT_S;
    match spec.persistence {
        Some(Persistence { timeout_s, .. }) if !(1..=longest).contains(&timeout_s) => {
            return Err(format!(
                "{key} cannot be persistent for {timeout_s} s; give 1 to {longest}"
            ));
        }
        Some(_) => {}
        None if key.address().is_some_and(|address| address.port() == 0) => {
            return Err(format!(
                "{key} is on all ports, and such a service must be persistent"
            ));
        }
        None => {}
    }
    if !spec.may_be_helped() {
        return Err(format!(
            "{key} cannot have FTP's helper; only services of TCP on an address and a port can, whose \
             servers see the clients"
        ));
    }
    match key.protocol() {
        Some(Protocol::Tcp | Protocol::Sctp) if spec.one_packet => Err(format!(
            "{key} cannot be a one-packet service; only those of UDP and by mark can"
        )),
        Some(_) | None => Ok(()),
    }
}

fn check_rule(rule: &MarkRule, config: &Config) -> Result<(), String> {
    let outer = &config.outer;
    match &rule.interface {
        Some(interface) if interface != outer => Err(format!(
            "packets to services come by {outer}, the outer interface, and none that comes by \
             {interface} is marked; name that, or none"
        )),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use vsnat_api::{Helper, Mark, Scheduler, ServiceKey};

    use super::*;

    fn config() -> Config {
        let text = "[director]\nouter = \"eth0\"\ninner = [\"eth1\"]\nvips = [\"192.0.2.1\"]\n";
        vsnat_config::parse("test", text).unwrap()
    }

    fn service(protocol: Protocol, address: &str) -> ServiceSpec {
        let address = address.parse().unwrap();
        ServiceSpec::new(ServiceKey::Address { protocol, address }, Scheduler::Rr)
    }

    #[test]
    fn services_that_cannot_work() {
        let refused = |spec| check(&Command::AddService(spec), &config()).is_err();
        let persistent = |timeout_s| {
            let netmask = Persistence::EVERY_CLIENT;
            Some(Persistence { timeout_s, netmask })
        };
        let web = service(Protocol::Tcp, "192.0.2.1:80");
        assert!(!refused(web));
        for (timeout_s, is_refused) in
            [(0, true), (1, false), (2_678_400, false), (2_678_401, true)]
        {
            let persistence = persistent(timeout_s);
            assert_eq!(refused(ServiceSpec { persistence, ..web }), is_refused);
        }
        let any = service(Protocol::Udp, "192.0.2.1:0");
        assert!(refused(any));
        let persistence = persistent(300);
        assert!(!refused(ServiceSpec { persistence, ..any }));
        let one_packet = true;
        assert!(refused(ServiceSpec { one_packet, ..web }));
        let helper = Some(Helper::Ftp);
        assert!(!refused(ServiceSpec { helper, ..web }));
        assert!(refused(ServiceSpec {
            helper,
            persistence,
            ..any
        }));
        let mark = Mark::new(1).unwrap();
        let marked = ServiceSpec::new(ServiceKey::Mark { mark }, Scheduler::Rr);
        assert!(!refused(ServiceSpec {
            one_packet,
            ..marked
        }));
        assert!(refused(ServiceSpec { helper, ..marked }));
        // FTP's helper speaks as the client, whom such servers do not see.
        let source = vsnat_api::Source::Director;
        assert!(!refused(ServiceSpec { source, ..web }));
        assert!(refused(ServiceSpec {
            source,
            helper,
            ..web
        }));
    }

    #[test]
    fn rules_that_cannot_match() {
        let refused = |interface: Option<&str>| {
            let rule = MarkRule {
                mark: Mark::new(1).unwrap(),
                protocol: None,
                source: None,
                destination: None,
                ports: Vec::new(),
                interface: interface.map(str::to_owned),
            };
            check(&Command::MarkAdd(rule), &config()).is_err()
        };
        assert!(!refused(None));
        assert!(!refused(Some("eth0")));
        assert!(refused(Some("eth1")));
    }
}
