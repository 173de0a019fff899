//! The network under the tunnels of a switch that does the tunnelling itself: routes and neighbours, as Open vSwitch prints
//! them.

use ipnet::IpNet;
use std::net::IpAddr;

/// A line of `ovs-appctl ovs/route/show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub network: IpNet,
    /// By which device.
    pub device: String,
    /// By which gateway, if by any.
    pub gateway: Option<IpAddr>,
    /// The address to send from.
    pub source: Option<IpAddr>,
    /// It is an address of the device itself.
    pub local: bool,
    /// The mark of the packets that it is for.
    pub mark: u32,
    /// A person has added it: it counts as 32 bits more specific than it is.
    pub user: bool,
}

/// A line of `ovs-appctl tnl/neigh/show` (before Open vSwitch 2.6 `tnl/arp/show`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The address.
    pub address: IpAddr,
    /// Its MAC address.
    pub mac: u128,
    /// The bridge that has learnt it.
    pub bridge: String,
}

/// By what tunnels find their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Underlay {
    /// The routes.
    pub routes: Vec<Route>,
    /// The neighbours.
    pub neighbours: Vec<Neighbour>,
}

impl Underlay {
    /// Of what `ovs/route/show` and `tnl/neigh/show` printed.
    pub fn new(routes: &str, neighbours: &str) -> Self {
        Self {
            routes: routes.lines().filter_map(route).collect(),
            neighbours: neighbours.lines().filter_map(neighbour).collect(),
        }
    }

    /// The most specific route to an address, for packets with a mark (`pkt_mark`).
    pub fn route(&self, to: IpAddr, mark: u32) -> Option<&Route> {
        let fits = |route: &&Route| !route.local && route.mark == mark && route.network.contains(&to);
        let routes = self.routes.iter().filter(fits);
        routes.max_by_key(|route| route.network.prefix_len() + if route.user { 32 } else { 0 })
    }

    /// The MAC address of a neighbour of a bridge.
    pub(crate) fn neighbour(&self, bridge: &str, address: IpAddr) -> Option<u128> {
        let found = self.neighbours.iter().find(|it| it.bridge == bridge && it.address == address);
        found.map(|it| it.mac)
    }
}

/// `Cached: 172.18.0.0/16 MARK 42 dev br-ex GW 172.18.0.1 SRC 172.18.0.2 local`
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

/// `172.18.0.3 02:42:ac:12:00:03 br-ex`
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
    fn the_way_to_the_other_end() {
        let routes = "Route Table:\n\
             Cached: 172.18.0.2/32 dev br-ex SRC 172.18.0.2 local\n\
             Cached: 172.18.0.0/16 dev br-ex SRC 172.18.0.2\n\
             Cached: 10.244.0.0/24 dev ovn-k8s-mp0 SRC 10.244.0.2\n\
             Cached: 0.0.0.0/0 dev br-ex GW 172.18.0.1 SRC 172.18.0.2\n";
        let neighbours = "IP                                            MAC                 Bridge\n==========\n172.18.0.3                                    02:42:ac:12:00:03   br-ex\n";
        let underlay = Underlay::new(routes, neighbours);
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
        fn nothing_makes_it_fail(text in "([ a-z0-9:./=\n-]|dev |Cached: |SRC |LOCAL ){0,60}") {
            let lines = text.lines().count();
            let underlay = Underlay::new(&text, &text);
            prop_assert!(underlay.routes.len() <= lines && underlay.neighbours.len() <= lines);
        }
    }
}
