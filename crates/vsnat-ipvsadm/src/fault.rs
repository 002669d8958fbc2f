//! Everything that can be wrong with a command line.
//!
//! The texts are ipvsadm's; the last group is ours, for what ipvsadm would have
//! passed to the kernel and the director does not do.

use thiserror::Error;

use crate::Ends;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    #[error("Try `ipvsadm -h' or 'ipvsadm --help' for more information.")]
    NoCommand,
    #[error("{word}: {problem}")]
    Word { word: String, problem: WordProblem },
    /// A command that is not the first word.
    #[error("invalid option `{word}'")]
    SecondCommand { word: String },
    #[error("multiple '{option}' options specified")]
    Multiple { option: &'static str },
    #[error("unexpected argument {word}")]
    Unexpected { word: String },
    #[error("You need to supply the '{option}' option for the '{command}' command")]
    Missing {
        option: &'static str,
        command: &'static str,
    },
    #[error("Illegal '{option}' option with the '{command}' command")]
    Illegal {
        option: &'static str,
        command: &'static str,
    },
    #[error("The option '{option}' conflicts with the '{other}' option in the '{command}' command")]
    Conflict {
        option: &'static str,
        other: &'static str,
        command: &'static str,
    },
    #[error("options conflicts in the list command")]
    ListConflict,

    #[error("illegal virtual server address[:port] specified")]
    VirtualAddress,
    #[error("illegal real server address[:port] specified")]
    RealAddress,
    #[error("illegal virtual server persistent mask specified")]
    Netmask,
    #[error("illegal ipv6 netmask specified")]
    Netmask6,
    #[error("invalid fwmark value `{value}' specified")]
    Fwmark { value: String },
    #[error("invalid timeout value `{value}' specified")]
    Timeout { value: String },
    #[error("illegal {what} specified")]
    Value { what: &'static str },
    // ipvsadm ends this line twice.
    #[error("-6 used before -f\n")]
    Ipv6BeforeMark,
    #[error("invalid {family} mcast-group `{value}'")]
    McastGroup { family: &'static str, value: String },
    #[error("invalid scheduler flag `{flag}'")]
    UnknownFlag { flag: String },
    #[error("incompatible scheduler flag `{flag}'")]
    IncompatibleFlag { flag: String },
    #[error("--set option requires 3 timeout values")]
    SetNeedsThree,

    #[error("Zero port specified for non-persistent service")]
    ZeroPort,
    #[error("One-Packet Scheduling is only for UDP virtual services")]
    OnePacketNotUdp,
    #[error("Different address family is allowed only for tunneling servers")]
    MixedFamilies,
    #[error("Tunnel options conflict with forward method")]
    TunnelOptions,
    #[error("You need to supply the '{option}' option for the '{tunnel}' tunnel type")]
    TunnelMissing {
        option: &'static str,
        tunnel: &'static str,
    },
    #[error("Illegal '{option}' option with the '{tunnel}' tunnel type")]
    TunnelIllegal {
        option: &'static str,
        tunnel: &'static str,
    },
    #[error(
        "The option '{option}' conflicts with the '{other}' option in the '{tunnel}' tunnel type"
    )]
    TunnelConflict {
        option: &'static str,
        other: &'static str,
        tunnel: &'static str,
    },

    /// The kernel's answer to a scheduler or engine that it does not have.
    #[error("Scheduler or persistence engine not found")]
    UnknownScheduler,
    /// The kernel's answer to `--stop-daemon`: as none can be started, there
    /// is none to stop.
    #[error("No daemon is running")]
    NoDaemon,

    #[error("vsnat does not support {what} yet")]
    NotYet { what: String },
}

/// What the option parser says of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum WordProblem {
    #[error("unknown option")]
    Unknown,
    #[error("missing argument")]
    MissingArgument,
    #[error("option does not take an argument")]
    UnwantedArgument,
}

impl Fault {
    /// 2 for a line that ipvsadm itself judges wrong; 255 (its -1) for one it
    /// cannot read, or that the kernel refuses.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.judge() {
            Judge::OptionParser | Judge::Kernel => 255,
            Judge::Usage if *self == Fault::NoCommand => 255,
            Judge::Usage => 2,
        }
    }

    /// ipvsadm exits from its own checks, and returns from the other two.
    pub(crate) fn ends(&self) -> Ends {
        match self.judge() {
            Judge::OptionParser | Judge::Kernel => Ends::Line,
            Judge::Usage => Ends::Run,
        }
    }

    fn judge(&self) -> Judge {
        match self {
            Fault::Word { .. } => Judge::OptionParser,
            Fault::UnknownScheduler | Fault::NoDaemon => Judge::Kernel,
            Fault::NoCommand
            | Fault::SecondCommand { .. }
            | Fault::Multiple { .. }
            | Fault::Unexpected { .. }
            | Fault::Missing { .. }
            | Fault::Illegal { .. }
            | Fault::Conflict { .. }
            | Fault::ListConflict
            | Fault::VirtualAddress
            | Fault::RealAddress
            | Fault::Netmask
            | Fault::Netmask6
            | Fault::Fwmark { .. }
            | Fault::Timeout { .. }
            | Fault::Value { .. }
            | Fault::Ipv6BeforeMark
            | Fault::McastGroup { .. }
            | Fault::UnknownFlag { .. }
            | Fault::IncompatibleFlag { .. }
            | Fault::SetNeedsThree
            | Fault::ZeroPort
            | Fault::OnePacketNotUdp
            | Fault::MixedFamilies
            | Fault::TunnelOptions
            | Fault::TunnelMissing { .. }
            | Fault::TunnelIllegal { .. }
            | Fault::TunnelConflict { .. }
            | Fault::NotYet { .. } => Judge::Usage,
        }
    }
}

/// Who finds the fault.
enum Judge {
    OptionParser,
    Usage,
    Kernel,
}
