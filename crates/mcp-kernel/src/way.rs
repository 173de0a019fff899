//! The way of a packet to an address: which rule, table and route decide.

use crate::{
    commands,
    compare::{self, identity},
    output::{filled, text, understood},
    tools::{ip_route_show, ip_rule_show},
    types,
};
use host_net::{
    fib::{Assumed, Branch, Fib, Flow, Verdict, Ways},
    interface::{self, Interface},
    lines::{Parsed, not_understood},
    route::{Route, TYPES},
    rule::Rule,
};
use mcp_core::{Answer, Node, Output, Place, ReadError, Reading, Row, ToolError, argv::InterfaceName};
use std::net::IpAddr;

/// The answer for a packet that the host, or the pod, sends to an address.
pub(crate) async fn get(
    node: &Node<'_>,
    place: Place,
    to: IpAddr,
    mark: Option<u32>,
    vrf: Option<&InterfaceName>,
) -> Result<Answer, ToolError> {
    let mut other = Vec::new();
    let asked = match node.command(place.clone(), &commands::route_get(to, mark, vrf)).await {
        Ok(output) => {
            let (said, rest) = of_kernel(&text(&output));
            other = rest;
            Some(Ok(said))
        }
        // The kernel refuses: the rules and routes tell why.
        Err(ReadError::Failed { stderr, .. }) if stderr.contains("RTNETLINK") => Some(Err(stderr)),
        Err(ReadError::NotCollected { .. }) => None,
        Err(e) => return Err(e.into()),
    };
    let read = read(node, place.clone(), to.is_ipv6(), vrf).await;
    let (read, asked) = match (read, asked) {
        (Ok(read), asked) => (read, asked),
        // The kernel has answered, and what decides is not known.
        (Err(e), Some(Ok(said))) => {
            let notes = vec![format!("the rule that decides is not known: {e}")];
            return Ok(Answer { rows: vec![said_row(key(to), &said, &said)], notes, ..Answer::default() });
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
                "worked out from the recorded rules and routes: the kernel of that time was not asked".into(),
            );
            if ways.cut {
                notes.push("there are more ways than these: too many rules ask for what is not known".into());
            }
            ways.branches.iter().map(|branch| row(to, branch)).collect()
        }
        Some(said) => vec![live(to, said, &ways, &mut notes)],
    };
    let if_empty = format!("the way to {to} is not known");
    Ok(Answer { rows, if_empty, notes, ..Answer::default() })
}

/// What the kernel said: a line, and what it keeps with the route in a second one; and lines that are something else.
fn of_kernel(text: &str) -> (String, Vec<String>) {
    let mut lines = text.lines().map(str::trim).filter(|line| !matches!(*line, "" | "cache"));
    let first = lines.next().unwrap_or_default();
    let (cached, other): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("cache "));
    let said = [&[first], cached.as_slice()].concat().join(" ");
    (said, other.into_iter().map(str::to_owned).collect())
}

/// What the evaluation needs.
struct Read {
    rules: Parsed<Rule>,
    routes: Parsed<Route>,
    links: Vec<Interface>,
    notes: Vec<String>,
}

async fn read(
    node: &Node<'_>,
    place: Place,
    v6: bool,
    vrf: Option<&InterfaceName>,
) -> Result<Read, ToolError> {
    let (routes, only_main) = ip_route_show::routes(node, place.clone()).await?;
    let routes = understood("the routes", routes)?;
    let rules = filled("the routing rules", ip_rule_show::rules(node, place.clone(), v6).await?)?;
    let by_group = rules.rows.iter().any(|rule| rule.get("suppress_ifgroup").is_some());
    let mut notes: Vec<String> = only_main.into_iter().collect();
    let mut links = Vec::new();
    if vrf.is_some() || by_group {
        match self::links(node, place).await {
            Ok(read) => links = read,
            Err(e) if vrf.is_none() => notes.push(format!("groups of interfaces are not known: {e}")),
            Err(e) => return Err(e.into()),
        }
    }
    if let Some(vrf) = vrf {
        let names = links.iter().filter(|link| link.vrf_table().is_some()).map(|link| link.name.as_str());
        types::known("VRF", Some(vrf.as_str()), names)?;
    }
    Ok(Read { rules, routes, links, notes })
}

