//! Routes and the rules that choose their tables, as ip(8) prints them.

use crate::{interface::after, json, lines::Parsed};
use ipnet::IpNet;
use std::net::IpAddr;

/// A route: `[type] prefix key value … flag …`, and a line for each next hop where there are several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    words: Vec<String>,
    /// `nexthop via … dev … weight 1`.
    pub(crate) hops: Vec<String>,
    /// Its `default` is `::/0`.
    v6: bool,
}

/// The types of rtnetlink(7), as ip writes them.
pub(crate) const TYPES: [&str; 10] = [
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
    /// What kind of route it is, if it is no ordinary one.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.words.first().map(String::as_str).filter(|word| TYPES.contains(word))
    }

    /// `10.96.0.0/16`, `default`.
    pub(crate) fn prefix(&self) -> &str {
        self.words.get(usize::from(self.kind().is_some())).map_or("", String::as_str)
    }

    /// The prefix as a network.
    pub(crate) fn network(&self) -> Option<IpNet> {
        match self.prefix() {
            "default" => if self.v6 { "::/0" } else { "0.0.0.0/0" }.parse().ok(),
            prefix => prefix.parse().ok().or_else(|| prefix.parse().ok().map(|host: IpAddr| host.into())),
        }
    }

    /// `via`, `dev`, `src`, `mtu`, `metric`.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        after(&self.words, key)
    }

    /// Its table; ip leaves out `main`.
    pub(crate) fn table(&self) -> &str {
        self.get("table").unwrap_or("main")
    }

    fn metric(&self) -> u32 {
        self.get("metric").and_then(|metric| metric.parse().ok()).unwrap_or(0)
    }

    /// The words after the prefix without the table: what the route does.
    pub(crate) fn actions(&self) -> Vec<&str> {
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

    /// What else the route says, without what has a field of its own and the time that is left to it.
    pub(crate) fn attributes(&self) -> Vec<String> {
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

    /// Each interface that it leads through.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = &str> {
        let hops = self
            .hops
            .iter()
            .filter_map(|hop| hop.split_whitespace().skip_while(|word| *word != "dev").nth(1));
        self.get("dev").into_iter().chain(hops)
    }

    /// As ip prints it.
    pub(crate) fn text(&self) -> String {
        self.hops.iter().fold(self.words.join(" "), |text, hop| text + "\n    " + hop)
    }
}

/// Reads `ip route show table all`, which has the routes of both families, as text or JSON.
pub(crate) fn parse(text: &str) -> Parsed<Route> {
    let text = &json::plain(text, json::route);
    let mut parsed = Parsed::<Route>::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if line.starts_with(char::is_whitespace) {
            match parsed.rows.last_mut().filter(|_| words.first().is_some_and(|word| word == "nexthop")) {
                Some(route) => route.hops.push(words.join(" ")),
                None => parsed.other.push(line.to_owned()),
            }
            continue;
        }
        let route = Route { words, hops: Vec::new(), v6: false };
        // Of IPv6 even a `default` has `pref medium`, or a next hop that tells.
        let v6 = route.get("pref").is_some() || route.get("via").is_some_and(|via| via.contains(':'));
        let route = Route { v6, ..route };
        match route.network() {
            Some(_) => parsed.rows.push(route),
            None => parsed.other.push(line.to_owned()),
        }
    }
    parsed
}

/// A rule: `30: from all fwmark 0x1745ec lookup 7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Lower ones come first.
    pub(crate) priority: u32,
    words: Vec<String>,
}

impl Rule {
    /// Reads a line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (priority, rest) = line.split_once(':')?;
        let words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
        Some(Self { priority: priority.trim().parse().ok()?, words }).filter(|rule| !rule.words.is_empty())
    }

    /// Reads a list of rules, as text or JSON.
    pub(crate) fn parse_all(text: &str) -> Parsed<Self> {
        Parsed::of_lines(&json::plain(text, json::rule), Self::parse)
    }

    /// Without the priority.
    pub(crate) fn text(&self) -> String {
        self.words.join(" ")
    }

    /// `from`, `to`, `iif`, `fwmark`, `lookup`.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        after(&self.words, key)
    }

    /// The mark that it asks for, with the mask.
    pub(crate) fn mark(&self) -> Option<(u32, u32)> {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        let word = self.get("fwmark")?;
        let (mark, mask) = word.split_once('/').map_or((word, None), |(mark, mask)| (mark, Some(mask)));
        Some((number(mark)?, mask.map_or(Some(u32::MAX), number)?))
    }

    /// Does it apply to a packet of the host itself? None: it asks for something that is not known.
    fn applies(&self, to: IpAddr, mark: u32) -> Option<bool> {
        const KNOWN: [&str; 5] = ["from", "to", "fwmark", "lookup", "proto"];
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            if !KNOWN.contains(&word.as_str()) {
                return None;
            }
            words.next();
        }
        let holds =
            |prefix: &str| prefix == "all" || prefix.parse::<IpNet>().is_ok_and(|net| net.contains(&to));
        let host = |prefix: &str| prefix.parse() == Ok(to);
        if self.get("from").is_some_and(|from| from != "all") {
            // The source is chosen with the route.
            return Some(false);
        }
        let marked = match (self.get("fwmark"), self.mark()) {
            (None, _) => true,
            (Some(_), Some((wanted, mask))) => mark & mask == wanted & mask,
            (Some(_), None) => return None,
        };
        Some(marked && self.get("to").is_none_or(|to| holds(to) || host(to)))
    }
}

