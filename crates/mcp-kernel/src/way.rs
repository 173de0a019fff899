//! The route of a packet to an address, and the rule and the table that select it.

use crate::{
    commands,
    compare::{self, identity},
    output::{filled, text, timed, understood},
    tools::{ip_route_show, ip_rule_show},
    types,
};
use host_net::{
    fib::{Assumption, Branch, Fib, Flow, LookupResult, Verdict},
    interface::{self, Interface},
    lines::{Parsed, not_understood},
    route::{ROUTE_TYPES, Route},
    rule::RoutingRule,
};
use mcp_core::{Answer, CommandPlace, Node, Output, ReadError, Reading, Row, ToolError, argv::InterfaceName};
use std::net::IpAddr;

/// Returns the route of a packet that the host, or the pod, sends to an address.
pub(crate) async fn get(
    node: &Node<'_>,
    place: CommandPlace,
    to: IpAddr,
    mark: Option<u32>,
    vrf: Option<&InterfaceName>,
) -> Result<Answer, ToolError> {
    let mut other = Vec::new();
    let asked = match node.command(place.clone(), &commands::route_get(to, mark, vrf)).await {
        Ok(output) => {
            let (said, rest) = parse_route_get(&text(&output));
            other = rest;
            Some(Ok(said))
        }
        // The kernel has no route. The rules and routes show why.
        Err(ReadError::Failed { stderr, .. }) if stderr.contains("RTNETLINK") => Some(Err(stderr)),
        Err(ReadError::NotCollected { .. }) => None,
        Err(e) => return Err(e.into()),
    };
    let read = read(node, place.clone(), to.is_ipv6(), vrf).await;
    let (read, asked) = match (read, asked) {
        (Ok(read), asked) => (read, asked),
        // The kernel answered, but the rules and routes could not be read.
        (Err(e), Some(Ok(said))) => {
            let notes = vec![format!("the rule that selects this route is not known: {e}")];
            return Ok(Answer { rows: vec![route_row(key(to), &said, &said)], notes, ..Answer::default() });
        }
        (Err(e), _) => return Err(e),
    };
    let mut flow = Flow { mark: mark.unwrap_or(0), vrf: vrf.map(ToString::to_string), ..Flow::to(to) };
    if let Some(Ok(said)) = &asked {
        flow.uid = after(said, "uid").and_then(|uid| uid.parse().ok());
    }
    let fib = Fib::new(&read.rules.rows, &read.routes.rows, to.is_ipv6()).with_interfaces(&read.links);
    let ways = fib.lookup(&flow);
    let mut notes = read.notes;
    notes.extend(not_understood(&other));
    notes.extend(read.rules.notes().into_iter().chain(read.routes.notes()));
    let rows = match &asked {
        None => {
            notes.push(
                "computed from the recorded rules and routes; the output of `ip route get` was not collected"
                    .into(),
            );
            if ways.cut {
                notes.push(
                    "more routes are possible than listed: too many rules depend on properties of the packet that are \
                     not known"
                        .into(),
                );
            }
            ways.branches.iter().map(|branch| branch_row(to, branch)).collect()
        }
        Some(said) => vec![kernel_row(to, said, &ways, &mut notes)],
    };
    let if_empty = format!("the route to {to} is not known");
    Ok(Answer { rows, if_empty, notes, ..Answer::default() })
}

/// Parses `ip route get`: returns the route together with the attributes in its `cache` line, and all other lines.
fn parse_route_get(text: &str) -> (String, Vec<String>) {
    let mut lines = text.lines().map(str::trim).filter(|line| !matches!(*line, "" | "cache"));
    let first = lines.next().unwrap_or_default();
    let (cached, other): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("cache "));
    let said = [&[first], cached.as_slice()].concat().join(" ");
    (said, other.into_iter().map(str::to_owned).collect())
}

/// The rules, routes and interfaces that select a route, and notes about them.
struct RoutingState {
    rules: Parsed<RoutingRule>,
    routes: Parsed<Route>,
    links: Vec<Interface>,
    notes: Vec<String>,
}

async fn read(
    node: &Node<'_>,
    place: CommandPlace,
    v6: bool,
    vrf: Option<&InterfaceName>,
) -> Result<RoutingState, ToolError> {
    let (routes, only_main) = ip_route_show::routes(node, place.clone()).await?;
    let routes = understood("the routes", routes)?;
    let rules = filled("the routing rules", ip_rule_show::rules(node, place.clone(), v6).await?)?;
    let by_group = rules.rows.iter().any(|rule| rule.get("suppress_ifgroup").is_some());
    let mut notes: Vec<String> = only_main.into_iter().collect();
    let mut links = Vec::new();
    if vrf.is_some() || by_group {
        match self::links(node, place).await {
            Ok(read) => links = read,
            Err(e) if vrf.is_none() => notes.push(format!("the groups of interfaces are not known: {e}")),
            Err(e) => return Err(e.into()),
        }
    }
    if let Some(vrf) = vrf {
        let names = links.iter().filter(|link| link.vrf_table().is_some()).map(|link| link.name.as_str());
        types::known("VRF", Some(vrf.as_str()), names)?;
    }
    Ok(RoutingState { rules, routes, links, notes })
}

