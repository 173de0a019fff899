//! Compares the evaluation of random rules and routes with the kernel's `ip route get`.

use crate::{
    cases, in_namespace,
    random::{self, Random, Scene},
};
use host_net::{
    fib::{Fib, Flow, Verdict},
    interface,
    route::{self, Route},
    rule::RoutingRule,
};
use std::collections::BTreeSet;

/// Packets for each set of rules and tables.
const PACKETS: usize = 5;

/// Prints the properties that identify a route: type, prefix, source, table, metric and type of service.
fn of_route(route: &Route) -> String {
    let source = route.sources().map(|net| format!(" from {net}")).unwrap_or_default();
    format!(
        "{} {}{source} table {} metric {} tos {}",
        route.kind().unwrap_or("unicast"),
        route.network(),
        route.table(),
        route.metric(),
        route.service()
    )
}

/// Returns the message of `ip route get` for a packet that is refused.
fn refusal(verdict: &Verdict<'_>) -> Option<&'static str> {
    let kind = match verdict {
        Verdict::Unreachable => return Some("Network is unreachable"),
        Verdict::Refused { kind, .. } => *kind,
        Verdict::Route { routes, .. } => match routes.first()?.kind()? {
            "unreachable" => return Some("No route to host"),
            kind => kind,
        },
        Verdict::OnLink { .. } | Verdict::NoLookup(_) => return None,
    };
    match kind {
        "unreachable" => Some("Network is unreachable"),
        "prohibit" => Some("Permission denied"),
        "blackhole" => Some("Invalid argument"),
        _ => None,
    }
}

/// Compares a verdict with the kernel's matched route and next hop, which come from two commands. Returns the
/// difference.
fn disagreement(verdict: &Verdict<'_>, flow: &Flow, matched: &str, got: &str) -> Option<String> {
    if let Some(refusal) = refusal(verdict) {
        return (!got.contains(refusal)).then(|| format!("{refusal} was expected"));
    }
    let words: Vec<&str> = got.split_whitespace().collect();
    let value = |key: &str| words.iter().skip_while(|word| **word != key).nth(1).copied();
    match verdict {
        Verdict::OnLink { dev } => {
            (value("dev") != Some(dev)).then(|| format!("a neighbour on {dev} was expected"))
        }
        Verdict::Route { routes, hops, .. } => {
            let delivered =
                routes.iter().any(|it| matches!(it.kind(), Some("local" | "broadcast" | "anycast")));
            // The kernel prints the loopback interface for packets that it delivers locally, and no gateway for
            // multicast.
            let fits = delivered
                || flow.to.is_multicast()
                || hops.iter().any(|hop| hop.dev == value("dev") && hop.via == value("via"));
            if !fits {
                return Some(format!("another next hop was expected: {hops:?}"));
            }
            let found = route::parse(matched).rows.first().map(of_route);
            let expected: Vec<String> = routes.iter().map(|route| of_route(route)).collect();
            let fits = flow.to.is_multicast() || found.is_some_and(|found| expected.contains(&found));
            (!fits).then(|| format!("the route {expected:?} was expected"))
        }
        Verdict::NoLookup(_) | Verdict::Unreachable | Verdict::Refused { .. } => None,
    }
}

fn compare(v6: bool) {
    let (cases, seed) = cases();
    let mut random = Random::new(seed);
    let mut script = random::interfaces();
    let mut flows = Vec::new();
    for _ in 0..cases.div_ceil(PACKETS as u64) {
        let scene = Scene::new(&mut random, v6);
        script += &scene.script();
        for _ in 0..PACKETS {
            let (flow, question) = random::question(&mut random, v6);
            script += &question;
            flows.push(flow);
        }
    }
    let sections = in_namespace(&script);
    let mut sections = sections.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let mut next = |wanted: &str| {
        let (name, text) = sections.next().expect("a section");
        assert_eq!(name, wanted);
        text
    };
    let (mut routed, mut deciding) = (0, BTreeSet::new());
    let mut flows = flows.iter();
    while let Some(first) = flows.next() {
        let rules = RoutingRule::parse_all(next("rules"));
        let routes = route::parse(next("routes"));
        let links = interface::parse(next("links"));
        assert_eq!((rules.other.len(), routes.other.len(), links.other.len()), (0, 0, 0));
        let fib = Fib::new(&rules.rows, &routes.rows, v6).with_interfaces(&links.rows);
        for flow in std::iter::once(first).chain(flows.by_ref().take(PACKETS - 1)) {
            let ways = fib.lookup(flow);
            let (matched, got) = (next("match"), next("get"));
            let [way] = ways.branches.as_slice() else {
                panic!("all properties of {flow:?} are known: {ways:#?}")
            };
            if let Some(problem) = disagreement(&way.verdict, flow, matched, got) {
                let rules: String =
                    rules.rows.iter().map(|it| format!("{}: {}\n", it.priority, it.text())).collect();
                let of_family = routes.rows.iter().filter(|it| it.network().addr().is_ipv6() == v6);
                let routes: String = of_family.map(|it| it.line() + "\n").collect();
                panic!(
                    "seed {seed}: {problem}\n{flow:?}\nkernel: {got}matched: {matched}ours: {:?}\n{rules}{routes}",
                    way.verdict
                );
            }
            if let Verdict::Route { rule, .. } = &way.verdict {
                routed += 1;
                deciding.insert(rule.text());
            }
        }
    }
    // The test is only meaningful if many packets are routed, and by different rules.
    assert!(routed > cases / 4 && deciding.len() as u64 > cases / 20, "{routed} routed, {}", deciding.len());
}

#[test]
fn the_kernel_selects_the_same_route_for_ipv4() {
    compare(false);
}

#[test]
fn the_kernel_selects_the_same_route_for_ipv6() {
    compare(true);
}
