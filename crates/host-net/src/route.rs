//! Routes, from the output of `ip route`.

use crate::{
    interface::word_after,
    json,
    lines::{Parsed, Text},
    rule::service,
};
use ipnet::IpNet;
use std::net::IpAddr;

/// A route: `[type] prefix key value … flag …`, and one line for each next hop if there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    words: Vec<String>,
    /// The next hops that have their own line: `nexthop via … dev … weight 1`.
    pub hops: Vec<String>,
    network: IpNet,
}

/// A next hop of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop<'a> {
    /// The address of the gateway, or `None` if the destination is on the link.
    pub via: Option<&'a str>,
    /// The interface.
    pub dev: Option<&'a str>,
    /// Whether the kernel does not use the next hop because its interface is down.
    pub dead: bool,
    /// Whether the interface has no carrier.
    pub linkdown: bool,
}

/// The route types of rtnetlink(7), as ip prints them.
pub const ROUTE_TYPES: [&str; 10] = [
    "unicast",
    "local",
    "broadcast",
    "multicast",
    "throw",
    "unreachable",
    "prohibit",
    "blackhole",
    "nat",
    "anycast",
];

impl Route {
    /// Returns the type of the route, or `None` if ip printed none, which means `unicast`.
    pub fn kind(&self) -> Option<&str> {
        kind(&self.words)
    }

    /// Returns the prefix as printed: `10.96.0.0/16`, `default`.
    pub fn prefix(&self) -> &str {
        prefix(&self.words)
    }

    /// Returns the prefix as a network.
    pub fn network(&self) -> IpNet {
        self.network
    }

    /// Returns the value of a key such as `via`, `dev`, `src`, `mtu` or `metric`.
    pub fn get(&self, key: &str) -> Option<&str> {
        word_after(&self.words, key)
    }

    /// Returns the routing table. ip omits `main`.
    pub fn table(&self) -> &str {
        table_name(self.get("table").unwrap_or("main"))
    }

    /// Returns the metric. Among routes with the same prefix, the kernel uses the one with the lowest metric.
    pub fn metric(&self) -> u32 {
        self.get("metric").and_then(|metric| metric.parse().ok()).unwrap_or(0)
    }

    /// Returns the type of service that the route applies to. 0 stands for all.
    pub fn service(&self) -> u8 {
        self.get("tos").and_then(service).unwrap_or(0)
    }

    /// Returns the source network that an IPv6 route applies to, or `None` for all sources.
    pub fn sources(&self) -> Option<IpNet> {
        network(self.get("from")?, self.network.addr().is_ipv6())
    }

    /// Returns the words after the prefix without the table.
    pub fn actions(&self) -> Vec<&str> {
        let from = 1 + usize::from(self.kind().is_some());
        let mut words = self.words.iter().skip(from).map(String::as_str);
        let mut actions = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "table" => _ = words.next(),
                word => actions.push(word),
            }
        }
        actions
    }

    /// Returns the remaining attributes: without gateway, interface, source, MSS, metric and remaining lifetime.
    pub fn attributes(&self) -> Vec<String> {
        let actions = self.actions();
        let mut words = actions.into_iter();
        let mut attributes = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "via" | "dev" | "src" | "advmss" | "metric" | "expires" => _ = words.next(),
                "proto" | "scope" | "pref" | "error" => {
                    attributes.push(format!("{word} {}", words.next().unwrap_or_default()))
                }
                "mtu" => {
                    let value = match words.next() {
                        Some("lock") => format!("lock {}", words.next().unwrap_or_default()),
                        value => value.unwrap_or_default().to_owned(),
                    };
                    attributes.push(format!("mtu {value}"));
                }
                word => attributes.push(word.to_owned()),
            }
        }
        attributes
    }

    /// Returns the next hops: those that have their own line, or the one in the line of the route.
    pub fn next_hops(&self) -> Vec<NextHop<'_>> {
        if self.hops.is_empty() {
            return vec![NextHop::of(self.words.iter().map(String::as_str))];
        }
        self.hops.iter().map(|hop| NextHop::of(hop.split_whitespace())).collect()
    }

    /// Returns the interfaces of all next hops.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        let hops = self
            .hops
            .iter()
            .filter_map(|hop| hop.split_whitespace().skip_while(|word| *word != "dev").nth(1));
        self.get("dev").into_iter().chain(hops)
    }

    /// Prints the route as ip does.
    pub fn text(&self) -> String {
        self.hops.iter().fold(self.words.join(" "), |text, hop| text + "\n    " + hop)
    }

    /// Prints the route as ip does, but in one line.
    pub fn line(&self) -> String {
        self.hops.iter().fold(self.words.join(" "), |text, hop| text + " " + hop)
    }
}

