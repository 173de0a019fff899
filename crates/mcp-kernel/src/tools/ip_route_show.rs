//! The tool `ip_route_show`: the routes of tables and VRFs, and the route to one address.

use crate::{
    commands,
    compare::{self, identity},
    output::{text, timed, understood},
    types, way,
};
use host_net::{
    interface,
    lines::Parsed,
    route::{self, Route},
};
use mcp_core::{
    Answer, CommandPlace, Node, Output, ReadError, Reading, Row, RowField, Tool, ToolError,
    argv::InterfaceName,
};
use ovn_model::host;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

pub(crate) struct IpRouteShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Name or number of a routing table. Default: all tables except local.
    #[serde(default)]
    table: Option<String>,
    /// Name of a VRF.
    #[serde(default)]
    vrf: Option<String>,
    /// Finds the route to this address.
    #[serde(default)]
    get: Option<String>,
    /// Packet mark for `get`, such as 0x1745ec.
    #[serde(default)]
    mark: Option<String>,
}

impl Tool for IpRouteShow {
    const NAME: &'static str = "ip_route_show";
    const TITLE: &'static str = "Routes";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "Lists routes by table or VRF. With `get`, finds the route to an \
         address, and the rule and the table that select it.";
    type Params = Params;

    fn title(params: &Params) -> String {
        match &params.get {
            Some(to) => format!("route to {to}"),
            None => "routes".into(),
        }
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let place = compare::place(node);
        let mark = types::mark(params.mark.as_deref())?;
        let to = types::parsed("get", params.get.as_deref(), "Pass one IPv4 or IPv6 address.")?;
        let vrf = types::parsed::<InterfaceName>(
            "vrf",
            params.vrf.as_deref(),
            "Pass the name of a VRF interface.",
        )?;
        let answer = match to {
            Some(to) => way::get(node, place, to, mark, vrf.as_ref()).await?,
            None => show(node, place, params).await?,
        };
        Ok(Answer { facts: compare::facts(node).await, ..answer })
    }
}

