//! Which programs the other subcommands need from the system, and how they get there.
//!
//! On Debian what is missing is installed, without recommended packages, without
//! removing anything, and never a package that starts a service. Elsewhere the
//! missing programs are listed.

use std::fs;
use std::io::{IsTerminal, stdin};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// What a program is needed for; a subcommand names its own purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The cluster in network namespaces, also for the demo.
    Lab,
    /// The privileged tests.
    Test,
    /// Booting another kernel.
    Kernel,
}

struct Row {
    program: &'static str,
    package: &'static str,
    why: &'static str,
    purposes: &'static [Purpose],
}

const TABLE: [Row; 24] = [
    Row {
        program: "ip",
        package: "iproute2",
        why: "shows and prepares links, routes and namespaces",
        purposes: &[Purpose::Lab, Purpose::Test, Purpose::Kernel],
    },
    Row {
        program: "nft",
        package: "nftables",
        why: "masquerades the real servers' own traffic",
        purposes: &[Purpose::Lab, Purpose::Test],
    },
    Row {
        program: "ethtool",
        package: "ethtool",
        why: "switches segmentation offload on and off in the scenarios",
        purposes: &[Purpose::Lab, Purpose::Test],
    },
    Row {
        program: "tcpdump",
        package: "tcpdump",
        why: "captures traffic that must stay byte-identical",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "curl",
        package: "curl",
        why: "is an HTTP client that is not ours",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "iperf3",
        package: "iperf3",
        why: "sends datagrams larger than any link",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "traceroute",
        package: "traceroute",
        why: "asks every router between a client and a server",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "tracepath",
        package: "iputils-tracepath",
        why: "finds the narrowest link between a client and a server",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "apache2",
        // Not the package apache2, which would start a server on port 80.
        package: "apache2-bin",
        why: "is a web server that is not ours, run by the lab inside its namespaces",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "ab",
        package: "apache2-utils",
        why: "is a load generator that is not ours: counts the same",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "wrk",
        package: "wrk",
        why: "is a load generator that is not ours: reads the same",
        purposes: &[Purpose::Test],
    },
    Row {
        // Of the whole perl, unlike the program `perl`, which every Debian has.
        program: "pod2usage",
        package: "perl",
        why: "comes with perl's library, which ldirectord and munin's plugins need",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "lftp",
        package: "lftp",
        why: "is an FTP client that is not ours",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "tnftp",
        package: "tnftp",
        why: "is another one, which speaks the extended commands over IPv4",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "python3",
        package: "python3",
        why: "runs an FTP client and an FTP server that are not ours",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "openssl",
        package: "openssl",
        why: "makes the certificate of an FTP server",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "dhclient",
        package: "isc-dhcp-client",
        why: "is a DHCP client that is not ours",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "busybox",
        package: "busybox-static",
        why: "has udhcpc, another DHCP client",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "dhcpcd",
        // Not the package dhcpcd, which would start a client for every interface.
        package: "dhcpcd-base",
        why: "is a third DHCP client",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "dhcping",
        package: "dhcping",
        why: "asks whether a DHCP server answers",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "perfdhcp",
        package: "kea-admin",
        why: "asks a DHCP server for thousands of addresses",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "dnsmasq",
        package: "dnsmasq-base",
        why: "is another DHCP server on the link, which the director must notice",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "systemd-analyze",
        package: "systemd",
        why: "reads the unit that `vsnat init` writes",
        purposes: &[Purpose::Test],
    },
    Row {
        program: "qemu-system-x86_64",
        package: "qemu-system-x86",
        why: "boots another kernel without touching this one",
        purposes: &[Purpose::Kernel],
    },
];

/// A Debian package to install, and the reason to print.
pub struct Wanted {
    pub package: String,
    pub why: String,
}

