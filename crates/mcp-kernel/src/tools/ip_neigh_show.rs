//! The tool `ip_neigh_show`: the neighbour tables (ARP and NDP).

use crate::{
    commands,
    compare::{self, identity},
    output::{text, timed, understood},
    types::{self, InterfaceParam},
};
use host_net::neighbour::{NEIGHBOUR_STATES, Neighbour};
use mcp_core::{Answer, Node, Output, Reading, Row, Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct IpNeighShow;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    #[serde(flatten)]
    of: InterfaceParam,
    /// IP address of the neighbour.
    #[serde(default)]
    address: Option<String>,
    /// State of the neighbour, such as FAILED or STALE.
    #[serde(default)]
    state: Option<String>,
}

impl Tool for IpNeighShow {
    const NAME: &'static str = "ip_neigh_show";
    const TITLE: &'static str = "Neighbours";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "Lists neighbours (ARP, NDP) with their MAC address and state, \
         which shows whether a next hop answers.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "neighbours".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let address = types::address(params.address.as_deref())?;
        types::state(params.state.as_deref(), &NEIGHBOUR_STATES)?;
        let parse = |output: Output| Neighbour::parse_all(timed(&text(&output)));
        let place = compare::place(node);
        let parsed = node
            .first(vec![
                Reading::command(place.clone(), commands::neighbours(), parse),
                Reading::recorded(place.clone(), "ip neigh show", parse),
                Reading::recorded(place, "ip -j -s neigh show", parse),
            ])
            .await?;
        let parsed = understood("the neighbours", parsed)?;
        let wanted = |it: &&Neighbour| {
            params.of.matches(it.get("dev").unwrap_or_default())
                && address.is_none_or(|ip| it.address == ip)
                && params.state.as_ref().is_none_or(|state| it.state().eq_ignore_ascii_case(state))
        };
        let mut shown: Vec<&Neighbour> = parsed.rows.iter().filter(wanted).collect();
        shown.sort_by_key(|it| (it.get("dev").map(str::to_owned), it.address));
        let mut notes = parsed.notes();
        if (1..parsed.rows.len()).contains(&shown.len()) {
            notes.insert(0, format!("{} of {} neighbours match", shown.len(), parsed.rows.len()));
        }
        Ok(Answer {
            rows: shown.into_iter().map(row).collect(),
            if_empty: format!("no neighbour matches; {} neighbours were read", parsed.rows.len()),
            notes,
            facts: compare::facts(node).await,
            ..Answer::default()
        })
    }
}

fn row(it: &Neighbour) -> Row {
    let device = it.get("dev").unwrap_or_default();
    let fields = compare::fields([("lladdr", it.get("lladdr")), ("state", Some(it.state()))]);
    // Learned entries depend on the traffic of a node. Permanent entries should exist on every node.
    let local = !it.is_permanent() || it.state() == "NOARP" || ovn_model::host::is_pod_interface(device);
    Row::with(it.text(), identity(format!("neighbour {} dev {device}", it.address), fields, local))
}
