//! ofproto/trace on what a report holds: its ports, flows, groups, meters and tunnels in a private ovs-vswitchd whose devices
//! are dummies.
//!
//! The order matters to the switch: fields before the flows that match on them, meters and groups before the flows that refer
//! to them, ports before all.

mod commands;
mod database;
mod parse;
mod recorded;
mod text;

pub(crate) use commands::PRIVATE;

use crate::{
    commands::{RECORDED_SHOW, recorded_list},
    switch,
    trace::{self, Question},
};
use database::Recorded;
use mcp_core::{
    Db, Node, PrivateError, ReadError, ToolError, Workshop,
    argv::{BridgeName, Network, PortName, PrivateArgv, PrivatePath},
};
use recorded::State;

/// What brings the programs.
const SWITCH: &str = "openvswitch-switch on Debian, openvswitch on Fedora";
const CLIENTS: &str = "openvswitch-common on Debian, openvswitch on Fedora";
/// What a switch that sees no packet and a client of it need, and some.
const MEMORY: u64 = 4_000_000_000;

/// What a replayed trace cannot know, however much was collected.
const UNKNOWN: &str = "a replay has no conntrack: each step is what ct_state says; which bucket of a group is taken is what dp_hash says; \
                       addresses that were learnt are those of the moment of the report";

/// The trace of a packet through what was collected of a node, and what to say of it.
pub(crate) async fn trace(node: &Node<'_>, question: &Question) -> Result<(String, Vec<String>), ToolError> {
    let recorded = collected(node).await.map_err(|e| no_ports(node, question, e))?;
    let state = State::read(node, &recorded.bridges, &question.bridge.name, &recorded.remotes()).await?;
    for (program, package) in
        [("ovs-vswitchd", SWITCH), ("ovsdb-server", CLIENTS), ("ovs-ofctl", CLIENTS), ("ovs-appctl", CLIENTS)]
    {
        Workshop::need(program, package)?;
    }
    let mut workshop = Workshop::open(node.within(), MEMORY)?;
    let version = version(&workshop).await?;
    let control = start(&mut workshop, &recorded).await?;
    for (bridge, flows) in &state.bridges {
        fill(&workshop, &bridge.name, flows, &version).await?;
    }
    let mut notes = state.notes;
    let mut skipped = 0;
    for (bridge, flows) in &state.bridges {
        for learnt in &flows.learnt {
            match bridge.port(&learnt.port).and_then(|name| PortName::parse(name).ok()) {
                Some(port) => {
                    let add = commands::fdb_add(&control, &bridge.name, &port, learnt.vlan, learnt.mac);
                    skipped += usize::from(workshop.run(&add).await.is_err());
                }
                None => skipped += 1,
            }
        }
    }
    if !recorded.is_kernel() {
        skipped += tunnels(&workshop, &control, &state.tunnels).await;
    }
    if skipped > 0 {
        notes.push(format!("{skipped} learnt addresses, routes or neighbours could not be replayed"));
    }
    let asked = commands::trace(&control, &question.bridge.name, &question.flow, &question.ct)
        .ok_or_else(trace::too_many_states)?;
    let output = workshop.run(&asked).await?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if recorded.is_kernel() && text::through_kernel_tunnels(&mut text) {
        notes.push(
            "the node's kernel does the tunnelling: its routes and neighbours decide, which no replay has, and the \
             datapath actions here lack the output to the tunnel"
                .into(),
        );
    }
    let written =
        recorded.version.as_deref().map(|version| format!(", collected from {version}")).unwrap_or_default();
    notes.push(format!("replayed in a private {version}{written}; {UNKNOWN}"));
    Ok((text, notes))
}