impl<'a> NextHop<'a> {
    fn of(words: impl Iterator<Item = &'a str>) -> Self {
        let mut hop = Self { via: None, dev: None, dead: false, linkdown: false };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            match word {
                "via" => {
                    // An IPv4 route may have an IPv6 gateway: `via inet6 fe80::1`.
                    _ = words.next_if(|word| matches!(*word, "inet" | "inet6"));
                    hop.via = words.next();
                }
                "dev" => hop.dev = words.next(),
                "dead" => hop.dead = true,
                "linkdown" => hop.linkdown = true,
                _ => {}
            }
        }
        hop
    }
}

fn kind(words: &[String]) -> Option<&str> {
    words.first().map(String::as_str).filter(|word| ROUTE_TYPES.contains(word))
}

fn prefix(words: &[String]) -> &str {
    words.get(usize::from(kind(words).is_some())).map_or("", String::as_str)
}

fn network(prefix: &str, v6: bool) -> Option<IpNet> {
    match prefix {
        "default" => if v6 { "::/0" } else { "0.0.0.0/0" }.parse().ok(),
        prefix => prefix.parse().ok().or_else(|| Some(IpNet::from(prefix.parse::<IpAddr>().ok()?))),
    }
}

/// Returns the built-in name of a table, for example `main` for `254`, or the table itself.
pub(crate) fn table_name(table: &str) -> &str {
    match table {
        "253" => "default",
        "254" => "main",
        "255" => "local",
        other => other,
    }
}

/// Parses `ip route show table all`, which contains the routes of both families, as text or JSON.
pub fn parse<'a>(text: impl Into<Text<'a>>) -> Parsed<Route> {
    let text = text.into();
    let plain = json::plain(text, json::route);
    let mut parsed = Parsed::<Route>::default();
    for line in text.with(&plain).lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if line.starts_with(char::is_whitespace) {
            match parsed.rows.last_mut().filter(|_| words.first().is_some_and(|word| word == "nexthop")) {
                Some(route) => route.hops.push(words.join(" ")),
                None => parsed.other.push(line.to_owned()),
            }
            continue;
        }
        // `default` does not show its family. An IPv6 route has `pref medium` or an IPv6 gateway.
        let v6 = word_after(&words, "pref").is_some()
            || word_after(&words, "via").is_some_and(|via| via.contains(':'));
        match network(prefix(&words), v6) {
            Some(network) => parsed.rows.push(Route { words, hops: Vec::new(), network }),
            None => parsed.other.push(line.to_owned()),
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops_have_gateways_interfaces_and_flags() {
        let text = "10.9.0.0/24 proto bgp metric 20\n\tnexthop via 172.18.0.3 dev br-ex weight 1\n\
                    \tnexthop via inet6 fe80::1 dev eth1 weight 2 dead linkdown\nlocal ::1 dev lo table 255 metric 0 pref medium\n\
                    default from fd00::/64 via fe80::2 dev eth1 metric 1024 pref medium\n20.0.0.0/8 tos 0x10 dev eth1\n";
        let routes = parse(text);
        assert_eq!((routes.rows.len(), routes.other.len()), (4, 0));
        let hops = routes.rows[0].next_hops();
        assert_eq!((hops[0].via, hops[0].dev, hops[0].dead), (Some("172.18.0.3"), Some("br-ex"), false));
        assert_eq!((hops[1].via, hops[1].dead, hops[1].linkdown), (Some("fe80::1"), true, true));
        assert_eq!((routes.rows[1].table(), routes.rows[1].kind()), ("local", Some("local")));
        let default = &routes.rows[2];
        assert_eq!(
            (default.network().to_string(), default.sources()),
            ("::/0".into(), "fd00::/64".parse().ok())
        );
        assert_eq!((routes.rows[3].service(), routes.rows[3].next_hops()[0].dev), (0x10, Some("eth1")));
    }
}
