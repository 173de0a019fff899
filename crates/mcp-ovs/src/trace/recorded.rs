//! The recorded state of the switch that the evaluation of its flows needs.

use crate::{
    commands::{self, BridgeDump, RECORDED_SHOW, recorded_list},
    subjects::Subject,
    switch,
};
use mcp_core::{Argv, CommandPlace, Db, Node, ReadError, ToolError, argv::BridgeName, chain};
use openflow::{Bridge, Switch, Underlay};
use ovn_model::{openflow::recorded::RecordedBridges, switch::is_integration};
use std::collections::{BTreeMap, BTreeSet};

use super::misfit::Misfit;

/// The state of all bridges of a node.
pub(super) struct State {
    recorded: RecordedBridges,
    dumps: BTreeMap<String, Dumps>,
    /// The network under the tunnels, and the lines about it that were not understood.
    underlay: Option<(Underlay, Vec<String>)>,
    /// The notes about missing data.
    pub(super) notes: Vec<String>,
}

/// The node of a trace. A trace through recorded flows reads the ports, groups and learnt addresses of the collection
/// that has the flows, because those of another time do not fit the flows.
pub(crate) struct TracedNode<'a> {
    pub(crate) node: Node<'a>,
    /// The recorded flows of the bridge, unless the source is live or does not have them.
    flows: Option<String>,
}

impl<'a> TracedNode<'a> {
    /// Chooses the newest collection that has the flows of a bridge.
    pub(crate) async fn choose(node: &Node<'a>, bridge: &str) -> Self {
        let of_all = || Self { node: node.clone(), flows: None };
        let Some(bridge) = BridgeName::parse(bridge).ok().filter(|_| !node.is_live()) else {
            return of_all();
        };
        let commands = commands::dump_flows(&bridge, None);
        match node.collected_with(CommandPlace::OvsSocket, commands).await {
            Ok((flows, node)) => Self { node, flows: Some(switch::into_text(flows)) },
            // The trace reads the flows again and reports why they are missing.
            Err(_) => of_all(),
        }
    }

    /// Returns a note about data that does not belong to the collection of the flows.
    pub(super) fn mixed(&self) -> Option<String> {
        let (flows, others) = self.node.other_collections()?;
        Some(format!(
            "the trace mixes data of different collections: the flows are {flows}; of another collection are {}; pass bundle to read one bundle only",
            others.join("; ")
        ))
    }
}

/// The recorded outputs of a bridge.
#[derive(Default)]
struct Dumps {
    flows: String,
    groups: String,
    options: String,
    learnt: String,
}

/// The switch that the dumps describe.
pub(super) struct RecordedSwitch<'a> {
    pub(super) switch: Switch<'a>,
    /// Notes about lines of the dumps that were not understood, about flows that do not fit the ports, and about
    /// mirrors.
    pub(super) notes: Vec<String>,
    /// Why each verdict may be wrong.
    pub(super) doubts: BTreeSet<String>,
}

/// The reason for doubt if a line was not understood: the flow in it may have a higher priority than another flow.
const NOT_UNDERSTOOD: &str = "a part of the recording was not understood";

