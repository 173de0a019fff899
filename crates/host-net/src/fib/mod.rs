//! Finds the route of a packet by policy rules and routes, as the kernel does.
//!
//! The kernel evaluates the rules in their order. A rule that matches the packet names a table. From this table, the
//! kernel takes the route with the longest prefix. Among routes with the same prefix, it takes the one for the packet's
//! type of service with the lowest metric. If the table has no route, or a `throw` route, the kernel continues with the
//! next rule. If a rule depends on a property of the packet that is not known (the user who sends it, its ports), the
//! evaluation branches: [`Fib::lookup`] returns all possible results, with the rules that decide between them.

mod flow;

pub use flow::{Assumption, Branch, Flow, LookupResult, Verdict};

use crate::{
    interface::Interface,
    route::{NextHop, Route, table_name},
    rule::{Action, RoutingRule, Selector},
};
use ipnet::IpNet;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

/// The rules and routes of a host for one address family.
#[derive(Debug)]
pub struct Fib<'a> {
    rules: Vec<&'a RoutingRule>,
    tables: HashMap<&'a str, Vec<&'a Route>>,
    /// The group of each interface.
    groups: HashMap<&'a str, &'a str>,
    /// The routing table of each VRF.
    vrfs: BTreeMap<String, String>,
    /// Whether `ignore_routes_with_linkdown` is set.
    ignore_linkdown: bool,
    v6: bool,
}

/// The largest number of branches, and of assumptions in one branch.
const MAX_BRANCHES: usize = 32;

/// Whether a rule matches a packet. `Unknown` lists the selectors that cannot be decided.
enum RuleMatch {
    Yes,
    No,
    Unknown(Vec<String>),
}

