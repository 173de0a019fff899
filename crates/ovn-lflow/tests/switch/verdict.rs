//! The fate of a packet, from the text of `ofproto/trace` and from an evaluation.

use openflow::End as SwitchEnd;
use ovn_lflow::{Branch, End, Zone};
use std::collections::{BTreeMap, BTreeSet};

/// What happens to a packet, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    Port,
    Tunnel,
    External,
    Controller,
    Dropped,
}

/// Where a packet and its copies go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The logical ports of this node that get the packet.
    ports: BTreeSet<String>,
    /// The tunnels that carry the packet: the address of the other end and the key of the datapath.
    tunnels: BTreeSet<(String, u128)>,
    /// The packet goes to the bridge of the external network.
    external: bool,
    /// ovn-controller gets the packet.
    controller: bool,
}

impl Verdict {
    pub(crate) fn fate(&self) -> Fate {
        match self {
            _ if !self.ports.is_empty() => Fate::Port,
            _ if !self.tunnels.is_empty() => Fate::Tunnel,
            Self { external: true, .. } => Fate::External,
            Self { controller: true, .. } => Fate::Controller,
            _ => Fate::Dropped,
        }
    }

    /// Returns whether this verdict of an evaluation agrees with that of the switch. If ovn-controller makes another
    /// packet of this one, the evaluation follows that packet, and ofproto/trace ends at ovn-controller.
    pub(crate) fn allows(&self, switch: &Self) -> bool {
        if self.controller {
            return switch.controller
                && switch.ports.is_subset(&self.ports)
                && switch.tunnels.is_subset(&self.tunnels)
                && (self.external || !switch.external);
        }
        (&self.ports, &self.tunnels, self.external) == (&switch.ports, &switch.tunnels, switch.external)
    }
}

/// Returns the verdict of `ofproto/trace`. `logical` are the logical ports by the name of their interface.
pub(crate) fn of_text(text: &str, logical: &BTreeMap<String, String>) -> Verdict {
    let mut verdict = Verdict::default();
    for end in openflow::ends(text) {
        match end {
            SwitchEnd::Controller(_) => verdict.controller = true,
            // Ports of the external bridge have no logical port.
            SwitchEnd::Port(interface) => verdict.ports.extend(logical.get(&interface).cloned()),
            _ => {}
        }
    }
    verdict.external = text.contains("output:\"patch-br-int-to");
    for header in text.split("tnl_push(").skip(1) {
        let after = |key: &str| header.split(key).nth(1).unwrap_or_default();
        let to = after("ipv4(src=").split("dst=").nth(1).unwrap_or_default();
        let to = to.split([',', ')']).next().unwrap_or_default().to_owned();
        let key = after("vni=0x").split([',', ')']).next().unwrap_or_default();
        verdict.tunnels.insert((to, u128::from_str_radix(key, 16).unwrap_or(0)));
    }
    verdict
}

/// Returns the verdict of one branch of an evaluation. `tunnels` are the ends of the tunnels by chassis name.
pub(crate) fn of_branch(branch: &Branch, zone: &Zone, tunnels: &BTreeMap<String, String>) -> Verdict {
    /// The actions for which ovn-controller makes another packet.
    const MADE: &[&str] = &[
        "arp {",
        "nd_ns {",
        "nd_na {",
        "nd_na_router {",
        "icmp4 {",
        "icmp4_error {",
        "icmp6 {",
        "icmp6_error {",
        "tcp_reset {",
        "sctp_abort {",
        "reject {",
    ];
    let mut verdict = Verdict::default();
    for end in &branch.ends {
        let End::Delivered { datapath, port, kind, .. } = end else { continue };
        match kind.as_str() {
            "localnet" => verdict.external = true,
            "remote" => {
                let chassis = zone.port(port).and_then(|port| zone.chassis_of(port)).unwrap_or_default();
                let to = tunnels.get(chassis).cloned().unwrap_or_default();
                let key = zone.datapaths.get(*datapath).map_or(0, |it| it.key);
                verdict.tunnels.insert((to, key.into()));
            }
            _ => _ = verdict.ports.insert(port.clone()),
        }
    }
    let mut flows = branch.passes.iter().flat_map(|pass| &pass.flows);
    verdict.controller = flows.any(|flow| MADE.iter().any(|made| flow.actions.contains(made)));
    verdict
}
