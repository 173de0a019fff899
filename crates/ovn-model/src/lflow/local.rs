//! The values in a zone's logical flows that belong to this zone only.

use super::Flow;
use crate::{compare::Own, show::link_local};
use ipnet::IpNet;
use ovsdb::{Rows, Select};
use std::{
    collections::{BTreeSet, HashSet},
    net::Ipv6Addr,
};

/// The values that identify a zone's own pods in matches: the names of their ports, and their addresses.
#[derive(Clone, Debug, Default)]
pub struct LocalPods(HashSet<String>);

impl LocalPods {
    /// Returns the select on the northbound database.
    pub fn select() -> Select {
        Select::from("Logical_Switch_Port").columns(["name", "addresses", "external_ids", "options"])
    }

    /// Reads the values from the rows that [`Self::select`] selected. A pod of a network that all zones share has a
    /// port in each zone, with a tunnel key that OVN-Kubernetes chose for it.
    pub fn new(ports: &Rows) -> Self {
        let mut words = HashSet::new();
        for port in &ports.rows {
            let of_pod =
                port.map_get("external_ids", "pod").or(port.map_get("external_ids", "namespace")).is_some();
            if of_pod && port.map_get("options", "requested-tnl-key").is_none() {
                words.extend(port.text("name").map(str::to_owned));
                words.extend(port.strings("addresses").flat_map(str::split_whitespace).map(str::to_owned));
            }
        }
        Self(words)
    }

    /// Returns whether a flow matches on one of these values.
    pub fn have(&self, flow: &Flow) -> bool {
        let part_of_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | ':' | '-' | '_');
        !self.0.is_empty() && flow.matches.split(|c| !part_of_word(c)).any(|word| self.0.contains(word))
    }
}

/// Returns the port groups that have a port, by the names that matches use.
pub fn groups_with_ports(groups: &Rows) -> BTreeSet<String> {
    let groups = groups.rows.iter().filter(|row| row.refs("ports").next().is_some());
    groups.filter_map(|row| row.text("name")).map(str::to_owned).collect()
}

/// Returns the select on the northbound database for [`groups_with_ports`].
pub fn groups_select() -> Select {
    Select::from("Port_Group").columns(["name", "ports"])
}

/// Returns the port group that a flow matches on. ovn-northd makes such a flow only where the group has a port.
pub fn port_group(flow: &Flow) -> Option<&str> {
    let (_, after) = flow.matches.split_once("port == @")?;
    Some(after.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).next().unwrap_or(after))
}

/// Returns the values that ovn-northd derives from a zone's own values: the link-local and the solicited-node
/// multicast address of a MAC address (RFC 4291 appendix A and section 2.7.1), and the broadcast address of a subnet.
pub fn derived(own: &[Own]) -> Vec<Own> {
    let new = |of: &Own, kind: String, value: String| Own { kind, value, column: of.column };
    let of_mac = |mac: &Own| {
        let address = link_local(&mac.value)?;
        let [.., a, b] = address.segments();
        let solicited = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a & 0xff, b);
        let kind = |what| mac.kind.replace("MAC", what);
        Some([
            new(mac, kind("link-local address"), address.to_string()),
            new(mac, kind("solicited-node address"), solicited.to_string()),
        ])
    };
    let of_subnet = |subnet: &Own| match subnet.value.parse().ok()? {
        IpNet::V4(net) => {
            Some(new(subnet, subnet.kind.replace("subnet", "broadcast address"), net.broadcast().to_string()))
        }
        IpNet::V6(_) => None,
    };
    let macs = own.iter().filter(|own| own.kind.ends_with("MAC")).filter_map(of_mac).flatten();
    macs.chain(own.iter().filter(|own| own.kind.ends_with("subnet")).filter_map(of_subnet)).collect()
}

/// Returns whether this flow handles one member of an ECMP route or policy. Each ovn-northd numbers the members in
/// its own order.
pub fn is_ecmp_member(flow: &Flow) -> bool {
    flow.stage.as_ref().is_some_and(|stage| stage.ends_with("_ecmp"))
        && flow.matches.contains("reg8[16..31] ==")
}

/// Returns whether the action names endpoints of the zone's own node. OVN-Kubernetes gives these addresses to
/// services whose traffic stays on a node (`docs/design/masquerade-ips.md`).
pub fn has_own_endpoints(flow: &Flow) -> bool {
    ["169.254.0.3 ", "169.254.169.3 ", "fd69::3 "].iter().any(|vip| flow.matches.contains(vip))
}