impl State {
    /// Reads the recorded state. Fails if the flows of the asked bridge are missing. A note names other missing data.
    pub(super) async fn read(of: &TracedNode<'_>, asked: &str) -> Result<Self, ToolError> {
        let TracedNode { node, flows: chosen } = of;
        let recorded = ports(node).await.map_err(|e| no_ports(node, asked, e))?;
        let mut state = Self { recorded, dumps: BTreeMap::new(), underlay: None, notes: Vec::new() };
        for name in state.recorded.bridges.keys() {
            let Ok(bridge) = BridgeName::parse(name) else { continue };
            let mut lacks = Vec::new();
            let mut dumps = Dumps::default();
            let flows = match chosen.as_ref().filter(|_| name == asked) {
                Some(flows) => Ok(flows.clone()),
                None => switch::text(node, commands::dump_flows(&bridge, None)).await,
            };
            match flows {
                Ok(flows) if flows.trim().is_empty() && name == asked => {
                    return Err(ToolError::bad(
                        format!(
                            "the recorded flows of {name} are empty: not even the header is there, so the command failed when the report was made"
                        ),
                        "Use a report of another time, or ovn_trace, which evaluates the logical flows.",
                    ));
                }
                Err(e) if name == asked => return Err(e.into()),
                flows => match not_empty(flows) {
                    Ok(flows) => dumps.flows = flows,
                    Err(missing) => {
                        state.notes.push(format!(
                            "a packet that goes to {name} is not followed: the flows of {name} {missing}"
                        ));
                        continue;
                    }
                },
            }
            let mut read = async |commands: Vec<Argv>, what: &'static str| {
                output(node, commands).await.unwrap_or_else(|missing| {
                    lacks.push(format!("the {what} of {name} {missing}"));
                    String::new()
                })
            };
            dumps.groups = read(commands::ofctl(BridgeDump::Groups, &bridge), "groups").await;
            dumps.options =
                read(commands::ofctl(BridgeDump::TlvMap, &bridge), "mappings of Geneve options").await;
            let learnt = Subject::Fdb.command_of(&bridge).into_iter().collect();
            dumps.learnt = read(learnt, "MAC addresses that NORMAL learnt").await;
            state.notes.append(&mut lacks);
            state.dumps.insert(name.clone(), dumps);
        }
        // The kernel uses its own routes and neighbours.
        if !state.recorded.is_kernel() {
            let read = async |subject: Subject| output(node, subject.commands().unwrap_or_default()).await;
            let what = |name: &str, missing: String| {
                format!("the trace assumes that packets leave through their tunnel: the {name} {missing}")
            };
            match (read(Subject::TunnelRoutes).await, read(Subject::TunnelNeighbours).await) {
                (Ok(routes), Ok(neighbours)) => {
                    state.underlay = Some(Underlay::new(&routes, &neighbours));
                }
                (Err(e), _) => state.notes.push(what("routes of tunnels (ovs/route/show)", e)),
                (_, Err(e)) => state.notes.push(what("neighbours of tunnels (tnl/neigh/show)", e)),
            }
        }
        Ok(state)
    }

    /// Returns the switch that the dumps describe. The flows are compared with the interfaces, if they are known.
    pub(super) fn switch(&self, interfaces: Option<&ovn_model::switch::Switch>) -> RecordedSwitch<'_> {
        let (mut notes, mut doubts) = (Vec::new(), BTreeSet::new());
        let mut bridges = Vec::new();
        for (name, dumps) in &self.dumps {
            let Some(recorded) = self.recorded.bridges.get(name) else { continue };
            let ports = recorded.openflow_ports(name);
            let bridge = Bridge::new(ports, &dumps.flows, &dumps.groups, &dumps.learnt);
            let mac = recorded.mac.as_deref().and_then(packet::parse_mac);
            let bridge = mac.into_iter().fold(bridge.with_options(&dumps.options), Bridge::with_mac);
            let unclear: Vec<&str> = bridge.notes().iter().map(String::as_str).collect();
            if !unclear.is_empty() {
                doubts.insert(NOT_UNDERSTOOD.to_owned());
                notes.push(format!(
                    "{name}: not all lines of the dumps are understood, so a packet may take a path that this answer does not show"
                ));
                notes.extend(switch::not_understood(&unclear));
            }
            if recorded.is_mirrored {
                notes.push(format!("{name} copies packets to a mirror, which is not followed"));
            }
            if let Some(misfit) = interfaces
                .filter(|_| is_integration(name))
                .and_then(|of| Misfit::of(&bridge, &dumps.flows, of.bridges.get(name)?))
            {
                doubts
                    .extend(misfit.is_complete.then(|| format!("the flows of {name} do not fit its ports")));
                notes.push(format!("the flows of {name} do not fit its ports: {}", misfit.said));
            }
            bridges.push((name.clone(), bridge));
        }
        let switch = Switch::new(bridges).with_isolated_copies(self.recorded.isolates_copies());
        let switch = match &self.underlay {
            Some((underlay, other)) => {
                doubts.extend((!other.is_empty()).then(|| NOT_UNDERSTOOD.to_owned()));
                let other: Vec<&str> = other.iter().map(String::as_str).collect();
                notes.extend(switch::not_understood(&other));
                switch.with_underlay(underlay.clone())
            }
            None => switch,
        };
        RecordedSwitch { switch, notes, doubts }
    }

    /// Returns the version that made the dumps: `Open vSwitch 3.1.0`.
    pub(super) fn version(&self) -> String {
        match &self.recorded.version {
            Some(version) => format!("Open vSwitch {version}"),
            None => "Open vSwitch".into(),
        }
    }
}

/// Reads the output of the first of several commands that the source has, as [`not_empty`] returns it.
async fn output(node: &Node<'_>, commands: Vec<Argv>) -> Result<String, String> {
    not_empty(switch::text(node, commands).await)
}

/// Returns the output of a program that prints at least a header, or the predicate of a sentence about data that is
/// missing.
fn not_empty(read: Result<String, ReadError>) -> Result<String, String> {
    match read {
        Ok(text) if text.trim().is_empty() => {
            Err("are empty without even a header, so the command failed when the report was made".into())
        }
        Ok(text) => Ok(text),
        Err(ReadError::NotCollected { .. }) => Err("were not collected".into()),
        Err(error) => Err(format!("could not be read: {}", chain(&error))),
    }
}

/// Reads the ports of the bridges from `conf.db`, or from the recorded output of `ovs-vsctl`.
async fn ports(node: &Node<'_>) -> Result<RecordedBridges, ReadError> {
    switch::from_one_collection(node, ports_from).await
}

async fn ports_from(node: &Node<'_>) -> Result<RecordedBridges, ReadError> {
    let absent = match node.rows(Db::OpenVSwitch, &RecordedBridges::selects()).await {
        Ok(rows) => return Ok(RecordedBridges::of_rows(&rows)),
        Err(e @ (ReadError::NotCollected { .. } | ReadError::Unreadable { .. })) => e,
        Err(e) => return Err(e),
    };
    let text = async |command| switch::recorded(node, command).await.ok();
    let Some(show) = text(RECORDED_SHOW).await else { return Err(absent) };
    let mut lists = Vec::new();
    for list in ["Interface", "Bridge"].into_iter().filter_map(recorded_list) {
        match text(list).await {
            Some(list) => lists.push(list),
            None => return Err(absent),
        }
    }
    let list = |at: usize| lists.get(at).map_or("", String::as_str);
    Ok(RecordedBridges::of_text(&show, list(0), list(1)))
}

/// Returns the error for missing ports. Without `conf.db` the types of ports are unknown, and flows alone do not show
/// where a packet goes.
fn no_ports(node: &Node<'_>, bridge: &str, error: ReadError) -> ToolError {
    match error {
        ReadError::NotCollected { .. } => ToolError::bad(
            format!("a trace needs the ports from conf.db or `ovs-vsctl show`, but {error}"),
            format!(
                "Follow the packet table by table with ovs_ofctl_dump_flows, or run on {}: ovs-appctl ofproto/trace {bridge} FLOW",
                node.name()
            ),
        ),
        e => e.into(),
    }
}