/// What a packet of the host to an address would meet.
pub(crate) struct Found<'a> {
    /// The rule that led to the table.
    pub(crate) rule: &'a Rule,
    /// The route.
    pub(crate) route: &'a Route,
}

/// The route to an address by what was recorded: the first rule whose table has one, in it the longest prefix, then
/// the lowest metric. Rules that ask for what is not known come back beside.
pub(crate) fn lookup<'a>(
    rules: &'a [Rule],
    routes: &'a [Route],
    to: IpAddr,
    mark: u32,
) -> (Option<Found<'a>>, Vec<&'a Rule>) {
    let mut unknown = Vec::new();
    let mut sorted: Vec<&Rule> = rules.iter().collect();
    sorted.sort_by_key(|rule| rule.priority);
    for rule in sorted {
        match rule.applies(to, mark) {
            None => unknown.push(rule),
            Some(false) => {}
            Some(true) => {
                let table = rule.get("lookup").unwrap_or_default();
                if let Some(route) = best(routes.iter().filter(|route| route.table() == table), to)
                    && route.kind() != Some("throw")
                {
                    return (Some(Found { rule, route }), unknown);
                }
            }
        }
    }
    (None, unknown)
}

/// The route with the longest prefix, then the lowest metric.
pub(crate) fn best<'a>(routes: impl Iterator<Item = &'a Route>, to: IpAddr) -> Option<&'a Route> {
    let fitting = routes.filter(|route| {
        route.kind() != Some("multicast") && route.network().is_some_and(|net| net.contains(&to))
    });
    fitting.min_by_key(|route| {
        let length = route.network().map_or(0, |net| net.prefix_len());
        (std::cmp::Reverse(length), route.metric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::Parsed;

    const ROUTES: &str = "10.96.0.0/16 via 10.244.2.1 dev ovn-k8s-mp0 table 7 \ndefault via 172.18.0.1 dev br-ex \n\
                          10.96.0.0/16 via 169.254.0.4 dev br-ex src 169.254.0.2 mtu 1400 \nblackhole 10.9.0.0/16 metric 5 \n\
                          10.9.0.0/24 proto bgp metric 20\n\tnexthop via 172.18.0.3 dev br-ex weight 1 \n\
                          \tnexthop via 172.18.0.4 dev br-ex weight 1 \nlocal 172.18.0.4 dev br-ex table local scope host\n";
    const RULES: &str = "0:\tfrom all lookup local\n30:\tfrom all fwmark 0x1745ec lookup 7\n40:\tfrom all iif eth9 lookup 8\n32766:\tfrom all lookup main\n";

    fn tokens(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    #[test]
    fn recorded_routes_and_rules_are_printed_again() {
        for text in crate::recorded::files("ip_route") {
            let parsed = parse(&text);
            let printed: String = parsed.rows.iter().map(|route| route.text() + "\n").collect();
            assert_eq!((tokens(&printed), parsed.other.len()), (tokens(&text), 0));
        }
        for text in crate::recorded::files("ip_rule") {
            let parsed = Rule::parse_all(&text);
            let print = |rule: &Rule| format!("{}: {}\n", rule.priority, rule.text());
            let printed: String = parsed.rows.iter().map(print).collect();
            assert_eq!((tokens(&printed), parsed.other.len()), (tokens(&text), 0));
        }
    }

    #[test]
    fn an_address_takes_the_way_that_the_rules_give() {
        let routes = parse(ROUTES);
        let rules = Parsed::of_lines(RULES, Rule::parse);
        assert_eq!((routes.rows.len(), routes.other.len(), rules.rows.len()), (6, 0, 4));
        let find = |to: &str, mark| {
            let (found, unknown) = lookup(&rules.rows, &routes.rows, to.parse().unwrap(), mark);
            (found.map(|found| (found.rule.priority, found.route.text())), unknown.len())
        };
        assert_eq!(
            find("10.96.0.1", 0).0.unwrap().1,
            "10.96.0.0/16 via 169.254.0.4 dev br-ex src 169.254.0.2 mtu 1400"
        );
        assert_eq!(find("10.96.0.1", 0x17_45ec).0.unwrap().0, 30);
        assert_eq!(find("10.9.1.1", 0).0.unwrap().1, "blackhole 10.9.0.0/16 metric 5");
        assert!(
            find("10.9.0.1", 0).0.unwrap().1.ends_with("\n    nexthop via 172.18.0.4 dev br-ex weight 1")
        );
        assert_eq!(find("172.18.0.4", 0).0.unwrap().0, 0);
        // Rule 40 might have led elsewhere.
        assert_eq!(find("8.8.8.8", 0).1, 1);
        assert_eq!(find("2001:db8::1", 0).0, None);
    }
}
