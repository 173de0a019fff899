//! What a report holds of a switch's state.

use super::{database::Bridge, parse};
use crate::{
    commands::{self, Asked},
    subjects::Subject,
};
use mcp_core::{
    Argv, Node, Place, ReadError, ToolError,
    argv::{BridgeName, EthernetAddress, Meter, TlvMapping},
};
use std::net::IpAddr;

/// More would take longer to tell the switch than a call may take, and hardly one of them matters to a packet.
const MOST: usize = 500;

/// The state of all bridges.
pub(super) struct State {
    pub(super) bridges: Vec<(Bridge, Flows)>,
    pub(super) tunnels: Tunnels,
    /// What is missing.
    pub(super) notes: Vec<String>,
}

/// The state of one bridge.
#[derive(Default)]
pub(super) struct Flows {
    pub(super) mappings: Vec<TlvMapping>,
    pub(super) meters: Vec<Meter>,
    pub(super) groups: String,
    pub(super) flows: String,
    pub(super) learnt: Vec<parse::Learnt>,
}

/// By what tunnels find their way.
#[derive(Default)]
pub(super) struct Tunnels {
    pub(super) routes: Vec<(BridgeName, parse::Route)>,
    pub(super) neighbours: Vec<(BridgeName, IpAddr, EthernetAddress)>,
}

impl State {
    /// What was recorded. The flows of the bridge that is asked must be among it; others may be missing, which is said.
    pub(super) async fn read(
        node: &Node<'_>,
        bridges: &[Bridge],
        asked: &BridgeName,
    ) -> Result<Self, ToolError> {
        let mut state = Self { bridges: Vec::new(), tunnels: Tunnels::default(), notes: Vec::new() };
        for bridge in bridges {
            let name = &bridge.name;
            let dumps = commands::dump_flows(name, None).into_iter();
            // What `bridge/dump-flows` prints is not what ovs-ofctl reads.
            let flows = first(node, dumps.filter(|argv| argv.program() == "ovs-ofctl").collect()).await;
            let flows = match flows {
                Ok(flows) => flows,
                Err(e) if name == asked => return Err(e.into()),
                Err(_) => {
                    state.notes.push(format!(
                        "the flows of {} were not collected: what goes there is dropped in the replay",
                        name.as_str()
                    ));
                    continue;
                }
            };
            let mut part = Flows { flows: parse::entries(&flows), ..Flows::default() };
            let mut lacks = Vec::new();
            let mut read =
                async |asked, what: &'static str| match first(node, commands::ofctl(asked, name)).await {
                    Ok(text) => text,
                    Err(_) => {
                        lacks.push(what);
                        String::new()
                    }
                };
            part.mappings = parse::tlv_map(&read(Asked::TlvMap, "mappings of Geneve options").await);
            part.meters = parse::meters(&read(Asked::Meters, "meters").await);
            part.groups = parse::entries(&read(Asked::Groups, "groups").await);
            match first(node, Subject::Fdb.command_of(name).into_iter().collect()).await {
                Ok(text) => part.learnt = parse::fdb(&text),
                Err(_) => lacks.push("learnt addresses"),
            }
            if !lacks.is_empty() {
                state.notes.push(format!("not collected of {}: {}", name.as_str(), lacks.join(", ")));
            }
            if part.learnt.len() > MOST {
                state.notes.push(format!(
                    "{} of the {} addresses that {} has learnt are replayed",
                    MOST,
                    part.learnt.len(),
                    name.as_str()
                ));
                part.learnt.truncate(MOST);
            }
            state.bridges.push((bridge.clone(), part));
        }
        state.tunnels = Tunnels::read(node, bridges, &mut state.notes).await;
        Ok(state)
    }
}

impl Tunnels {
    async fn read(node: &Node<'_>, bridges: &[Bridge], notes: &mut Vec<String>) -> Self {
        let bridge =
            |device: &str| bridges.iter().map(|it| &it.name).find(|name| name.as_str() == device).cloned();
        let mut text =
            async |subject: Subject, what: &str| match first(node, subject.commands().unwrap_or_default())
                .await
            {
                Ok(text) => text,
                Err(_) => {
                    notes.push(format!("not collected: {what}"));
                    String::new()
                }
            };
        let routes = parse::routes(&text(Subject::TunnelRoutes, "routes of tunnels").await).into_iter();
        let neighbours =
            parse::neighbours(&text(Subject::TunnelNeighbours, "neighbours of tunnels").await).into_iter();
        Self {
            // Those by other devices lead to no bridge, and an own address is no way to anybody.
            routes: routes
                .filter(|route| !route.local)
                .filter_map(|route| Some((bridge(&route.device)?, route)))
                .take(MOST)
                .collect(),
            neighbours: neighbours
                .filter_map(|(address, mac, name)| Some((bridge(&name)?, address, mac)))
                .take(MOST)
                .collect(),
        }
    }
}

/// What the first of several forms printed that was recorded and succeeded.
async fn first(node: &Node<'_>, forms: Vec<Argv>) -> Result<String, ReadError> {
    let mut missing = None;
    for argv in forms {
        match node.command(Place::OvsSocket, &argv).await {
            Ok(output) => return Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Err(e) => missing = missing.or(Some(e)),
        }
    }
    Err(missing.unwrap_or_else(|| ReadError::not_held("the state of the switch", "this source")))
}