/// Reads the routes of all tables. Older must-gathers contain only table main; then it also returns a note.
pub(crate) async fn routes(
    node: &Node<'_>,
    place: CommandPlace,
) -> Result<(Parsed<Route>, Option<String>), ReadError> {
    let parse = |output: Output| route::parse(timed(&text(&output)));
    let all = node
        .first(vec![
            Reading::command(place.clone(), commands::routes(), parse),
            Reading::recorded(place.clone(), "ip -j route show table all", parse),
        ])
        .await;
    let absent = match all {
        Err(e @ ReadError::NotCollected { .. }) => e,
        read => return Ok((read?, None)),
    };
    let mut main = Parsed::default();
    let mut found = false;
    for command in ["ip route", "ip -6 route"] {
        match node.first(vec![Reading::recorded(place.clone(), command, parse)]).await {
            Ok(parsed) => {
                found = true;
                main.rows.extend(parsed.rows);
                main.other.extend(parsed.other);
            }
            Err(ReadError::NotCollected { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    let note = "only table main was collected; routes of other tables are not known";
    if found { Ok((main, Some(note.into()))) } else { Err(absent) }
}

/// Maps the table of each VRF to the VRF's name. The map is empty if the interfaces cannot be read.
async fn vrfs(node: &Node<'_>, place: CommandPlace) -> BTreeMap<String, String> {
    way::links(node, place).await.map(|links| interface::vrfs(&links)).unwrap_or_default()
}

async fn show(node: &Node<'_>, place: CommandPlace, params: &Params) -> Result<Answer, ToolError> {
    let (parsed, only_main) = routes(node, place.clone()).await?;
    let parsed = understood("the routes", parsed)?;
    let told =
        |table: &str| matches!(table, "main" | "local" | "default") || host::routing_table(table).is_some();
    let vrfs = match params.vrf.is_some() || parsed.rows.iter().any(|route| !told(route.table())) {
        true => vrfs(node, place).await,
        false => BTreeMap::new(),
    };
    types::known("VRF", params.vrf.as_deref(), vrfs.values().map(String::as_str))?;
    types::known("routing table", params.table.as_deref(), parsed.rows.iter().map(Route::table))?;
    let wanted = |table: &str| match (&params.vrf, &params.table) {
        (Some(vrf), _) => vrfs.get(table) == Some(vrf),
        (None, Some(wanted)) => wanted == table,
        (None, None) => table != "local",
    };
    let mut shown: Vec<&Route> = parsed.rows.iter().filter(|route| wanted(route.table())).collect();
    let order = |route: &Route| {
        (route.table() != "main", route.table().parse::<u32>().ok(), route.table().to_owned())
    };
    shown.sort_by_key(|route| order(route));
    let mut notes: Vec<String> = only_main.into_iter().chain(parsed.notes()).collect();
    let hidden = parsed.rows.iter().filter(|route| route.table() == "local").count();
    let narrowed = params.table.is_some() || params.vrf.is_some();
    if narrowed && !shown.is_empty() && !node.is_compared() {
        notes.insert(0, format!("{} of {} routes match", shown.len(), parsed.rows.len()));
    }
    if !narrowed && hidden > 0 && !node.is_compared() {
        notes.push(format!(
            "{hidden} routes of table local (the node's own addresses) are left out; table=local shows them"
        ));
    }
    let mut not_compared = vec!["the remaining lifetime of routes".to_owned()];
    if !narrowed && hidden > 0 {
        not_compared.push("routes of table local (the node's own addresses), which table=local shows".into());
    }
    Ok(Answer {
        not_compared,
        rows: shown.into_iter().map(|route| row(route, &heading(route.table(), &vrfs))).collect(),
        if_empty: format!("no route matches; {} routes were read", parsed.rows.len()),
        notes,
        ..Answer::default()
    })
}

fn heading(table: &str, vrfs: &BTreeMap<String, String>) -> Arc<str> {
    let meaning = match (host::routing_table(table), vrfs.get(table)) {
        (Some(meaning), _) => format!(" ({meaning})"),
        (None, Some(vrf)) => format!(" (VRF {vrf})"),
        (None, None) => String::new(),
    };
    format!("table {table}{meaning}").into()
}

fn row(route: &Route, heading: &Arc<str>) -> Row {
    let kind = route.kind().map(|kind| format!("{kind} ")).unwrap_or_default();
    let metric = route.get("metric").map(|metric| format!(" metric {metric}")).unwrap_or_default();
    let local = is_local(route);
    // Each interface has its own route of this kind, so the interface is part of the key.
    let of = route.get("dev").filter(|_| local).map(|dev| format!(" dev {dev}")).unwrap_or_default();
    let key = format!("table {}: {kind}{}{metric}{of}", route.table(), route.prefix());
    let mut fields = compare::fields(["via", "dev", "src", "advmss"].map(|name| (name, route.get(name))));
    if !route.hops.is_empty() {
        fields.push(RowField { name: "nexthop".into(), values: route.hops.clone(), spanning: true });
    }
    fields.push(RowField { name: "attributes".into(), values: route.attributes(), spanning: true });
    let text = [&[kind.trim(), route.prefix()][..], &route.actions()].concat().join(" ");
    let text =
        route.hops.iter().fold(format!("  {}", text.trim_start()), |text, hop| text + "\n      " + hop);
    Row::with(text, identity(key, fields, local)).under(heading)
}

/// Returns true if the route results from the node's own addresses or pods.
fn is_local(route: &Route) -> bool {
    let link_local = match route.network().addr() {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_multicast(),
    };
    let host = route.get("proto") == Some("kernel") && compare::is_of_one(Some(route.network()));
    route.table() == "local" || link_local || host || route.interfaces().any(host::is_pod_interface)
}
