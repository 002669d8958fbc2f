//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::{IpNet, Ipv4Net};
use vsnat_api::SOCKET_ENV;
use vsnat_config::DirectorName;
use vsnat_director::Paths;

use crate::bench::BenchArgs;
use crate::dhcp::DhcpArgs;
use crate::doctor::DoctorArgs;
use crate::init::InitArgs;
use crate::lab::LabArgs;
use crate::man::ManArgs;
use crate::mark::MarkArgs;
use crate::nat::NatArgs;
use crate::plan::PlanArgs;
use crate::proc::ProcArgs;
use crate::servers::ServersArgs;
use crate::set::SetArgs;

/// Where a director's file is looked for when none is named.
pub const DEFAULT_CONFIG: &str = "/etc/vsnat/vsnat.toml";

/// A director of virtual servers via NAT: one public address, many servers.
///
/// Clients connect to a virtual address; every connection is given to one of
/// several private real servers, and translated in the kernel by eBPF.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a director's file and a unit of systemd, from a few answers.
    ///
    /// Asks for what is not given, with suggestions from the interfaces of this
    /// machine. With --outer, --inner and --vip nothing is asked.
    Init(InitArgs),
    /// Run a director in the foreground, until Ctrl-C removes everything.
    ///
    /// SIGTERM ends the process only: the data plane goes on forwarding, and the
    /// next `vsnat run` adopts it with all its connections. Ctrl-C and `vsnat
    /// down` remove it and leave the host as it was found.
    Run(RunArgs),
    /// Check a file and report all its mistakes; needs no root.
    Check {
        /// The file to check.
        file: PathBuf,
    },
    /// Take a director down and restore the host as it was found.
    ///
    /// Works with the daemon running, after SIGTERM and after a crash.
    #[command(visible_alias = "cleanup")]
    Down(DownArgs),
    /// Show what a director is doing.
    Status(StatusArgs),
    /// Refuse the service traffic of source networks.
    Deny(DenyArgs),
    /// Show the addresses that real servers were given by DHCP.
    Dhcp(DhcpArgs),
    /// Check the whole set-up, and print what mends each thing that is wrong.
    ///
    /// Looks at the kernel, the interfaces, addresses and routes, the firewall,
    /// the limits and the real servers of the director that runs here, and at
    /// who else on the outer link has a VIP. Changes nothing. Exit code 1 when
    /// there is a fault.
    Doctor(DoctorArgs),
    /// List the real servers: how each came, and why it is in or out.
    Servers(ServersArgs),
    /// Show what the host translates itself: masquerade and forwarded ports.
    ///
    /// That is the real servers' own traffic, and ports that lead to one host
    /// inside: counters since the rules were made, and open flows.
    Nat(NatArgs),
    /// List settings of the packet path, or change them.
    Set(SetArgs),
    /// Give packets marks, by which services can be found.
    Mark(MarkArgs),
    /// Print what IPVS shows below /proc/net, or keep it as files.
    Proc(ProcArgs),
    /// Build a cluster on this machine to try things in, or to measure.
    Lab(LabArgs),
    /// Print the manual page, or write the pages of all commands.
    Man(ManArgs),
    /// Load a server with requests, or measure what a packet costs.
    ///
    /// With a URL, requests are sent as `ab` and `wrk` send them, and the report
    /// has the layout of `ab`. Exit code 1 when a request failed.
    Bench(Box<BenchArgs>),
    /// Compute how many servers a director carries, and what gives out first.
    ///
    /// From what a packet takes of a CPU, the size of packets, the links and
    /// what a server sends. What is not given is measured or found on this
    /// machine; each line says where its number comes from.
    Plan(PlanArgs),
    /// Tell how much work each eBPF program is for the kernel's verifier.
    #[command(hide = true)]
    BpfInfo(BpfInfoArgs),
    /// Speak ipvsadm's language; so does a link to vsnat named ipvsadm.
    #[command(disable_help_flag = true)]
    Ipvsadm {
        /// As for ipvsadm: -A -E -D -C -a -e -d -L -Z -S -R --set and their options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The director's file.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Name of this director, instead of the one in the file.
    #[arg(long)]
    pub name: Option<DirectorName>,
    /// Where the API listens, instead of /run/vsnat/NAME.sock.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Work in this network namespace (see `ip netns`).
    #[arg(long, value_name = "NAME")]
    pub netns: Option<String>,
    /// Load this eBPF object instead of the embedded one.
    #[arg(long, value_name = "FILE")]
    pub bpf_object: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DownArgs {
    #[command(flatten)]
    pub target: Target,
    /// The network namespace it worked in, should its record be lost.
    #[arg(long, value_name = "NAME")]
    pub netns: Option<String>,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub target: Target,
    /// Print JSON, with the reasons that never occurred too.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct BpfInfoArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Measure this eBPF object instead of the embedded one.
    #[arg(long, value_name = "FILE")]
    pub bpf_object: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DenyArgs {
    #[command(subcommand)]
    pub action: DenyAction,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Subcommand)]
pub enum DenyAction {
    /// Refuse a network or an address from now on.
    Add {
        /// Like 203.0.113.0/24, 203.0.113.9 or 2001:db8:1::/48.
        #[arg(value_parser = prefix)]
        prefix: IpNet,
    },
    /// No longer refuse it.
    Del {
        /// As it was added.
        #[arg(value_parser = prefix)]
        prefix: IpNet,
    },
    /// Print what is refused.
    List,
}

/// Which running director is meant.
#[derive(Debug, Args)]
pub struct Target {
    /// Name of the director [default: the one behind --socket or VSNAT_SOCKET, or "default"].
    #[arg(long, global = true)]
    name: Option<DirectorName>,
    /// Its socket [default: VSNAT_SOCKET, or the name's own].
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
}

impl Target {
    pub fn of_environment() -> Self {
        Target {
            name: None,
            socket: None,
        }
    }

    /// The name that was given, or that of the director behind the socket that
    /// was given; none if nobody knows that socket.
    pub fn known_name(&self) -> Option<DirectorName> {
        match (&self.name, self.socket()) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(socket)) => Paths::name_at(&socket),
            (None, None) => Some(DirectorName::default()),
        }
    }

    /// The socket that was named, in one way or another.
    pub fn socket(&self) -> Option<PathBuf> {
        let of_environment = || std::env::var_os(SOCKET_ENV).map(PathBuf::from);
        match (&self.socket, &self.name) {
            (Some(socket), _) => Some(socket.clone()),
            (None, Some(_)) => None,
            (None, None) => of_environment(),
        }
    }

    pub fn client(&self) -> vsnat_director::Client {
        let name = self.known_name();
        let paths = Paths::find(&name.clone().unwrap_or_default(), self.socket());
        vsnat_director::Client::new(name, &paths.socket)
    }
}