/// Installs what the given purposes lack; a look at a few files when nothing is.
pub fn ensure(purposes: &[Purpose]) -> Result<()> {
    let missing: Vec<&Row> = TABLE
        .iter()
        .filter(|row| {
            row.purposes
                .iter()
                .any(|purpose| purposes.contains(purpose))
        })
        .filter(|row| process::find_program(row.program).is_none())
        .collect();
    let wanted: Vec<Wanted> = missing
        .iter()
        .map(|row| Wanted {
            package: row.package.to_owned(),
            why: format!("`{}` {}", row.program, row.why),
        })
        .collect();
    install(&wanted)
}

/// Installs Debian packages, saying which and why.
pub fn install(wanted: &[Wanted]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = wanted.iter().map(|entry| entry.package.as_str()).collect();
    if !is_debian() {
        let reasons: Vec<String> = wanted.iter().map(describe).collect();
        bail!(
            "this system is not Debian, so install the equivalents of these packages yourself, then try again:\n{}",
            reasons.join("\n")
        );
    }

    println!("xtask: installing {} missing package(s):", wanted.len());
    for entry in wanted {
        println!("{}", describe(entry));
    }
    refresh_lists(&names)?;
    process::run(
        as_root("apt-get", &names)?
            .args([
                "install",
                "-y",
                "-q",
                "--no-install-recommends",
                "--no-remove",
            ])
            .args([
                "-o",
                "DPkg::Lock::Timeout=300",
                "-o",
                "Dpkg::Options::=--force-confold",
            ])
            .args(&names),
    )
    .with_context(|| {
        format!(
            "cannot install {}; on Debian 12 they come from bookworm and bookworm-security, \
             and Debian's own `rustc` and `rustup` packages conflict with rustc-web",
            names.join(" ")
        )
    })
}

/// Renews the lists that packages are looked up in.
pub fn refresh_lists(packages: &[&str]) -> Result<()> {
    process::run(as_root("apt-get", packages)?.args(["update", "-q"]))
        .context("cannot refresh the package lists; check the network and /etc/apt")
}

/// A command that runs as root: directly, or by sudo.
fn as_root(program: &str, packages: &[&str]) -> Result<Command> {
    if process::is_root() {
        let mut command = Command::new(program);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        return Ok(command);
    }
    let Some(mut command) = sudo() else {
        bail!(
            "neither root nor sudo here; as root: apt-get install --no-install-recommends {}",
            packages.join(" ")
        );
    };
    command.args(["env", "DEBIAN_FRONTEND=noninteractive", program]);
    Ok(command)
}

/// sudo, which may ask for a password only where somebody can answer.
fn sudo() -> Option<Command> {
    let mut command = Command::new(process::find_program("sudo")?);
    if !stdin().is_terminal() {
        command.arg("-n");
    }
    Some(command)
}

/// A command that runs vsnat as root: directly, or by sudo. `why` is
/// said where neither is possible.
pub fn vsnat_as_root(vsnat: &Path, why: &'static str) -> Result<Command> {
    if process::is_root() {
        return Ok(Command::new(vsnat));
    }
    let mut command = sudo().context(why)?;
    command.arg(vsnat);
    Ok(command)
}

pub fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    names_debian(&release) && process::find_program("apt-get").is_some()
}

fn names_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| {
            line.strip_prefix("ID=")
                .or_else(|| line.strip_prefix("ID_LIKE="))
        })
        .any(|value| {
            value
                .trim_matches('"')
                .split_whitespace()
                .any(|word| word == "debian")
        })
}

fn describe(entry: &Wanted) -> String {
    format!("  {:<24} {}", entry.package, entry.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_kin_are_recognised() {
        assert!(names_debian(
            "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"
        ));
        assert!(names_debian("ID=devuan\nID_LIKE=\"foo debian\"\n"));
        assert!(!names_debian("ID=fedora\nVARIANT=debian\n"));
    }

    #[test]
    fn no_package_of_the_table_starts_a_service() {
        let daemons = [
            "apache2",
            "nginx",
            "nginx-light",
            "haproxy",
            "vsftpd",
            "dhcpcd",
            "dnsmasq",
        ];
        assert!(TABLE.iter().all(|row| !daemons.contains(&row.package)));
    }
}
