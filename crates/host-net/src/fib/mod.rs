//! The way of a packet by policy rules and routes, as the kernel finds it.
//!
//! The kernel asks the rules in their order. A rule that selects the packet names a table; in it the kernel takes the route
//! with the longest prefix, and of those with one prefix that for the packet's type of service with the lowest metric. If the
//! table has no route, or has a `throw`, the next rule is asked. What nobody knows about the packet (the user who sends it,
//! its ports) becomes a branch: [`Fib::lookup`] returns all ways that are possible, with the rules that decide between them.

mod flow;

pub use flow::{Assumed, Branch, Flow, Verdict, Ways};

use crate::{
    interface::Interface,
    route::{Hop, Route, table_name},
    rule::{Action, Rule, Selector},
};
use ipnet::IpNet;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

/// The rules and routes of a host, of one family.
#[derive(Debug)]
pub struct Fib<'a> {
    rules: Vec<&'a Rule>,
    tables: HashMap<&'a str, Vec<&'a Route>>,
    /// The groups of interfaces, and the tables of VRFs.
    groups: HashMap<&'a str, &'a str>,
    vrfs: BTreeMap<String, String>,
    /// `ignore_routes_with_linkdown` is set.
    ignore_linkdown: bool,
    v6: bool,
}

/// Branches that are followed, and rules that one of them may assume something of.
const MOST: usize = 32;

/// Does a rule select a packet?
enum Selected {
    Yes,
    No,
    Unknown(Vec<String>),
}

