//! What a report holds of a switch's state.

use super::{database::Bridge, parse};
use crate::{
    commands::{self, Asked},
    subjects::Subject,
};
use ipnet::IpNet;
use mcp_core::{
    Argv, Node, Place, ReadError, ToolError,
    argv::{BridgeName, EthernetAddress, Meter, TlvMapping},
};
use std::net::IpAddr;

/// More would take longer to tell the switch than a call may take, and hardly one of them matters to a packet.
const MOST: usize = 500;

/// A field of a Geneve option, which is none before it is mapped to one: as it is matched, and as it is moved.
const GENEVE: [&str; 2] = ["tun_metadata", "TUN_METADATA"];

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
    /// The routes to their other ends.
    pub(super) ways: Vec<Way>,
    pub(super) neighbours: Vec<(BridgeName, IpAddr, EthernetAddress)>,
}

/// A route to the other end of a tunnel. A dummy has one address and knows the routes of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) bridge: BridgeName,
    /// The address to send from, in its network.
    pub(super) own: IpNet,
    /// Where that network is left, if it is.
    pub(super) gateway: Option<(IpNet, IpAddr)>,
}

impl State {
    /// What was recorded. The flows of the bridge that is asked must be among it; others may be missing, which is said.
    pub(super) async fn read(
        node: &Node<'_>,
        bridges: &[Bridge],
        asked: &BridgeName,
        remotes: &[IpAddr],
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
            if part.mappings.is_empty() && GENEVE.iter().any(|field| part.flows.contains(field)) {
                return Err(ToolError::bad(
                    format!(
                        "flows of {name} look at Geneve options, and which these are (`ovs-ofctl dump-tlv-map {name}`) was not \
                         collected",
                        name = name.as_str()
                    ),
                    "A switch takes no such flows: follow the packet table by table with ovs_ofctl_dump_flows.",
                ));
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
        state.tunnels = Tunnels::read(node, bridges, remotes, &mut state.notes).await;
        Ok(state)
    }
}

impl Tunnels {
    async fn read(node: &Node<'_>, bridges: &[Bridge], remotes: &[IpAddr], notes: &mut Vec<String>) -> Self {
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
        let routes = parse::routes(&text(Subject::TunnelRoutes, "routes of tunnels").await);
        let neighbours = parse::neighbours(&text(Subject::TunnelNeighbours, "neighbours of tunnels").await);
        let bridge =
            |device: &str| bridges.iter().map(|it| &it.name).find(|name| name.as_str() == device).cloned();
        let mut ways: Vec<Way> = Vec::new();
        for way in remotes.iter().filter_map(|remote| way(&routes, *remote, bridge)) {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        let neighbours =
            neighbours.into_iter().filter_map(|(address, mac, name)| Some((bridge(&name)?, address, mac)));
        Self { ways, neighbours: neighbours.take(MOST).collect() }
    }
}

/// The most specific route to an address, if a bridge is on it.
fn way(routes: &[parse::Route], remote: IpAddr, bridge: impl Fn(&str) -> Option<BridgeName>) -> Option<Way> {
    let best = |wanted: &dyn Fn(&&parse::Route) -> bool| {
        routes
            .iter()
            .filter(|route| !route.local)
            .filter(wanted)
            .max_by_key(|route| route.network.prefix_len())
    };
    let route = best(&|route| route.network.contains(&remote))?;
    let own = route.source?;
    let connected =
        best(&|it| it.device == route.device && it.gateway.is_none() && it.network.contains(&own))?;
    Some(Way {
        bridge: bridge(&route.device)?,
        own: IpNet::new(own, connected.network.prefix_len()).ok()?,
        gateway: route.gateway.map(|gateway| (route.network, gateway)),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_tunnels_other_end() {
        let routes = parse::routes(
            "Cached: 172.18.0.2/32 dev br-ex SRC 172.18.0.2 local\n\
             Cached: 169.254.0.0/17 dev br-ex SRC 169.254.0.2\n\
             Cached: 172.18.0.0/16 dev br-ex SRC 172.18.0.2\n\
             Cached: 10.244.0.0/24 dev ovn-k8s-mp0 SRC 10.244.0.2\n\
             Cached: 0.0.0.0/0 dev br-ex GW 172.18.0.1 SRC 172.18.0.2\n",
        );
        let bridge = |name: &str| BridgeName::parse(name).ok().filter(|_| name == "br-ex");
        let to = |remote: &str| way(&routes, remote.parse().unwrap(), bridge);
        let near = to("172.18.0.3").unwrap();
        assert_eq!((near.own.to_string().as_str(), near.gateway), ("172.18.0.2/16", None));
        let far = to("192.0.2.7").unwrap();
        assert_eq!(far.own.to_string(), "172.18.0.2/16");
        assert_eq!(far.gateway, Some(("0.0.0.0/0".parse().unwrap(), "172.18.0.1".parse().unwrap())));
        assert_eq!(to("10.244.0.9"), None, "by a device that is no bridge");
        assert_eq!(to("fd00::1"), None, "no route");
    }
}
