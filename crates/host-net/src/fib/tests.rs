use super::*;
use crate::{interface, route};

const ROUTES: &str = "10.96.0.0/16 via 10.244.2.1 dev ovn-k8s-mp0 table 7 \ndefault via 172.18.0.1 dev br-ex \n\
                      10.96.0.0/16 via 169.254.0.4 dev br-ex src 169.254.0.2 mtu 1400 \nblackhole 10.9.0.0/16 metric 5 \n\
                      10.9.0.0/24 proto bgp metric 20\n\tnexthop via 172.18.0.3 dev br-ex weight 1 \n\
                      \tnexthop via 172.18.0.4 dev br-ex weight 1 dead \nlocal 172.18.0.4 dev br-ex table local scope host\n\
                      throw 10.3.0.0/16 table 1007\n10.0.0.0/8 dev mp1 table 1007\n";
const RULES: &str = "0:\tfrom all lookup local\n30:\tfrom all fwmark 0x1745ec lookup 7\n40:\tfrom all uidrange 7-7 lookup 7\n\
                     1000:\tfrom all lookup [l3mdev-table]\n32766:\tfrom all lookup main\n";
const LINKS: &str = "9: vrf7: <NOARP,MASTER,UP> mtu 65575 qdisc noqueue state UP group default\n    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n    vrf table 1007\n";

/// Returns the priority of the deciding rule and the route of each branch, with `?` if a rule is assumed not to match.
fn ways(flow: &Flow) -> Vec<String> {
    let (rules, routes) = (RoutingRule::parse_all(RULES), route::parse(ROUTES));
    let links = interface::parse(LINKS).rows;
    let fib = Fib::new(&rules.rows, &routes.rows, flow.to.is_ipv6()).with_interfaces(&links);
    let ways = fib.lookup(flow);
    assert!(!ways.cut);
    let one = |branch: &Branch<'_>| {
        let not = if branch.assumed.iter().any(|it| !it.applies) { "?" } else { "" };
        match &branch.verdict {
            Verdict::Route { rule, routes, hops, .. } => {
                format!("{not}{}: {} by {}", rule.priority, routes[0].prefix(), hops.len())
            }
            other => format!("{not}{other:?}"),
        }
    };
    ways.branches.iter().map(one).collect()
}

fn to(to: &str) -> Flow {
    Flow { uid: Some(0), ..Flow::to(to.parse().unwrap()) }
}

#[test]
fn rules_and_routes_select_the_route_of_a_packet() {
    assert_eq!(ways(&to("10.96.0.1")), ["32766: 10.96.0.0/16 by 1"]);
    assert_eq!(ways(&Flow { mark: 0x17_45ec, ..to("10.96.0.1") }), ["30: 10.96.0.0/16 by 1"]);
    // The longer prefix wins regardless of the metric, and a dead next hop does not count.
    assert_eq!(ways(&to("10.9.0.1")), ["32766: 10.9.0.0/24 by 1"]);
    assert_eq!(ways(&to("10.9.1.1")), ["32766: 10.9.0.0/16 by 0"]);
    assert_eq!(ways(&to("172.18.0.4")), ["0: 172.18.0.4 by 1"]);
    assert_eq!(ways(&to("2001:db8::1")), ["Unreachable"]);
}

#[test]
fn an_unknown_property_gives_a_branch() {
    let unknown = Flow { uid: None, ..to("10.96.0.1") };
    assert_eq!(ways(&unknown), ["40: 10.96.0.0/16 by 1", "?32766: 10.96.0.0/16 by 1"]);
    // A table without a route decides nothing, so no assumption is needed.
    assert_eq!(ways(&Flow { uid: None, ..to("8.8.8.8") }), ["32766: default by 1"]);
    // A packet that arrives belongs to user 0.
    let arrives = Flow { uid: None, input: Some("eth0".into()), ..to("10.96.0.1") };
    assert_eq!(ways(&arrives), ["32766: 10.96.0.0/16 by 1"]);
}

#[test]
fn a_vrf_uses_its_table_and_a_throw_route_leaves_it() {
    let of_vrf = |address: &str| Flow { vrf: Some("vrf7".into()), ..to(address) };
    assert_eq!(ways(&of_vrf("10.5.0.1")), ["1000: 10.0.0.0/8 by 1"]);
    assert_eq!(ways(&of_vrf("10.3.0.1")), ["32766: default by 1"]);
}

#[test]
fn many_unknown_jumps_are_cut() {
    let rules: String =
        (1..20_000).map(|n| format!("{n}:\tfrom all uidrange 1-1 goto {}\n", n + 1)).collect();
    let rules = RoutingRule::parse_all(&rules);
    let fib = Fib::new(&rules.rows, &[], false);
    let ways = fib.lookup(&Flow::to([8, 8, 8, 8].into()));
    assert!(ways.cut && ways.branches.len() <= MAX_BRANCHES);
}