/// What a rule leads to.
enum Step<'a> {
    /// The next rule is asked.
    Next,
    /// The rule at this place is asked.
    Jump(usize),
    Done(Verdict<'a>),
    /// It may be done: this is not known.
    Perhaps(Verdict<'a>, String),
}

impl<'a> Fib<'a> {
    /// The rules and routes of one family; routes of the other are left out.
    pub fn new(rules: &'a [Rule], routes: &'a [Route], v6: bool) -> Self {
        let mut rules: Vec<&Rule> = rules.iter().collect();
        rules.sort_by_key(|rule| rule.priority);
        let mut tables: HashMap<&str, Vec<&Route>> = HashMap::new();
        for route in routes.iter().filter(|route| route.network().addr().is_ipv6() == v6) {
            tables.entry(route.table()).or_default().push(route);
        }
        let (groups, vrfs) = (HashMap::new(), BTreeMap::new());
        Self { rules, tables, groups, vrfs, ignore_linkdown: false, v6 }
    }

    /// With the interfaces, which tell the groups that rules name and the tables of VRFs.
    #[must_use]
    pub fn with_interfaces(mut self, interfaces: &'a [Interface]) -> Self {
        self.groups = interfaces.iter().filter_map(|it| Some((it.name.as_str(), it.get("group")?))).collect();
        let table = |it: &Interface| Some((it.name.clone(), table_name(it.vrf_table()?).to_owned()));
        self.vrfs = interfaces.iter().filter_map(table).collect();
        self
    }

    /// With `net.ipv4.conf.*.ignore_routes_with_linkdown` set: next hops without a carrier are passed over.
    #[must_use]
    pub fn ignoring_linkdown(mut self) -> Self {
        self.ignore_linkdown = true;
        self
    }

    /// All ways of a packet that are possible.
    pub fn lookup(&self, flow: &Flow) -> Ways<'a> {
        let mut ways = Ways { branches: Vec::new(), cut: false };
        if let Some(verdict) = without_tables(flow) {
            ways.branches.push(Branch { assumed: Vec::new(), verdict });
            return ways;
        }
        let mut open = vec![(0, Vec::new())];
        while let Some((at, assumed)) = open.pop() {
            ways.cut |= ways.branches.len() >= MOST;
            if ways.cut {
                break;
            }
            self.walk(flow, at, assumed, &mut ways, &mut open);
        }
        ways
    }

    /// Asks the rules from one place on until one decides; what is possible beside it is left in `open`.
    fn walk(
        &self,
        flow: &Flow,
        mut at: usize,
        mut assumed: Vec<Assumed<'a>>,
        ways: &mut Ways<'a>,
        open: &mut Vec<(usize, Vec<Assumed<'a>>)>,
    ) {
        while let Some(rule) = self.rules.get(at).copied() {
            let unknown = match self.selects(rule, flow) {
                Selected::No => {
                    at += 1;
                    continue;
                }
                Selected::Yes => Vec::new(),
                Selected::Unknown(_) if assumed.len() >= MOST => {
                    ways.cut = true;
                    return;
                }
                Selected::Unknown(unknown) => unknown,
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
                    open.push((at + 1, with(&assumed, rule, unknown.clone(), false)));
                    assumed = with(&assumed, rule, unknown, true);
                    at = to;
                    continue;
                }
                Step::Done(verdict) => (verdict, unknown),
                Step::Perhaps(verdict, why) => (verdict, [unknown, vec![why]].concat()),
            };
            if !unknown.is_empty() {
                open.push((at + 1, with(&assumed, rule, unknown.clone(), false)));
                assumed = with(&assumed, rule, unknown, true);
            }
            ways.branches.push(Branch { assumed, verdict: self.finally(flow, verdict) });
            return;
        }
        ways.branches.push(Branch { assumed, verdict: self.finally(flow, Verdict::Nothing) });
    }

    /// A socket of IPv4 that is bound to an interface sends there even if the lookup fails.
    fn finally(&self, flow: &Flow, verdict: Verdict<'a>) -> Verdict<'a> {
        let failed = match &verdict {
            Verdict::Route { routes, .. } => routes.iter().any(|route| route.kind().is_some_and(refuses)),
            Verdict::Refused { .. } | Verdict::Nothing => true,
            Verdict::OnLink { .. } | Verdict::NotAsked(_) => false,
        };
        match &flow.output {
            Some(dev) if failed && !self.v6 && flow.input.is_none() && flow.vrf.is_none() => {
                Verdict::OnLink { dev: dev.clone() }
            }
            _ => verdict,
        }
    }

    fn selects(&self, rule: &Rule, flow: &Flow) -> Selected {
        let mut unknown = Vec::new();
        let mut all = true;
        for selector in &rule.selectors {
            match self.holds(selector, flow) {
                Some(true) => {}
                Some(false) => all = false,
                None => unknown.push(selector.name()),
            }
        }
        match (all, unknown.is_empty()) {
            (false, _) if rule.not => Selected::Yes,
            (false, _) => Selected::No,
            (true, true) if rule.not => Selected::No,
            (true, true) => Selected::Yes,
            (true, false) => Selected::Unknown(unknown),
        }
    }

    /// None: nobody knows.
    fn holds(&self, selector: &Selector, flow: &Flow) -> Option<bool> {
        let sent = flow.input.is_none();
        match selector {
            Selector::From(net) => Some(self.is_from(net, flow)),
            Selector::To(net) => Some(net.contains(&flow.to)),
            // Of IPv4 routing looks at four bits of the type of service.
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
            // To the kernel what arrives is the superuser's.
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

    /// Without a source IPv4 compares 0.0.0.0, and IPv6 has no rule that fits.
    fn is_from(&self, net: &IpNet, flow: &Flow) -> bool {
        match flow.from {
            Some(from) => net.contains(&from),
            None if net.prefix_len() == 0 => true,
            None => !self.v6 && net.contains(&IpAddr::from([0, 0, 0, 0])),
        }
    }

    fn step(&self, rule: &'a Rule, at: usize, flow: &Flow) -> Step<'a> {
        let table = match &rule.action {
            Action::Lookup(table) => table_name(table),
            Action::L3mdev => match flow.vrf.as_ref().and_then(|vrf| self.vrfs.get(vrf)) {
                Some(table) => table.as_str(),
                None => return Step::Next,
            },
            // The target must come later; a goto without one is passed over.
            Action::Goto(priority) => {
                let to = self.rules.partition_point(|rule| rule.priority < *priority);
                let target = self.rules.get(to).filter(|rule| rule.priority == *priority && to > at);
                return target.map_or(Step::Next, |_| Step::Jump(to));
            }
            Action::Nop => return Step::Next,
            Action::Refuse(kind) => return Step::Done(Verdict::Refused { rule, kind }),
            Action::Unknown => return Step::Next,
        };
        let Some((routes, hops)) = self.in_table(table, flow) else { return Step::Next };
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

    /// What a table has for a packet. None: nothing, or a `throw`.
    fn in_table(&self, table: &str, flow: &Flow) -> Option<(Vec<&'a Route>, Vec<Hop<'a>>)> {
        let contains = |route: &&&Route| route.network().contains(&flow.to);
        let of_prefixes: Vec<&Route> = self.tables.get(table)?.iter().filter(contains).copied().collect();
        // Where a prefix has routes for some sources, the kernel does not find that for all others, but for `default`.
        let is_hidden = |route: &Route| {
            let of_prefix = |other: &&Route| other.network() == route.network() && other.sources().is_some();
            self.v6 && route.network().prefix_len() > 0 && of_prefixes.iter().any(of_prefix)
        };
        let fits = |route: &&Route| match route.sources() {
            None => !is_hidden(route),
            Some(net) => flow.from.is_some_and(|from| net.contains(&from)),
        };
        // An IPv6 route that sends a packet nowhere belongs to `lo`, so a packet that is bound to another interface passes
        // over it.
        let bound = self.bound(flow).filter(|dev| self.v6 && *dev != "lo");
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
            // Of IPv6 all routes of one rank are candidates; of IPv4 the first one that was made.
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
            let alive: Vec<(&Route, Vec<Hop<'_>>)> = these
                .iter()
                .map(|route| (*route, self.alive(*route, flow)))
                .filter(|it| !it.1.is_empty())
                .collect();
            if !alive.is_empty() {
                let hops = alive.iter().flat_map(|(_, hops)| hops.iter().copied()).collect();
                return Some((alive.into_iter().map(|(route, _)| route).collect(), hops));
            }
        }
        None
    }

    /// The next hops of a route that the kernel may use for a packet.
    fn alive(&self, route: &'a Route, flow: &Flow) -> Vec<Hop<'a>> {
        let bound = self.bound(flow);
        let usable = |hop: &Hop<'_>| {
            !hop.dead
                && !(hop.linkdown && self.ignore_linkdown)
                && bound.is_none_or(|bound| hop.dev == Some(bound))
        };
        route.next_hops().into_iter().filter(usable).collect()
    }
}

impl Fib<'_> {
    /// The interface that a next hop has to have. A socket of IPv6 with an interface and a source may send through another
    /// one; a destination that only means something on one link is never reached through another.
    fn bound<'f>(&self, flow: &'f Flow) -> Option<&'f str> {
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
    /// What it asks for.
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
            Self::Detached => "an interface that is gone".into(),
            Self::Unknown(word) => word.clone(),
        }
    }
}

/// Does a route of this kind refuse what it is for?
pub(crate) fn refuses(kind: &str) -> bool {
    matches!(kind, "unreachable" | "prohibit" | "blackhole")
}

/// Does a route of this kind have no next hop?
fn leads_nowhere(kind: &str) -> bool {
    kind == "throw" || refuses(kind)
}

fn with<'a>(
    assumed: &[Assumed<'a>],
    rule: &'a Rule,
    unknown: Vec<String>,
    applies: bool,
) -> Vec<Assumed<'a>> {
    let mut assumed = assumed.to_vec();
    assumed.push(Assumed { rule, unknown, applies });
    assumed
}

/// Packets for which IPv4 does not ask these tables.
fn without_tables<'a>(flow: &Flow) -> Option<Verdict<'a>> {
    let IpAddr::V4(to) = flow.to else { return None };
    let local_multicast = to.octets().starts_with(&[224, 0, 0]);
    match (&flow.input, &flow.output) {
        (Some(_), _) if to.is_multicast() => Some(Verdict::NotAsked(
            "a multicast packet that arrives is for the groups that the interface has joined, or for multicast routes",
        )),
        (Some(_), _) if to.is_broadcast() => {
            Some(Verdict::NotAsked("a broadcast packet that arrives is for the host"))
        }
        (None, Some(dev)) if local_multicast || to.is_broadcast() => {
            Some(Verdict::OnLink { dev: dev.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
