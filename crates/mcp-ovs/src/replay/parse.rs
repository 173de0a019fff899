//! What was recorded of a switch beside its flows, as its programs print it.

use ipnet::IpNet;
use mcp_core::argv::{EthernetAddress, Meter, TlvMapping};
use std::net::IpAddr;

/// The entries of a dump of flows or groups: all but the lines that say that a reply begins.
pub(super) fn entries(dump: &str) -> String {
    let begins = |line: &str| ["OFPST_", "NXST_", "NXT_", "OFPT_"].iter().any(|word| line.starts_with(word));
    let entries = dump.lines().map(str::trim).filter(|line| !line.is_empty() && !begins(line));
    entries.map(|line| format!("{line}\n")).collect()
}

/// The mappings that `ovs-ofctl dump-tlv-map` prints.
pub(super) fn tlv_map(text: &str) -> Vec<TlvMapping> {
    let hex = |word: &str| u16::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let mapping = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [class, kind, len, field] => Some(TlvMapping {
            class: hex(class)?,
            kind: hex(kind)?.try_into().ok()?,
            len: len.parse().ok()?,
            field: field.strip_prefix("tun_metadata")?.parse().ok()?,
        }),
        _ => None,
    };
    text.lines().filter_map(mapping).collect()
}

/// The meters that `ovs-ofctl dump-meters` prints.
pub(super) fn meters(text: &str) -> Vec<Meter> {
    let number = |word: &str| word.strip_prefix("meter=")?.parse().ok().map(Meter);
    text.split_whitespace().filter_map(number).collect()
}

/// A line of `ovs-appctl fdb/show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Learnt {
    /// The OpenFlow port: a number or `LOCAL`.
    pub(super) port: String,
    pub(super) vlan: u16,
    pub(super) mac: EthernetAddress,
}

/// What a bridge has learnt.
pub(super) fn fdb(text: &str) -> Vec<Learnt> {
    let learnt = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [port, vlan, mac, _age] => {
            Some(Learnt { port: (*port).to_owned(), vlan: vlan.parse().ok()?, mac: mac.parse().ok()? })
        }
        _ => None,
    };
    text.lines().filter_map(learnt).collect()
}

/// A line of `ovs-appctl ovs/route/show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) network: IpNet,
    pub(super) device: String,
    pub(super) gateway: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    /// It is an address of the device itself.
    pub(super) local: bool,
}

/// The routes that tunnels take.
pub(super) fn routes(text: &str) -> Vec<Route> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        let first = words.first().filter(|word| matches!(**word, "Cached:" | "User:"))?;
        Some(Route {
            network: after(first)?.parse().ok()?,
            device: after("dev")?.to_owned(),
            gateway: after("GW").and_then(|word| word.parse().ok()),
            source: after("SRC").and_then(|word| word.parse().ok()),
            local: words.last() == Some(&"local"),
        })
    };
    text.lines().filter_map(route).collect()
}

/// The neighbours that `ovs-appctl tnl/neigh/show` (older: `tnl/arp/show`) prints: address, MAC address and bridge.
pub(super) fn neighbours(text: &str) -> Vec<(IpAddr, EthernetAddress, String)> {
    let neighbour = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [address, mac, bridge] => Some((address.parse().ok()?, mac.parse().ok()?, (*bridge).to_owned())),
        _ => None,
    };
    text.lines().filter_map(neighbour).collect()
}

/// The numbers and names of a datapath's ports, of `ovs-appctl dpif/show`: `    br-int 65534/100: (dummy-internal)`.
pub(super) fn datapath_ports(text: &str) -> Vec<(u32, String)> {
    let port = |line: &str| {
        let (name, rest) = line.trim().split_once(' ')?;
        let (_, number) = rest.split_once(':')?.0.split_once('/')?;
        Some((number.parse().ok()?, name.to_owned()))
    };
    text.lines().filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_programs_print() {
        let map = "NXT_TLV_TABLE_REPLY (xid=0x2):\n max option space=256 max fields=64\n allocated option space=4\n\n mapping table:\n  class  type  length  match field\n ------  ----  ------  --------------\n  0x102  0x80       4  tun_metadata0\n";
        assert_eq!(tlv_map(map), [TlvMapping { class: 0x102, kind: 0x80, len: 4, field: 0 }]);
        let dump = "OFPST_METER_CONFIG reply (OF1.5) (xid=0x2):\nmeter=1 pktps stats bands=\ntype=drop rate=25\n\nmeter=4 pktps stats bands=\ntype=drop rate=25\n";
        assert_eq!(meters(dump), [Meter(1), Meter(4)]);
        let table = " Port  VLAN  MAC                Age\nLOCAL     0  d2:84:7a:80:c7:57  static\n    1     0  3a:29:2d:13:44:d2   40\n";
        let ports: Vec<_> = fdb(table).into_iter().map(|it| (it.port, it.vlan, it.mac.to_string())).collect();
        assert_eq!(
            ports,
            [("LOCAL".into(), 0, "d2:84:7a:80:c7:57".into()), ("1".into(), 0, "3a:29:2d:13:44:d2".into())]
        );
        let table = "Route Table:\nCached: 172.18.0.3/32 dev br-ex SRC 172.18.0.3 local\nCached: 0.0.0.0/0 dev br-ex GW 172.18.0.1 SRC 172.18.0.3\n";
        let [own, default] = routes(table).try_into().unwrap();
        assert!(own.local && own.gateway.is_none());
        assert_eq!(default.gateway, Some("172.18.0.1".parse().unwrap()));
        assert_eq!(
            (default.network.prefix_len(), default.device.as_str(), default.local),
            (0, "br-ex", false)
        );
        let table = "IP                                            MAC                 Bridge\n==========\n172.18.0.3                                    02:42:ac:12:00:03   br-ex\n";
        assert_eq!(neighbours(table).len(), 1);
        let show = "netdev@ovs-netdev: hit:20 missed:78\n  br-ex:\n    br-ex 65534/2: (tap)\n    eth0 1/1: (system)\n    patch-br-ex_w-to-br-int 2/none: (patch: peer=x)\n";
        assert_eq!(datapath_ports(show), [(2, "br-ex".into()), (1, "eth0".into())]);
        let flows = "NXST_FLOW reply (xid=0x4): flags=[more]\n cookie=0x1, table=0, actions=drop\nNXST_FLOW reply (xid=0x4):\n cookie=0x2, table=0, actions=drop\n";
        assert_eq!(entries(flows), "cookie=0x1, table=0, actions=drop\ncookie=0x2, table=0, actions=drop\n");
    }

    proptest! {
        #[test]
        fn nothing_makes_a_parser_fail(text in "([ a-z0-9:./=\n-]|dev |Cached: |meter=|LOCAL ){0,60}") {
            let lines = text.lines().count();
            prop_assert!(tlv_map(&text).len() <= lines && fdb(&text).len() <= lines && routes(&text).len() <= lines);
            prop_assert!(neighbours(&text).len() <= lines && datapath_ports(&text).len() <= lines);
            prop_assert!(entries(&text).lines().count() <= lines);
        }
    }
}
