//! `cargo xtask bench`: builds vsnat as it is shipped, and lets it measure itself.

use anyhow::Result;
use clap::Subcommand;

use crate::build::{self, Profile};
use crate::packages::{self, Purpose};
use crate::path::{self, GuestPart};
use crate::peers;
use crate::process;
use crate::regression;
use crate::workspace::Workspace;

#[derive(Subcommand)]
pub enum Bench {
    /// The price of a packet, in nanoseconds and in bare redirects
    Packet {
        /// Passed on to `vsnat bench packet`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The whole path, as a multiple of plain routing; in a guest also IPVS's
    Path {
        /// Leave out IPVS and the guest that has it
        #[arg(long)]
        no_guest: bool,
        /// Passed on to `vsnat bench path`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// vsnat, nftables, HAProxy and nginx under the same load, in turn
    Peers {
        /// Passed on to `vsnat bench peers`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// A million connections, ten thousand services, mass expiry, a SYN flood
    Scale {
        /// Passed on to `vsnat bench scale`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Whether a packet became dearer than in the run in docs/performance
    Regression,
}

pub fn run(workspace: &Workspace, bench: &Bench) -> Result<()> {
    packages::ensure(&[Purpose::Lab])?;
    let vsnat = build::vsnat(workspace, Profile::Release)?;
    let why = "benchmarks load eBPF programs: run them as root, or install sudo";
    let mut command = packages::vsnat_as_root(&vsnat, why)?;
    match bench {
        Bench::Packet { arguments } => command.args(["bench", "packet"]).args(arguments),
        Bench::Path {
            no_guest,
            arguments,
        } => {
            let guest = match no_guest {
                true => GuestPart::LeftOut,
                false => GuestPart::Measured,
            };
            return path::run(workspace, &vsnat, guest, arguments);
        }
        Bench::Peers { arguments } => command
            .args(["bench", "peers", "--programs"])
            .arg(peers::ensure(workspace)?)
            .args(arguments),
        Bench::Scale { arguments } => command.args(["bench", "scale"]).args(arguments),
        Bench::Regression => command
            .args(["bench", "regression"])
            .arg(regression::committed(workspace)?),
    };
    process::run(&mut command)
}
