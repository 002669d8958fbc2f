//! Real clients, each with a script that writes down what it was told.
//!
//! The clients' own scripts would change the resolver of this machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::bench::{Bench, Running, exec};

/// Programs that ask for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Dhclient,
    Udhcpc,
    Dhcpcd,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub address: String,
    pub router: String,
    pub dns: String,
}

impl Program {
    pub const ALL: [Program; 3] = [Program::Dhclient, Program::Udhcpc, Program::Dhcpcd];
}

impl Bench {
    /// Starts a client that stays, and renews.
    pub fn client_on(&self, number: usize, program: Program) -> Running {
        let mut command = match program {
            Program::Dhclient => self.dhclient(number),
            Program::Udhcpc => self.udhcpc(number),
            Program::Dhcpcd => self.dhcpcd(number),
        };
        let log = self.folder.join(format!("client{number}.log"));
        Running::start(&mut command, log)
    }

    /// What the client was told last; none when it has no lease.
    pub fn told(&self, number: usize) -> Option<Told> {
        let text = fs::read_to_string(self.told_file(number)).ok()?;
        let mut words = text.split_whitespace().map(str::to_owned);
        Some(Told {
            address: words.next()?,
            router: words.next()?,
            dns: words.next()?,
        })
    }

    pub fn forget_told(&self, number: usize) {
        let _ = fs::remove_file(self.told_file(number));
    }

    /// In the foreground, with a memory of its lease and a name: `web-0`.
    fn dhclient(&self, number: usize) -> Command {
        let told = self.told_file(number);
        let script = self.script(
            number,
            &format!(
                "case $reason in BOUND|RENEW|REBIND|REBOOT)\n\
                 ip address replace $new_ip_address/$new_subnet_mask dev eth0\n\
                 ip route replace default via $new_routers\n\
                 echo $new_ip_address $new_routers $new_domain_name_servers > {} ;;\nesac\nexit 0\n",
                told.display()
            ),
        );
        let file = |name: &str| self.folder.join(format!("dhclient{number}.{name}"));
        let mut command = exec(&self.client(number), &["dhclient", "-4", "-d", "-v"]);
        command.arg("-sf").arg(script);
        command.arg("-lf").arg(file("leases"));
        command.arg("-pf").arg(file("pid"));
        let config = file("conf");
        fs::write(&config, format!("send host-name \"web-{number}\";\n")).unwrap();
        command.arg("-cf").arg(config).arg("eth0");
        command
    }

    /// It gives its lease back when it ends.
    fn udhcpc(&self, number: usize) -> Command {
        let told = self.told_file(number);
        let script = self.script(
            number,
            &format!(
                "case $1 in bound|renew)\n\
                 ip address replace $ip/$mask dev eth0\n\
                 ip route replace default via $router\n\
                 echo $ip $router $dns > {} ;;\nesac\n",
                told.display()
            ),
        );
        let words = ["busybox", "udhcpc", "-f", "-R", "-i", "eth0", "-s"];
        let mut command = exec(&self.client(number), &words);
        command.arg(script);
        command
    }

    /// In a mount namespace of its own: it has fixed places for its files.
    fn dhcpcd(&self, number: usize) -> Command {
        let told = self.told_file(number);
        let script = self.script(
            number,
            &format!(
                "case $reason in BOUND|RENEW|REBIND|REBOOT)\n\
                 echo $new_ip_address $new_routers $new_domain_name_servers > {} ;;\nesac\n",
                told.display()
            ),
        );
        let config = self.folder.join("dhcpcd.conf");
        fs::write(&config, "option domain_name_servers\n").unwrap();
        let run = format!(
            "mkdir -p /run/dhcpcd && mount -t tmpfs none /var/lib/dhcpcd && \
             mount -t tmpfs none /run/dhcpcd && \
             exec dhcpcd --ipv4only --nobackground --noarp --config {} --script {} eth0",
            config.display(),
            script.display()
        );
        exec(
            &self.client(number),
            &["unshare", "--mount", "sh", "-c", &run],
        )
    }

    fn told_file(&self, number: usize) -> PathBuf {
        self.folder.join(format!("told{number}"))
    }

    fn script(&self, number: usize, text: &str) -> PathBuf {
        let path = self.folder.join(format!("script{number}"));
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }
}
