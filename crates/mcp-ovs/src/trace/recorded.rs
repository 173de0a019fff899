//! The switch as it was collected: what the evaluation of its flows needs.

use crate::{
    commands::{self, Asked, RECORDED_SHOW, recorded_list},
    subjects::Subject,
    switch,
};
use mcp_core::{Argv, Db, Node, ReadError, ToolError, argv::BridgeName};
use openflow::{Bridge, Learnt, Switch, TunnelOption, Underlay};
use ovn_model::openflow::recorded::Recorded;
use std::collections::BTreeMap;

/// The state of all bridges of a node.
pub(super) struct State {
    recorded: Recorded,
    dumps: BTreeMap<String, Dumps>,
    underlay: Option<Underlay>,
    /// What is missing.
    pub(super) notes: Vec<String>,
}

/// What was printed of a bridge.
#[derive(Default)]
struct Dumps {
    flows: String,
    groups: String,
    options: String,
    learnt: String,
}

impl State {
    /// Reads what was recorded. The flows of the bridge that is asked must be among it; others may be missing, which is
    /// said.
    pub(super) async fn read(node: &Node<'_>, asked: &str) -> Result<Self, ToolError> {
        let recorded = ports(node).await.map_err(|e| no_ports(node, asked, e))?;
        let mut state = Self { recorded, dumps: BTreeMap::new(), underlay: None, notes: Vec::new() };
        for name in state.recorded.bridges.keys() {
            let Ok(bridge) = BridgeName::parse(name) else { continue };
            let mut lacks = Vec::new();
            let mut dumps = Dumps::default();
            match switch::text(node, commands::dump_flows(&bridge, None)).await {
                Ok(flows) => dumps.flows = flows,
                Err(e) if name == asked => return Err(e.into()),
                Err(_) => {
                    let note = format!(
                        "the flows of {name} were not collected: a packet that goes there is not followed"
                    );
                    state.notes.push(note);
                    continue;
                }
            }
            let mut read = async |commands: Vec<Argv>, what: &'static str| {
                switch::text(node, commands).await.unwrap_or_else(|_| {
                    lacks.push(what);
                    String::new()
                })
            };
            dumps.groups = read(commands::ofctl(Asked::Groups, &bridge), "groups").await;
            dumps.options = read(commands::ofctl(Asked::TlvMap, &bridge), "mappings of Geneve options").await;
            let learnt = Subject::Fdb.command_of(&bridge).into_iter().collect();
            dumps.learnt = read(learnt, "MAC addresses that NORMAL has learnt").await;
            if !lacks.is_empty() {
                state.notes.push(format!("not collected of {name}: {}", lacks.join(", ")));
            }
            state.dumps.insert(name.clone(), dumps);
        }
        // The kernel has routes and neighbours of its own.
        if !state.recorded.is_kernel() {
            let read = async |subject: Subject| {
                let commands = subject.commands().unwrap_or_default();
                switch::text(node, commands).await.ok()
            };
            let routes = read(Subject::TunnelRoutes).await;
            let neighbours = read(Subject::TunnelNeighbours).await.unwrap_or_default();
            match routes {
                Some(routes) => state.underlay = Some(Underlay::new(&routes, &neighbours)),
                None => state.notes.push(
                    "the routes of tunnels (ovs/route/show) were not collected: what goes to a tunnel is taken to leave by it"
                        .into(),
                ),
            }
        }
        Ok(state)
    }

    /// The switch, and lines of the dumps that are not understood.
    pub(super) fn switch(&self) -> (Switch<'_>, Vec<String>) {
        let mut notes = Vec::new();
        let mut bridges = Vec::new();
        for (name, dumps) in &self.dumps {
            let Some(recorded) = self.recorded.bridges.get(name) else { continue };
            let learnt = Learnt::all(&dumps.learnt);
            let of_local = learnt.iter().find(|it| it.is_local()).map(|it| it.mac);
            let mac = recorded.mac.as_deref().and_then(packet::parse_mac).or(of_local);
            let bridge = Bridge::new(recorded.openflow_ports(name), &dumps.flows, &dumps.groups, learnt)
                .with_mac(mac)
                .with_options(TunnelOption::all(&dumps.options));
            let unclear: Vec<&str> = bridge.notes().iter().map(String::as_str).collect();
            if !unclear.is_empty() {
                notes.push(format!(
                    "of {name} not all flows and groups are understood, so a packet may go another way than is said here"
                ));
                notes.extend(switch::not_understood(&unclear));
            }
            if recorded.is_mirrored {
                notes.push(format!("{name} copies packets to a mirror, which is not followed"));
            }
            bridges.push((name.clone(), bridge));
        }
        let switch = Switch::new(bridges);
        match &self.underlay {
            Some(underlay) => (switch.with_underlay(underlay.clone()), notes),
            None => (switch, notes),
        }
    }

    /// Of what the answer is: `Open vSwitch 3.1.0`.
    pub(super) fn version(&self) -> String {
        match &self.recorded.version {
            Some(version) => format!("Open vSwitch {version}"),
            None => "Open vSwitch".into(),
        }
    }
}

/// The ports of the bridges: of `conf.db`, else of what `ovs-vsctl` printed of it when the report was made.
async fn ports(node: &Node<'_>) -> Result<Recorded, ReadError> {
    let absent = match node.rows(Db::OpenVSwitch, &Recorded::selects()).await {
        Ok(rows) => return Ok(Recorded::of_rows(&rows)),
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
    Ok(Recorded::of_text(&show, list(0), list(1)))
}

/// Without `conf.db` nobody knows what ports are, and flows alone do not tell where a packet goes.
fn no_ports(node: &Node<'_>, bridge: &str, error: ReadError) -> ToolError {
    match error {
        ReadError::NotCollected { .. } => ToolError::bad(
            format!("a trace needs the ports that conf.db or `ovs-vsctl show` has, and {error}"),
            format!(
                "Follow the packet table by table with ovs_ofctl_dump_flows, or run on {}: ovs-appctl ofproto/trace {bridge} FLOW",
                node.name()
            ),
        ),
        e => e.into(),
    }
}