/// The interfaces, as their list without addresses tells them.
pub(crate) async fn links(node: &Node<'_>, place: Place) -> Result<Vec<Interface>, ReadError> {
    let parse = |output: Output| interface::parse(&text(&output));
    let readings = vec![
        Reading::command(place.clone(), commands::links(), parse),
        Reading::recorded(place.clone(), "ip -d address show", parse),
        Reading::recorded(place, "ip -d address", parse),
    ];
    Ok(filled("the interfaces", node.first(readings).await?)?.rows)
}

/// What the kernel said, with what the rules and routes say of it.
fn live(to: IpAddr, said: &Result<String, String>, ways: &Ways<'_>, notes: &mut Vec<String>) -> Row {
    let fits = |branch: &&Branch<'_>| match (said, &branch.verdict) {
        (Ok(said), Verdict::Route { routes, hops, .. }) => {
            let delivered = |route: &&Route| matches!(route.kind(), Some("local" | "broadcast" | "anycast"));
            routes.iter().any(delivered)
                || hops.iter().any(|hop| hop.dev == after(said, "dev") && hop.via == after(said, "via"))
        }
        (Ok(_), Verdict::OnLink { .. } | Verdict::NotAsked(_)) => true,
        (Ok(_), Verdict::Nothing | Verdict::Refused { .. }) => false,
        (Err(_), verdict) => is_refused(verdict),
    };
    let shown = match said {
        Ok(said) => said.clone(),
        Err(error) => format!("no way to {to}: {}", error.trim()),
    };
    match ways.branches.iter().find(fits) {
        Some(branch) => said_row(key(to), &shown, &format!("{shown}; {}", decided(&branch.verdict))),
        None => {
            let others: Vec<String> = ways.branches.iter().map(|it| way(&it.verdict)).collect();
            notes.push(format!(
                "the rules and routes that were read give another way, so they have changed in between or hold what is not \
                 understood: {}",
                others.join(" | ")
            ));
            said_row(key(to), &shown, &shown)
        }
    }
}

fn is_refused(verdict: &Verdict<'_>) -> bool {
    match verdict {
        Verdict::Route { hops, .. } => hops.is_empty(),
        Verdict::Refused { .. } | Verdict::Nothing => true,
        Verdict::OnLink { .. } | Verdict::NotAsked(_) => false,
    }
}

/// The word after a word; `via inet6 fe80::1` is a gateway of the other family.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut words = text.split_whitespace().skip_while(|word| *word != key).skip(1);
    words.find(|word| !matches!(*word, "inet" | "inet6"))
}

/// A way that was worked out: one line.
fn row(to: IpAddr, branch: &Branch<'_>) -> Row {
    let text = way(&branch.verdict);
    match conditions(&branch.assumed) {
        conditions if conditions.is_empty() => said_row(key(to), &text, &text),
        conditions => {
            said_row(format!("{} if {conditions}", key(to)), &text, &format!("if {conditions}: {text}"))
        }
    }
}

fn conditions(assumed: &[Assumed<'_>]) -> String {
    let one = |it: &Assumed<'_>| {
        let applies = if it.applies { "applies" } else { "does not apply" };
        format!("rule {} {applies} (not known: {})", it.rule.priority, it.unknown.join(", "))
    };
    assumed.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// What becomes of the packet, and what decides that.
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
        Verdict::OnLink { dev } => format!("no route: a neighbour on {dev}"),
        Verdict::Nothing => "the network is unreachable".into(),
        Verdict::NotAsked(why) => format!("no route is looked for: {why}"),
    };
    format!("{}; {}", what.trim(), decided(verdict))
}

/// The rule and the table.
fn decided(verdict: &Verdict<'_>) -> String {
    match verdict {
        Verdict::Route { rule, table, .. } => {
            format!("table {table} by rule {}: {}", rule.priority, rule.text())
        }
        Verdict::Refused { rule, .. } => format!("by rule {}: {}", rule.priority, rule.text()),
        Verdict::Nothing => "no table that the rules lead to has a route".into(),
        Verdict::OnLink { .. } | Verdict::NotAsked(_) => "by no rule".into(),
    }
}

fn key(to: IpAddr) -> String {
    format!("route to {to}")
}

/// One row, with the words that nodes can have in common.
fn said_row(key: String, route: &str, shown: &str) -> Row {
    let kind = route.split([' ', ';']).next().filter(|word| TYPES.contains(word));
    let words = ["via", "dev", "src"].map(|name| (name, after(route, name)));
    let decided = shown.split_once("; ").map(|(_, decided)| decided);
    let rest = [("kind", kind), ("decided", decided)];
    Row::with(shown, identity(key, compare::fields(words.into_iter().chain(rest)), false))
}