/// The switch that was collected: of `conf.db`, else of what `ovs-vsctl` printed of it when the report was made.
async fn collected(node: &Node<'_>) -> Result<Recorded, ReadError> {
    let absent = match node.rows(Db::OpenVSwitch, &database::selects()).await {
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

/// Without `conf.db` nobody knows what ports are: flows alone are no switch.
fn no_ports(node: &Node<'_>, question: &Question, error: ReadError) -> ToolError {
    match error {
        ReadError::NotCollected { .. } => ToolError::bad(
            format!("a trace is replayed on the ports that conf.db or `ovs-vsctl show` has, and {error}"),
            format!(
                "Follow it table by table with ovs_ofctl_dump_flows, or run on {}: ovs-appctl ofproto/trace {} '{}'",
                node.name(),
                question.bridge.name.as_str(),
                question.flow.as_str()
            ),
        ),
        e => e.into(),
    }
}

/// `Open vSwitch 3.1.0`
async fn version(workshop: &Workshop) -> Result<String, PrivateError> {
    let output = workshop.run(&commands::version()).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.lines().next().and_then(|line| line.split_whitespace().last());
    Ok(format!("Open vSwitch {}", number.unwrap_or("of unknown version")))
}

/// Starts the switch and waits until it has made its bridges. The socket by which it is told the rest.
async fn start(workshop: &mut Workshop, recorded: &Recorded) -> Result<PrivatePath, PrivateError> {
    let [file, socket, server, control] = [
        workshop.path("conf.db")?,
        workshop.path("db.sock")?,
        workshop.path("db.ctl")?,
        workshop.path("vs.ctl")?,
    ];
    // Its own schema, as it is installed: it fits the switch.
    let empty = workshop.path("empty.db")?;
    workshop.run(&commands::create(&empty)).await?;
    let schema = workshop.read_database(&empty).await?;
    workshop.write(&file, recorded.private(schema.schema())).await?;
    workshop.start(&commands::serve(&file, &socket, &server), &socket).await?;
    let switch = commands::switch(&socket, &control);
    workshop.start(&switch, &control).await?;
    for bridge in &recorded.bridges {
        let management = management(workshop, &bridge.name)?;
        workshop.ready(&management, &switch).await?;
    }
    Ok(control)
}

/// Where the switch takes OpenFlow for a bridge (ovs-vswitchd(8)).
fn management(workshop: &Workshop, bridge: &BridgeName) -> Result<PrivatePath, PrivateError> {
    workshop.path(&format!("{}.mgmt", bridge.as_str()))
}

/// Gives a bridge its fields, meters, groups and flows.
async fn fill(
    workshop: &Workshop,
    bridge: &BridgeName,
    state: &recorded::Flows,
    version: &str,
) -> Result<(), PrivateError> {
    let socket = management(workshop, bridge)?;
    for mapping in &state.mappings {
        understood(workshop, &commands::add_tlv_map(&socket, *mapping), version).await?;
    }
    for meter in &state.meters {
        understood(workshop, &commands::add_meter(&socket, *meter), version).await?;
    }
    let groups = workshop.path(&format!("{}.groups", bridge.as_str()))?;
    if !state.groups.is_empty() {
        workshop.write(&groups, &state.groups).await?;
        understood(workshop, &commands::add_groups(&socket, &groups), version).await?;
    }
    let flows = workshop.path(&format!("{}.flows", bridge.as_str()))?;
    workshop.write(&flows, &state.flows).await?;
    understood(workshop, &commands::replace_flows(&socket, &flows), version).await
}

/// Runs what takes in recorded text: what it cannot read was written by a newer version.
async fn understood(workshop: &Workshop, argv: &PrivateArgv, version: &str) -> Result<(), PrivateError> {
    match workshop.run(argv).await {
        Ok(_) => Ok(()),
        Err(PrivateError::Failed { stderr, .. }) => Err(PrivateError::NotUnderstood {
            program: argv.program().into(),
            has: version.into(),
            said: stderr.lines().next().unwrap_or_default().into(),
        }),
        Err(e) => Err(e),
    }
}

/// Gives bridges the addresses, routes and neighbours by which tunnels send. It says how many it could not.
async fn tunnels(workshop: &Workshop, control: &PrivatePath, tunnels: &recorded::Tunnels) -> usize {
    let mut commands = Vec::new();
    for way in &tunnels.ways {
        commands.push(commands::address(control, &way.bridge, Network(way.own)));
        commands.push(commands::route(control, Network(way.own.trunc()), &way.bridge, None));
        if let Some((network, gateway)) = way.gateway {
            commands.push(commands::route(control, Network(network), &way.bridge, Some(gateway)));
        }
    }
    for (bridge, address, mac) in &tunnels.neighbours {
        commands.push(commands::neighbour(control, bridge, *address, *mac));
    }
    let mut failed = 0;
    for command in &commands {
        failed += usize::from(workshop.run(command).await.is_err());
    }
    failed
}