/// Reads the interfaces without their addresses.
pub(crate) async fn links(node: &Node<'_>, place: CommandPlace) -> Result<Vec<Interface>, ReadError> {
    let parse = |output: Output| interface::parse(timed(&text(&output)));
    let readings = vec![
        Reading::command(place.clone(), commands::links(), parse),
        Reading::recorded(place.clone(), "ip -d address show", parse),
        Reading::recorded(place, "ip -d address", parse),
    ];
    Ok(filled("the interfaces", node.first(readings).await?)?.rows)
}

/// Returns the row for the kernel's answer, with the rule and the table that select it. Adds a note if the rules and
/// routes that were read lead to another route.
fn kernel_row(
    to: IpAddr,
    said: &Result<String, String>,
    ways: &LookupResult<'_>,
    notes: &mut Vec<String>,
) -> Row {
    let fits = |branch: &&Branch<'_>| match (said, &branch.verdict) {
        (Ok(said), Verdict::Route { routes, hops, .. }) => {
            let delivered = |route: &&Route| matches!(route.kind(), Some("local" | "broadcast" | "anycast"));
            routes.iter().any(delivered)
                || hops.iter().any(|hop| hop.dev == after(said, "dev") && hop.via == after(said, "via"))
        }
        (Ok(_), Verdict::OnLink { .. } | Verdict::NoLookup(_)) => true,
        (Ok(_), Verdict::Unreachable | Verdict::Refused { .. }) => false,
        (Err(_), verdict) => is_refused(verdict),
    };
    let shown = match said {
        Ok(said) => said.clone(),
        Err(error) => format!("no route to {to}: {}", error.trim()),
    };
    match ways.branches.iter().find(fits) {
        Some(branch) => route_row(key(to), &shown, &format!("{shown}; {}", decided(&branch.verdict))),
        None => {
            let others: Vec<String> = ways.branches.iter().map(|it| way(&it.verdict)).collect();
            notes.push(format!(
                "the rules and routes that were read lead to another route. They changed in the meantime, or contain \
                 something that is not understood: {}",
                others.join(" | ")
            ));
            route_row(key(to), &shown, &shown)
        }
    }
}

fn is_refused(verdict: &Verdict<'_>) -> bool {
    match verdict {
        Verdict::Route { hops, .. } => hops.is_empty(),
        Verdict::Refused { .. } | Verdict::Unreachable => true,
        Verdict::OnLink { .. } | Verdict::NoLookup(_) => false,
    }
}

/// Returns the word after a key. In `via inet6 fe80::1`, a gateway of the other family, it skips the family.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut words = text.split_whitespace().skip_while(|word| *word != key).skip(1);
    words.find(|word| !matches!(*word, "inet" | "inet6"))
}

/// Returns the row for a computed branch.
fn branch_row(to: IpAddr, branch: &Branch<'_>) -> Row {
    let text = way(&branch.verdict);
    match conditions(&branch.assumed) {
        conditions if conditions.is_empty() => route_row(key(to), &text, &text),
        conditions => {
            route_row(format!("{} if {conditions}", key(to)), &text, &format!("if {conditions}: {text}"))
        }
    }
}

fn conditions(assumed: &[Assumption<'_>]) -> String {
    let one = |it: &Assumption<'_>| {
        let applies = if it.applies { "applies" } else { "does not apply" };
        format!("rule {} {applies} (not known: {})", it.rule.priority, it.unknown.join(", "))
    };
    assumed.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// Describes what happens to the packet, and the rule and the table that decide it.
fn way(verdict: &Verdict<'_>) -> String {
    let what = match verdict {
        Verdict::Route { routes, .. } => {
            let one = |route: &&Route| {
                let kind = route.kind().map(|kind| format!("{kind} ")).unwrap_or_default();
                let hops: String = route.hops.iter().map(|hop| format!(" {hop}")).collect();
                format!("{kind}{} {}{hops}", route.prefix(), route.actions().join(" "))
            };
            routes.iter().map(one).collect::<Vec<_>>().join(" or ")
        }
        Verdict::Refused { kind, .. } => (*kind).to_owned(),
        Verdict::OnLink { dev } => format!("no route; the destination is treated as a neighbour on {dev}"),
        Verdict::Unreachable => "the network is unreachable".into(),
        Verdict::NoLookup(why) => format!("no route lookup: {why}"),
    };
    format!("{}; {}", what.trim(), decided(verdict))
}

/// Describes the rule and the table that decide.
fn decided(verdict: &Verdict<'_>) -> String {
    match verdict {
        Verdict::Route { rule, table, .. } => {
            format!("table {table} by rule {}: {}", rule.priority, rule.text())
        }
        Verdict::Refused { rule, .. } => format!("by rule {}: {}", rule.priority, rule.text()),
        Verdict::Unreachable => "no table that the rules select has a route".into(),
        Verdict::OnLink { .. } | Verdict::NoLookup(_) => "no rule applies".into(),
    }
}

fn key(to: IpAddr) -> String {
    format!("route to {to}")
}

/// Creates a row whose gateway, interface, source, type and deciding rule are compared between nodes.
fn route_row(key: String, route: &str, shown: &str) -> Row {
    let kind = route.split([' ', ';']).next().filter(|word| ROUTE_TYPES.contains(word));
    let words = ["via", "dev", "src"].map(|name| (name, after(route, name)));
    let decided = shown.split_once("; ").map(|(_, decided)| decided);
    let rest = [("kind", kind), ("decided", decided)];
    Row::with(shown, identity(key, compare::fields(words.into_iter().chain(rest)), false))
}