/// A network, or an address that stands for itself.
pub fn prefix(text: &str) -> Result<IpNet, String> {
    let net = match text.parse::<std::net::IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().map_err(|_| {
            "write it like 203.0.113.0/24, 203.0.113.9 or 2001:db8:1::/48".to_owned()
        })?,
    };
    if net.addr() != net.network() {
        let network = net.trunc();
        let host = net.addr();
        return Err(format!(
            "it has bits behind its prefix; write {network} for the network or {host} for the host"
        ));
    }
    Ok(net)
}

/// The same where there is IPv4 only.
pub fn prefix4(text: &str) -> Result<Ipv4Net, String> {
    match prefix(text)? {
        IpNet::V4(net) => Ok(net),
        IpNet::V6(net) => Err(format!("{net} is of IPv6; here is IPv4 only")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn prefixes() {
        assert_eq!(prefix("203.0.113.9").unwrap().to_string(), "203.0.113.9/32");
        assert_eq!(prefix("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert!(prefix("10.0.0.1/8").unwrap_err().contains("10.0.0.0/8"));
        assert_eq!(
            prefix("2001:db8::9").unwrap().to_string(),
            "2001:db8::9/128"
        );
        assert!(prefix4("2001:db8::/32").unwrap_err().contains("IPv4 only"));
        assert!(prefix("ten").is_err());
    }
}