/// The next step after a rule that matches.
enum Step<'a> {
    /// Continues with the next rule.
    Next,
    /// Continues with the rule at this index.
    Jump(usize),
    Done(Verdict<'a>),
    /// The verdict applies only if the condition in the text is true, which is not known.
    Perhaps(Verdict<'a>, String),
}

impl<'a> Fib<'a> {
    /// Creates the lookup for one address family. It ignores routes of the other family.
    pub fn new(rules: &'a [RoutingRule], routes: &'a [Route], v6: bool) -> Self {
        let mut rules: Vec<&RoutingRule> = rules.iter().collect();
        rules.sort_by_key(|rule| rule.priority);
        let mut tables: HashMap<&str, Vec<&Route>> = HashMap::new();
        for route in routes.iter().filter(|route| route.network().addr().is_ipv6() == v6) {
            tables.entry(route.table()).or_default().push(route);
        }
        let (groups, vrfs) = (HashMap::new(), BTreeMap::new());
        Self { rules, tables, groups, vrfs, ignore_linkdown: false, v6 }
    }

    /// Adds the interfaces, which define the interface groups and the tables of VRFs.
    #[must_use]
    pub fn with_interfaces(mut self, interfaces: &'a [Interface]) -> Self {
        self.groups = interfaces.iter().filter_map(|it| Some((it.name.as_str(), it.get("group")?))).collect();
        let table = |it: &Interface| Some((it.name.clone(), table_name(it.vrf_table()?).to_owned()));
        self.vrfs = interfaces.iter().filter_map(table).collect();
        self
    }

    /// Ignores next hops without a carrier, as with `net.ipv4.conf.*.ignore_routes_with_linkdown`.
    #[must_use]
    pub fn ignoring_linkdown(mut self) -> Self {
        self.ignore_linkdown = true;
        self
    }

    /// Returns all possible results for a packet.
    pub fn lookup(&self, flow: &Flow) -> LookupResult<'a> {
        let mut ways = LookupResult { branches: Vec::new(), cut: false };
        if let Some(verdict) = without_tables(flow) {
            ways.branches.push(Branch { assumed: Vec::new(), verdict });
            return ways;
        }
        let mut open = vec![(0, Vec::new())];
        while let Some((at, assumed)) = open.pop() {
            ways.cut |= ways.branches.len() >= MAX_BRANCHES;
            if ways.cut {
                break;
            }
            self.walk(flow, at, assumed, &mut ways, &mut open);
        }
        ways
    }

    /// Evaluates the rules from an index on until one decides. It adds alternatives that have to be evaluated later to
    /// `open`.
    fn walk(
        &self,
        flow: &Flow,
        mut at: usize,
        mut assumed: Vec<Assumption<'a>>,
        ways: &mut LookupResult<'a>,
        open: &mut Vec<(usize, Vec<Assumption<'a>>)>,
    ) {
        while let Some(rule) = self.rules.get(at).copied() {
            let unknown = match self.rule_matches(rule, flow) {
                RuleMatch::No => {
                    at += 1;
                    continue;
                }
                RuleMatch::Yes => Vec::new(),
                RuleMatch::Unknown(_) if assumed.len() >= MAX_BRANCHES => {
                    ways.cut = true;
                    return;
                }
                RuleMatch::Unknown(unknown) => unknown,
            };
            let (verdict, unknown) = match self.step(rule, at, flow) {
                Step::Next => {
                    at += 1;
                    continue;
                }
                Step::Jump(to) if unknown.is_empty() => {
                    at = to;
                    continue;
                }
                Step::Jump(to) => {
                    open.push((at + 1, with_assumption(&assumed, rule, unknown.clone(), false)));
                    assumed = with_assumption(&assumed, rule, unknown, true);
                    at = to;
                    continue;
                }
                Step::Done(verdict) => (verdict, unknown),
                Step::Perhaps(verdict, why) => (verdict, [unknown, vec![why]].concat()),
            };
            if !unknown.is_empty() {
                open.push((at + 1, with_assumption(&assumed, rule, unknown.clone(), false)));
                assumed = with_assumption(&assumed, rule, unknown, true);
            }
            ways.branches.push(Branch { assumed, verdict: self.or_on_link(flow, verdict) });
            return;
        }
        ways.branches.push(Branch { assumed, verdict: self.or_on_link(flow, Verdict::Unreachable) });
    }

    /// Replaces a failed lookup for an IPv4 socket that is bound to an interface, because such a socket sends there
    /// anyway.
    fn or_on_link(&self, flow: &Flow, verdict: Verdict<'a>) -> Verdict<'a> {
        let failed = match &verdict {
            Verdict::Route { routes, .. } => routes.iter().any(|route| route.kind().is_some_and(refuses)),
            Verdict::Refused { .. } | Verdict::Unreachable => true,
            Verdict::OnLink { .. } | Verdict::NoLookup(_) => false,
        };
        match &flow.output {
            Some(dev) if failed && !self.v6 && flow.input.is_none() && flow.vrf.is_none() => {
                Verdict::OnLink { dev: dev.clone() }
            }
            _ => verdict,
        }
    }

    fn rule_matches(&self, rule: &RoutingRule, flow: &Flow) -> RuleMatch {
        let mut unknown = Vec::new();
        let mut all = true;
        for selector in &rule.selectors {
            match self.selector_matches(selector, flow) {
                Some(true) => {}
                Some(false) => all = false,
                None => unknown.push(selector.name()),
            }
        }
        match (all, unknown.is_empty()) {
            (false, _) if rule.not => RuleMatch::Yes,
            (false, _) => RuleMatch::No,
            (true, true) if rule.not => RuleMatch::No,
            (true, true) => RuleMatch::Yes,
            (true, false) => RuleMatch::Unknown(unknown),
        }
    }

    /// Returns whether a packet matches a selector, or `None` if it is not known.
    fn selector_matches(&self, selector: &Selector, flow: &Flow) -> Option<bool> {
        let sent = flow.input.is_none();
        match selector {
            Selector::From(net) => Some(self.source_matches(net, flow)),
            Selector::To(net) => Some(net.contains(&flow.to)),
            // IPv4 routing uses only these bits of the type of service.
            Selector::Tos(tos) => Some(*tos == flow.tos & if self.v6 { 0xfc } else { 0x1c }),
            Selector::Dscp(dscp) => Some(*dscp == flow.tos >> 2),
            Selector::Mark { mark, mask } => Some((mark ^ flow.mark) & mask == 0),
            Selector::Input(name) => Some(match &flow.input {
                None => name == "lo" || flow.vrf.as_ref() == Some(name),
                Some(input) => input == name || flow.vrf.as_ref() == Some(name),
            }),
            Selector::Output(name) => {
                Some(flow.output.as_ref() == Some(name) || flow.vrf.as_ref() == Some(name))
            }
            Selector::L3mdev => Some(flow.vrf.is_some()),
            // For the kernel, a packet that arrives belongs to user 0.
            Selector::Uid(from, to) => match flow.uid {
                Some(uid) => Some((from..=to).contains(&&uid)),
                None if sent => None,
                None => Some((from..=to).contains(&&0)),
            },
            Selector::Protocol(number) => flow.protocol.map(|of| of == *number),
            Selector::SourcePort(from, to) => flow.source_port.map(|port| (from..=to).contains(&&port)),
            Selector::DestinationPort(from, to) => {
                flow.destination_port.map(|port| (from..=to).contains(&&port))
            }
            Selector::Detached => Some(false),
            Selector::Unknown(_) => None,
        }
    }

    /// Returns true if the source of a packet is in the network. Without a source, IPv4 compares 0.0.0.0, and IPv6
    /// matches only a network of length 0.
    fn source_matches(&self, net: &IpNet, flow: &Flow) -> bool {
        match flow.from {
            Some(from) => net.contains(&from),
            None if net.prefix_len() == 0 => true,
            None => !self.v6 && net.contains(&IpAddr::from([0, 0, 0, 0])),
        }
    }

    fn step(&self, rule: &'a RoutingRule, at: usize, flow: &Flow) -> Step<'a> {
        let table = match &rule.action {
            Action::Lookup(table) => table_name(table),
            Action::L3mdev => match flow.vrf.as_ref().and_then(|vrf| self.vrfs.get(vrf)) {
                Some(table) => table.as_str(),
                None => return Step::Next,
            },
            // The target must come later. The kernel ignores a goto without a target.
            Action::Goto(priority) => {
                let to = self.rules.partition_point(|rule| rule.priority < *priority);
                let target = self.rules.get(to).filter(|rule| rule.priority == *priority && to > at);
                return target.map_or(Step::Next, |_| Step::Jump(to));
            }
            Action::Nop => return Step::Next,
            Action::Refuse(kind) => return Step::Done(Verdict::Refused { rule, kind }),
            Action::Unknown => return Step::Next,
        };
        let Some((routes, hops)) = self.lookup_in_table(table, flow) else { return Step::Next };
        let first = routes.first().copied();
        let refused = first.and_then(Route::kind).is_some_and(refuses);
        let length = first.map_or(0, |route| route.network().prefix_len());
        let verdict = Verdict::Route { rule, table: table.to_owned(), routes, hops };
        if refused {
            return Step::Done(verdict);
        }
        if rule.suppress_prefix.is_some_and(|most| length <= most) {
            return Step::Next;
        }
        let dev = first.and_then(|route| route.next_hops().first().and_then(|hop| hop.dev));
        match (&rule.suppress_group, dev) {
            (Some(group), Some(dev)) => match self.groups.get(dev) {
                Some(of) if of == group => Step::Next,
                Some(_) => Step::Done(verdict),
                None => Step::Perhaps(verdict, format!("suppress_ifgroup {group}: the group of {dev}")),
            },
            _ => Step::Done(verdict),
        }
    }

    /// Looks up a packet in a table. Returns `None` if the table has no route for it, or a `throw` route.
    fn lookup_in_table(&self, table: &str, flow: &Flow) -> Option<(Vec<&'a Route>, Vec<NextHop<'a>>)> {
        let contains = |route: &&&Route| route.network().contains(&flow.to);
        let of_prefixes: Vec<&Route> = self.tables.get(table)?.iter().filter(contains).copied().collect();
        // If an IPv6 prefix has routes for some sources, the kernel does not find its route for all sources. The prefix
        // `default` is an exception.
        let is_hidden = |route: &Route| {
            let of_prefix = |other: &&Route| other.network() == route.network() && other.sources().is_some();
            self.v6 && route.network().prefix_len() > 0 && of_prefixes.iter().any(of_prefix)
        };
        let fits = |route: &&Route| match route.sources() {
            None => !is_hidden(route),
            Some(net) => flow.from.is_some_and(|from| net.contains(&from)),
        };
        // An IPv6 route without a next hop belongs to `lo`, so it does not match a packet that is bound to another
        // interface.
        let bound = self.required_interface(flow).filter(|dev| self.v6 && *dev != "lo");
        let of_other_interface = |route: &Route| bound.is_some() && route.kind().is_some_and(leads_nowhere);
        let mut fitting: Vec<&Route> =
            of_prefixes.iter().copied().filter(fits).filter(|route| !of_other_interface(route)).collect();
        let rank = |route: &Route| {
            let source = route.sources().map_or(0, |net| net.prefix_len());
            let tos = if self.v6 { 0 } else { route.service() };
            (Reverse(route.network().prefix_len()), Reverse(source), Reverse(tos), route.metric())
        };
        fitting.sort_by_key(|route| rank(route));
        let mut fitting = fitting.as_slice();
        while let Some(first) = fitting.first().copied() {
            // For IPv6, all routes of the same rank are candidates. For IPv4, only the route that was created first is
            // a candidate.
            let equal = if self.v6 {
                fitting.iter().take_while(|route| rank(route) == rank(first)).count()
            } else {
                1
            };
            let (these, rest) = fitting.split_at_checked(equal)?;
            fitting = rest;
            if !self.v6 && first.service() != 0 && first.service() != flow.tos & 0x1c {
                continue;
            }
            match first.kind() {
                Some("throw") => return None,
                Some(kind) if refuses(kind) => return Some((vec![first], Vec::new())),
                _ => {}
            }
            let alive: Vec<(&Route, Vec<NextHop<'_>>)> = these
                .iter()
                .map(|route| (*route, self.usable_hops(route, flow)))
                .filter(|it| !it.1.is_empty())
                .collect();
            if !alive.is_empty() {
                let hops = alive.iter().flat_map(|(_, hops)| hops.iter().copied()).collect();
                return Some((alive.into_iter().map(|(route, _)| route).collect(), hops));
            }
        }
        None
    }

    /// Returns the next hops of a route that the kernel may use for a packet.
    fn usable_hops(&self, route: &'a Route, flow: &Flow) -> Vec<NextHop<'a>> {
        let bound = self.required_interface(flow);
        let usable = |hop: &NextHop<'_>| {
            !(hop.dead || hop.linkdown && self.ignore_linkdown)
                && bound.is_none_or(|bound| hop.dev == Some(bound))
        };
        route.next_hops().into_iter().filter(usable).collect()
    }
}

impl Fib<'_> {
    /// Returns the interface that a next hop must have, if any. An IPv6 socket that is bound to an interface and has a
    /// source may send through another interface, unless the destination is valid on one link only.
    fn required_interface<'f>(&self, flow: &'f Flow) -> Option<&'f str> {
        let of_link = match flow.to {
            IpAddr::V4(_) => false,
            IpAddr::V6(to) => to.is_multicast() || to.is_unicast_link_local() || to.is_loopback(),
        };
        match &flow.input {
            Some(input) => Some(input.as_str()).filter(|_| of_link),
            None => flow.output.as_deref().filter(|_| !self.v6 || of_link || flow.from.is_none()),
        }
    }
}

impl Selector {
    /// Returns the condition as `ip rule` prints it.
    fn name(&self) -> String {
        match self {
            Self::From(net) => format!("from {net}"),
            Self::To(net) => format!("to {net}"),
            Self::Tos(tos) => format!("tos {tos:#x}"),
            Self::Dscp(dscp) => format!("dscp {dscp}"),
            Self::Mark { mark, mask } => format!("fwmark {mark:#x}/{mask:#x}"),
            Self::Input(name) => format!("iif {name}"),
            Self::Output(name) => format!("oif {name}"),
            Self::L3mdev => "the VRF".into(),
            Self::Uid(from, to) => format!("uidrange {from}-{to}"),
            Self::Protocol(number) => format!("ipproto {number}"),
            Self::SourcePort(from, to) => format!("sport {from}-{to}"),
            Self::DestinationPort(from, to) => format!("dport {from}-{to}"),
            Self::Detached => "an interface that does not exist".into(),
            Self::Unknown(word) => word.clone(),
        }
    }
}

/// Returns true if a route of this type refuses packets.
pub(crate) fn refuses(kind: &str) -> bool {
    matches!(kind, "unreachable" | "prohibit" | "blackhole")
}

/// Returns whether a route of this kind has no next hop.
fn leads_nowhere(kind: &str) -> bool {
    kind == "throw" || refuses(kind)
}

fn with_assumption<'a>(
    assumed: &[Assumption<'a>],
    rule: &'a RoutingRule,
    unknown: Vec<String>,
    applies: bool,
) -> Vec<Assumption<'a>> {
    let mut assumed = assumed.to_vec();
    assumed.push(Assumption { rule, unknown, applies });
    assumed
}

/// Returns the verdict for IPv4 packets that the kernel routes without these tables.
fn without_tables<'a>(flow: &Flow) -> Option<Verdict<'a>> {
    let IpAddr::V4(to) = flow.to else { return None };
    let local_multicast = to.octets().starts_with(&[224, 0, 0]);
    match (&flow.input, &flow.output) {
        (Some(_), _) if to.is_multicast() => Some(Verdict::NoLookup(
            "an arriving multicast packet is delivered to joined groups or follows multicast routes",
        )),
        (Some(_), _) if to.is_broadcast() => {
            Some(Verdict::NoLookup("an arriving broadcast packet is delivered to the host"))
        }
        (None, Some(dev)) if local_multicast || to.is_broadcast() => {
            Some(Verdict::OnLink { dev: dev.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
