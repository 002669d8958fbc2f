//! What becomes of a packet.

use vsnat_abi::counters::Reason;
use vsnat_abi::net::Be32;

use crate::icmp::Answer;

/// What the kernel is told to do with the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on to the host's own stack, untouched.
    Pass,
    /// Goes on to the host's own stack, untouched, though it is addressed to
    /// somebody else: marked by [`vsnat_abi::hop::TO_HOST_MARK`].
    ToHost,
    Drop,
    /// Leaves as it is, MACs included.
    Redirect {
        ifindex: u32,
    },
    /// Leaves by the kernel's neighbour look-up.
    Neighbour {
        ifindex: u32,
        next_hop: Be32,
    },
    /// It is addressed to a stand-in: goes on with [`crate::six::six_out`].
    Six,
    /// Leaves by the kernel's own look-up of route and neighbour.
    Resolved {
        ifindex: u32,
    },
}

/// Why a packet does not take the way of a translated one.
///
/// A flat record and no enum with payloads: the compiler leaves the payload of
/// another variant undefined where paths join, and the verifier refuses to see
/// it moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub action: Action,
    pub reason: Reason,
    /// What the sender is told, if the action is to refuse.
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pass,
    Drop,
    Refuse,
}

impl Stop {
    #[inline(always)]
    pub const fn pass(reason: Reason) -> Self {
        Stop {
            action: Action::Pass,
            reason,
            answer: Answer::NONE,
        }
    }

    #[inline(always)]
    pub const fn drop(reason: Reason) -> Self {
        Stop {
            action: Action::Drop,
            reason,
            answer: Answer::NONE,
        }
    }

    #[inline(always)]
    pub const fn refuse(reason: Reason, answer: Answer) -> Self {
        Stop {
            action: Action::Refuse,
            reason,
            answer,
        }
    }
}
