//! What is measured, and what each figure is held against.

use std::fmt;

use serde::Serialize;

use crate::path::traffic::Traffic;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// What the packet costs before the director sees it; in every other row.
    Sender,
    Routing,
    RoutingReplies,
    Vsnat,
    VsnatReplies,
    NotOurs,
    Nftables,
    NftablesReplies,
    Ipvs,
    IpvsReplies,
    RoutingMany,
    VsnatMany,
}

impl Row {
    /// The row of plain routing that it is a multiple of.
    pub fn baseline(self) -> Row {
        match self {
            Row::Sender | Row::Routing | Row::Vsnat | Row::NotOurs | Row::Nftables | Row::Ipvs => {
                Row::Routing
            }
            Row::RoutingReplies | Row::VsnatReplies | Row::NftablesReplies | Row::IpvsReplies => {
                Row::RoutingReplies
            }
            Row::RoutingMany | Row::VsnatMany => Row::RoutingMany,
        }
    }

    /// Whether its flows are the many.
    pub fn is_many(self) -> bool {
        self.baseline() == Row::RoutingMany
    }

    pub(crate) fn traffic(self) -> Traffic {
        match self {
            Row::Sender => Traffic::Stray,
            Row::Routing | Row::RoutingMany | Row::NotOurs => Traffic::ToServers,
            Row::RoutingReplies => Traffic::FromServers,
            Row::Vsnat | Row::VsnatMany | Row::Nftables | Row::Ipvs => Traffic::ToVip,
            Row::VsnatReplies | Row::NftablesReplies | Row::IpvsReplies => Traffic::FromVip,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Row::Sender => "the sender alone",
            Row::Routing => "plain routing",
            Row::RoutingReplies => "plain routing, replies",
            Row::Vsnat => "vsnat",
            Row::VsnatReplies => "vsnat, replies",
            Row::NotOurs => "not ours, vsnat attached",
            Row::Nftables => "nftables DNAT",
            Row::NftablesReplies => "nftables DNAT, replies",
            Row::Ipvs => "IPVS NAT",
            Row::IpvsReplies => "IPVS NAT, replies",
            Row::RoutingMany => "plain routing, many flows",
            Row::VsnatMany => "vsnat, many flows",
        })
    }
}
