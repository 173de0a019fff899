//! The network under the tunnels of a switch that handles tunnels itself: routes and neighbours, as Open vSwitch
//! prints them.

use crate::dump;
use ipnet::IpNet;
use std::net::IpAddr;

/// A line of `ovs-appctl ovs/route/show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The destination network.
    pub network: IpNet,
    /// The device of the route.
    pub device: String,
    /// The gateway, if the route has one.
    pub gateway: Option<IpAddr>,
    /// The source address.
    pub source: Option<IpAddr>,
    /// Whether the destination is an address of the device itself.
    pub local: bool,
    /// The mark of the packets that the route applies to.
    pub mark: u32,
    /// Whether a user added the route. Such a route counts as 32 bits more specific.
    pub user: bool,
}

/// A line of `ovs-appctl tnl/neigh/show` (before Open vSwitch 2.6 `tnl/arp/show`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The IP address.
    pub address: IpAddr,
    /// The MAC address.
    pub mac: u128,
    /// The bridge that has learnt the address.
    pub bridge: String,
}

/// The routes and neighbours that tunnels use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Underlay {
    /// The routes of the switch.
    pub routes: Vec<Route>,
    /// The neighbours of its bridges.
    pub neighbours: Vec<Neighbour>,
}

impl Underlay {
    /// Parses the output of `ovs/route/show` and `tnl/neigh/show`. Returns the lines that were not understood, too.
    pub fn new(routes: &str, neighbours: &str) -> (Self, Vec<String>) {
        let (routes, mut other) = dump::parse(routes, |line| line.starts_with("Route Table"), route);
        let is_header = |line: &str| line.starts_with("IP ") || line.starts_with("==");
        let (neighbours, more) = dump::parse(neighbours, is_header, neighbour);
        other.extend(more);
        (Self { routes, neighbours }, other)
    }

    /// Returns the most specific route to an address for packets with this mark (`pkt_mark`).
    pub fn route(&self, to: IpAddr, mark: u32) -> Option<&Route> {
        let fits = |route: &&Route| !route.local && route.mark == mark && route.network.contains(&to);
        let routes = self.routes.iter().filter(fits);
        routes.max_by_key(|route| route.network.prefix_len() + if route.user { 32 } else { 0 })
    }

    /// Returns the MAC address of a neighbour of a bridge.
    pub(crate) fn neighbour(&self, bridge: &str, address: IpAddr) -> Option<u128> {
        let found = self.neighbours.iter().find(|it| it.bridge == bridge && it.address == address);
        found.map(|it| it.mac)
    }
}

/// Parses a line: `Cached: 172.18.0.0/16 MARK 42 dev br-ex GW 172.18.0.1 SRC 172.18.0.2 local`.
fn route(line: &str) -> Option<Route> {
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
        local: words.contains(&"local"),
        mark: after("MARK").and_then(|word| word.parse().ok()).unwrap_or(0),
        user: *first == "User:",
    })
}

/// Parses a line: `172.18.0.3 02:42:ac:12:00:03 br-ex`.
fn neighbour(line: &str) -> Option<Neighbour> {
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [address, mac, bridge] => Some(Neighbour {
            address: address.parse().ok()?,
            mac: packet::parse_mac(mac)?,
            bridge: (*bridge).to_owned(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_route_to_the_remote_address() {
        let routes = "Route Table:\n\
             Cached: 172.18.0.2/32 dev br-ex SRC 172.18.0.2 local\n\
             Cached: 172.18.0.0/16 dev br-ex SRC 172.18.0.2\n\
             Cached: 10.244.0.0/24 dev ovn-k8s-mp0 SRC 10.244.0.2\n\
             Cached: 0.0.0.0/0 dev br-ex GW 172.18.0.1 SRC 172.18.0.2\n";
        let neighbours = "IP                                            MAC                 Bridge\n==========\n172.18.0.3                                    02:42:ac:12:00:03   br-ex\n";
        let (underlay, other) = Underlay::new(routes, neighbours);
        assert_eq!(other, [""; 0]);
        assert_eq!((underlay.routes.len(), underlay.neighbours.len()), (4, 1));
        let way = |to: &str| underlay.route(to.parse().unwrap(), 0);
        assert_eq!(way("172.18.0.3").and_then(|it| it.gateway), None);
        assert_eq!(way("192.0.2.7").and_then(|it| it.gateway), "172.18.0.1".parse().ok());
        assert_eq!(way("10.244.0.9").map(|it| it.device.as_str()), Some("ovn-k8s-mp0"));
        assert_eq!(way("fd00::1"), None);
        assert_eq!(underlay.route("172.18.0.3".parse().unwrap(), 42), None);
        assert_eq!(underlay.neighbour("br-ex", "172.18.0.3".parse().unwrap()), Some(0x0242_ac12_0003));
        assert_eq!(underlay.neighbour("br-int", "172.18.0.3".parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([ a-z0-9:./=\n-]|dev |Cached: |SRC |LOCAL ){0,60}") {
            let lines = text.lines().count();
            let (underlay, _) = Underlay::new(&text, &text);
            prop_assert!(underlay.routes.len() <= lines && underlay.neighbours.len() <= lines);
        }
    }
}
