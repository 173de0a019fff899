//! Compares the evaluation with the switches of the lab: `ofproto/trace` on br-int of each node follows the same random
//! packets through the flows that ovn-controller made of the logical flows.
//!
//! `OVNK_PACKETS` is the number of packets for each node, and `OVNK_SEED` the seed of the packets.

#[path = "common/control.rs"]
mod control;
#[path = "common/lab.rs"]
mod lab;
#[expect(dead_code, reason = "this test uses only a part of the module")]
#[path = "common/random.rs"]
mod random;
#[path = "switch/sent.rs"]
mod sent;
#[path = "switch/verdict.rs"]
mod verdict;

use control::Control;
use lab::{Networks, printed, program};
use ovn_lflow::{Semantics, Start, Zone};
use ovsdb::{Database, Rows, Select, SelectError};
use packet::CtState;
use random::Random;
use sent::Ends;
use std::{collections::BTreeMap, error::Error, fs, path::PathBuf};
use verdict::{Fate, of_branch, of_text};

type Failed = Box<dyn Error>;

/// A node of the lab: its zone, and its switch.
struct Node {
    zone: Zone,
    /// The OpenFlow numbers of br-int's ports, by logical port.
    numbers: BTreeMap<String, u16>,
    /// The logical ports by the name of the interface.
    logical: BTreeMap<String, String>,
    /// The addresses at which the tunnels of the chassis end, by chassis name.
    tunnels: BTreeMap<String, String>,
    ends: Ends,
    switch: Control,
}

impl Node {
    fn open(name: &str) -> Result<Self, Failed> {
        let dir = lab::dir().join(name);
        let database = Database::open(fs::read(dir.join("etc/ovn/ovnsb_db.db"))?)?;
        let read = |selects: &[Select]| -> Result<Vec<Rows>, SelectError> {
            selects.iter().map(|select| database.select(select)).collect()
        };
        let zone = Zone::new(&read(&Zone::selects(database.schema()))?, Semantics::Datapath);
        let ends = Ends::new(&read(&Ends::selects())?, &zone);
        let encapsulations = read(&[Select::from("Encap").columns(["chassis_name", "ip"])])?;
        let tunnels = encapsulations
            .iter()
            .flat_map(|rows| &rows.rows)
            .filter_map(|row| Some((row.text("chassis_name")?.to_owned(), row.text("ip")?.to_owned())));
        let (mut numbers, mut logical) = (BTreeMap::new(), BTreeMap::new());
        for (interface, number, port) in interfaces(name)? {
            numbers.insert(port.clone(), number);
            logical.insert(interface, port);
        }
        Ok(Self { tunnels: tunnels.collect(), numbers, logical, ends, switch: control(&dir)?, zone })
    }
}

/// Connects to the control socket of ovs-vswitchd, whose name contains the number of the process.
fn control(dir: &std::path::Path) -> Result<Control, Failed> {
    let run = dir.join("run/openvswitch");
    let is_socket = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("ovs-vswitchd.") && name.ends_with(".ctl")
    };
    let socket = fs::read_dir(&run)?.flatten().map(|entry| entry.path()).find(is_socket);
    Control::connect(&socket.ok_or_else(|| format!("no ovs-vswitchd in {}", run.display()))?)
}

/// Returns the interfaces of br-int that belong to a logical port: name, OpenFlow number and logical port. The
/// interface of a localnet port is a patch port, whose name contains that of the logical port.
fn interfaces(node: &str) -> Result<Vec<(String, u16, String)>, Failed> {
    let pid = fs::read_to_string(lab::dir().join(node).join("pid"))
        .map_err(|error| format!("no lab: {error}: cargo xtask lab up"))?;
    let mut command = program("nsenter");
    command.arg(format!("--target={}", pid.trim())).args(["--net", "--mount", "--uts", "--", "ovs-vsctl"]);
    let text = printed(command.args([
        "--format=csv",
        "--data=bare",
        "--no-headings",
        "--columns=name,ofport,external_ids",
        "list",
        "Interface",
    ]))?;
    let interface = |line: &str| {
        let [name, number, ids] = line.splitn(3, ',').collect::<Vec<_>>().try_into().ok()?;
        let id = ids.split([' ', '"']).find_map(|pair| pair.strip_prefix("iface-id="));
        let port = id.or_else(|| name.strip_prefix("patch-br-int-to-"))?;
        Some((name.to_owned(), number.parse().ok()?, port.to_owned()))
    };
    Ok(text.lines().filter_map(interface).collect())
}

/// Compares packets on one node. Returns how often each fate was seen.
fn compare(node: &mut Node, random: &mut Random, wanted: usize) -> Result<BTreeMap<Fate, usize>, Failed> {
    let mut seen = BTreeMap::new();
    let mut different = Vec::new();
    for _ in 0..wanted {
        let sent = node.ends.packet(random, &node.numbers).ok_or("no packet")?;
        let flow = sent.openflow(node.numbers.get(&sent.inport).copied().ok_or("no such port")?);
        let text = node.switch.call("ofproto/trace", &["--names", "br-int", &flow])?;
        let expression = sent.expression();
        // ofproto/trace knows no connections: each packet is new at each lookup.
        let states = vec![CtState::TRK | CtState::NEW; 64];
        let start = Start { states, size: Some(100), ..node.zone.start(&expression)? };
        let trace = node.zone.trace(&start);
        let theirs = of_text(&text, &node.logical);
        let ours: Vec<_> =
            trace.branches.iter().map(|branch| of_branch(branch, &node.zone, &node.tunnels)).collect();
        *seen.entry(theirs.fate()).or_default() += 1;
        if !ours.iter().any(|ours| ours.allows(&theirs)) {
            different.push(format!("{expression}\n{flow}\nswitch: {theirs:?}\nours: {ours:?}\n{text}"));
        }
    }
    let first = different.first().map_or("", String::as_str);
    assert!(different.is_empty(), "{} of {wanted} packets differ, the first:\n{first}", different.len());
    Ok(seen)
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn random_packets_agree_with_the_switch() -> Result<(), Failed> {
    let _networks = Networks::up()?;
    // Neighbours of tunnels and gateways expire. Without them the switch cannot send packets.
    lab::warm()?;
    let number = |variable: &str, usual: u64| -> Result<u64, Failed> {
        std::env::var(variable).map_or(Ok(usual), |text| Ok(text.parse()?))
    };
    let wanted = usize::try_from(number("OVNK_PACKETS", 500)?)?;
    // Any seed works. A fixed seed finds the same differences again.
    let mut random = Random(number("OVNK_SEED", 1)?);
    for name in lab::NODES {
        let mut node = Node::open(name)?;
        let seen = compare(&mut node, &mut random, wanted).map_err(|error| format!("{name}: {error}"))?;
        // A comparison in which all packets end alike would show little.
        for fate in [Fate::Port, Fate::Tunnel, Fate::External, Fate::Controller, Fate::Dropped] {
            let count = seen.get(&fate).copied().unwrap_or(0);
            assert!(count * 100 >= wanted, "{name}: only {count} of {wanted} packets are {fate:?}: {seen:?}");
        }
    }
    Ok(())
}
