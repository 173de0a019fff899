//! The state that ovs-vswitchd reports, except flows and connections.

use crate::commands::ALLOW;
use mcp_core::{Argv, argv, argv::BridgeName};
use ovn_model::counters::{self, Counters};
use schemars::JsonSchema;
use serde::Deserialize;

// A doc comment here would be repeated in the schema.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Coverage,
    Upcall,
    Memory,
    Dpif,
    Datapath,
    CtStats,
    Pmd,
    PmdRxq,
    Fdb,
    FdbStats,
    Mdb,
    Tunnels,
    TunnelPorts,
    TunnelRoutes,
    TunnelNeighbours,
    Bond,
    Lacp,
    Bfd,
    Cfm,
}

impl Subject {
    /// Returns the command for the subject, and then the forms that reports contain. `None` means that the command
    /// needs a bridge.
    pub(crate) fn commands(self) -> Option<Vec<Argv>> {
        macro_rules! asked {
            ($($word:literal),+) => {
                argv!(ALLOW: "ovs-appctl", "--timeout=10", $($word),+)
            };
        }
        Some(match self {
            Self::Coverage => vec![asked!("coverage/show")],
            Self::Upcall => vec![asked!("upcall/show")],
            Self::Memory => vec![asked!("memory/show")],
            Self::Dpif => vec![asked!("dpif/show")],
            Self::Datapath => vec![
                asked!("dpctl/show", "-s"),
                asked!("dpctl/show", "-s", "system@ovs-system"),
                asked!("dpctl/show", "-s", "netdev@ovs-netdev"),
            ],
            Self::CtStats => vec![
                asked!("dpctl/ct-stats-show", "-m"),
                asked!("dpctl/ct-stats-show", "-m", "system@ovs-system"),
                asked!("dpctl/ct-stats-show", "-m", "netdev@ovs-netdev"),
            ],
            Self::Pmd => vec![asked!("dpif-netdev/pmd-stats-show")],
            Self::PmdRxq => vec![asked!("dpif-netdev/pmd-rxq-show")],
            Self::Tunnels => vec![asked!("ofproto/list-tunnels")],
            Self::TunnelPorts => vec![asked!("tnl/ports/show", "-v")],
            Self::TunnelRoutes => vec![asked!("ovs/route/show")],
            Self::TunnelNeighbours => vec![asked!("tnl/neigh/show"), asked!("tnl/arp/show")],
            Self::Bond => vec![asked!("bond/show")],
            Self::Lacp => vec![asked!("lacp/show")],
            Self::Bfd => vec![asked!("bfd/show")],
            Self::Cfm => vec![asked!("cfm/show")],
            Self::Fdb | Self::FdbStats | Self::Mdb => return None,
        })
    }

    /// Returns the command that queries a bridge for the subject.
    pub(crate) fn command_of(self, bridge: &BridgeName) -> Option<Argv> {
        Some(match self {
            Self::Fdb => argv!(ALLOW: "ovs-appctl", "--timeout=10", "fdb/show", {bridge: BridgeName}),
            Self::FdbStats => {
                argv!(ALLOW: "ovs-appctl", "--timeout=10", "fdb/stats-show", {bridge: BridgeName})
            }
            Self::Mdb => argv!(ALLOW: "ovs-appctl", "--timeout=10", "mdb/show", {bridge: BridgeName}),
            _ => return None,
        })
    }

    /// Returns the parser of the subject's counters, if it has counters that can be sampled twice.
    pub(crate) fn counters(self) -> Option<fn(&str) -> Counters> {
        match self {
            Self::Coverage => Some(counters::coverage),
            Self::Datapath => Some(counters::datapaths),
            Self::Pmd => Some(counters::threads),
            _ => None,
        }
    }

    /// Returns the name of the subject as the parameter has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Coverage => "coverage",
            Self::Upcall => "upcall",
            Self::Memory => "memory",
            Self::Dpif => "dpif",
            Self::Datapath => "datapath",
            Self::CtStats => "ct_stats",
            Self::Pmd => "pmd",
            Self::PmdRxq => "pmd_rxq",
            Self::Fdb => "fdb",
            Self::FdbStats => "fdb_stats",
            Self::Mdb => "mdb",
            Self::Tunnels => "tunnels",
            Self::TunnelPorts => "tunnel_ports",
            Self::TunnelRoutes => "tunnel_routes",
            Self::TunnelNeighbours => "tunnel_neighbours",
            Self::Bond => "bond",
            Self::Lacp => "lacp",
            Self::Bfd => "bfd",
            Self::Cfm => "cfm",
        }
    }
}
