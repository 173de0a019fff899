//! Compares the evaluation of random packets through the flows of recorded switches with the real Open vSwitch, which
//! gets the same ports, flows and groups.
//!
//! To run the test by hand: `cargo test -p ovn-model --test oracle -- --ignored`. `OPENFLOW_PACKETS` sets the number
//! of packets, `OPENFLOW_SEED` chooses other packets, `OPENFLOW_ROOT` is the root of another Debian whose Open vSwitch
//! is used, and `OPENFLOW_SHOW` sets the number of differences that are printed.

mod effects;
mod node;
mod packets;
mod real;

use node::{Failed, Node};
use openflow::{
    Ports,
    eval::{Question, trace},
};
use packet::CtState;
use packets::Packets;
use real::{Programs, Real};
use std::io::Write;

/// The connection tracking states of a packet, step by step.
const STATES: [&[&str]; 6] =
    [&[], &["est"], &["est", "est"], &["est,rpl", "est,rpl"], &["rel", "new"], &["inv", "est"]];

/// Prints a text for a person who runs the test by hand.
fn say(text: &str) {
    _ = writeln!(std::io::stderr(), "{text}");
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Returns a trace without the parts that differ by design: the numbers that a switch counts, the megaflow, and the
/// form of the datapath actions. Open vSwitch floods ports in any order, and versions that do not isolate copies may
/// leave the changes for one port to the next.
fn plain(trace: &str, isolates: bool) -> Vec<String> {
    let counted = ["recirc_id=0x", "recirc(0x", "meter("];
    let number = |line: &str| {
        counted.iter().fold(line.to_owned(), |line, before| {
            let mut parts = line.split(before);
            let first = parts.next().unwrap_or_default().to_owned();
            let trimmed = |part: &str| part.trim_start_matches(|c: char| c.is_ascii_hexdigit()).to_owned();
            parts.fold(first, |line, part| line + before + &trimmed(part))
        })
    };
    let reads = [
        // For packets to userspace, the switch counts the places where they continue, and the sockets.
        ("userspace(pid=0,", "userspace("),
        // The switch may already have sent the request.
        ("waiting on ARP request", "sending ARP request"),
    ];
    let trace = reads.iter().fold(trace.to_owned(), |text, (one, other)| text.replace(one, other));
    let mut parts = trace.split("continuation=0,recirc_id=");
    let first = parts.next().unwrap_or_default().to_owned();
    let trace = parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(',');
        text + "continuation=0," + rest
    });
    let ordered = isolates || !trace.contains("for destination, flooding");
    let (mut flow, mut resumes, mut heading) = (String::new(), false, false);
    let mut plain = Vec::new();
    for line in trace.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        let line = number(&no_match(line));
        if line.starts_with("Flow: ") {
            flow.clone_from(&line);
            resumes = line.contains("recirc_id=");
        }
        match line.strip_prefix("Datapath actions: ") {
            Some(actions) => {
                plain.extend(effects::effects(&flow, actions, ordered));
            }
            None if line.starts_with("Megaflow: ") => {}
            // For a packet that connection tracking returned, Open vSwitch names the bridge where the packet began,
            // and its port as if it were there.
            None if line.contains("low: ") && line.contains("recirc_id=") => {
                plain.push(without(&without(&line, "in_port="), "tun_metadata"));
            }
            None if resumes && line.starts_with("bridge(") => heading = true,
            None if heading && line.starts_with("---") => heading = false,
            // After a tunnel that the switch handles itself, Open vSwitch omits the options that were set for it.
            None if line.starts_with("Final flow: ") => plain.push(without(&line, "tun_metadata")),
            None => plain.push(line),
        }
    }
    // Open vSwitch prints the flows of a conjunction in any order.
    let is_part = |line: &str| line.trim_start().starts_with("-> conj. ");
    plain.chunk_by_mut(|a, b| is_part(a) && is_part(b)).for_each(<[String]>::sort);
    plain
}

fn without(line: &str, field: &str) -> String {
    let parts = line.split(',').filter(|part| !part.starts_with(field));
    parts.collect::<Vec<_>>().join(",")
}

/// Without side effects, Open vSwitch stops where a controller pauses a packet, and runs no later action.
fn until_pause(lines: &mut Vec<String>) {
    let pauses = |line: &String| line.contains("controller(") && line.contains("pause");
    if let Some(at) = lines.iter().position(pauses) {
        lines.truncate(at + 1);
        lines.iter_mut().for_each(|line| *line = line.trim().to_owned());
    }
}

/// On a bridge that the packet reached later, Open vSwitch prints its own rule for packets that match no flow.
fn no_match(line: &str) -> String {
    match line.split_once(". reg0=0x") {
        Some((before, rule)) if rule.ends_with(", priority 0") => format!("{before}. No match."),
        _ => line.to_owned(),
    }
}

/// Compares random packets through the flows of `evaluated` with the real switch, which gets the flows of `node`.
/// Returns how many packets reached an action of the datapath, and how many traces differ.
fn compare(
    node: &Node,
    evaluated: &Node,
    programs: &Programs,
    count: usize,
    seed: u64,
) -> Result<(usize, usize), Failed> {
    let real = Real::start(programs, node)?;
    let switch = evaluated.switch().with_isolated_copies(real.isolates);
    for bridge in node.recorded.bridges.keys() {
        let notes = switch.bridge(bridge).map(openflow::Bridge::notes);
        assert_eq!(notes, Some([].as_slice()), "{} {bridge}", node.name);
    }
    let mut packets = Packets::new(node, &switch, seed);
    let (mut left, mut different, mut longest) = (0, 0, 0);
    for _ in 0..count {
        let (bridge, flow) = packets.draw();
        let states = packets.of(&STATES).copied().unwrap_or_default();
        let parsed = openflow::packet(&flow, &Ports::default())?;
        let given = states.iter().map(|state| state.parse::<CtState>()).collect::<Result<Vec<_>, _>>()?;
        let question = Question {
            bridge: bridge.clone(),
            packet: parsed,
            states: given,
            assumed: vec![CtState::NEW],
            tells_tuple: false,
            names: true,
        };
        let ours = trace(&switch, &question);
        left += usize::from(ours.passes.iter().any(|pass| !pass.datapath.is_empty()));
        let theirs = real.trace(&bridge, &flow, states)?;
        let (mut ours, mut wanted) = (plain(&ours.to_string(), real.isolates), plain(&theirs, real.isolates));
        until_pause(&mut ours);
        until_pause(&mut wanted);
        if !theirs.contains("-> conj. ") {
            // Versions before 3.3 do not print them.
            ours.retain(|line| !line.trim_start().starts_with("-> conj. "));
        }
        longest = longest.max(wanted.len());
        if ours != wanted {
            different += 1;
            if different <= number("OPENFLOW_SHOW", 3) {
                let at = ours.iter().zip(&wanted).position(|(a, b)| a != b);
                let at = at.unwrap_or(ours.len().min(wanted.len()));
                let around = |of: &[String]| {
                    of.iter().skip(at.saturating_sub(4)).take(8).cloned().collect::<Vec<_>>().join("\n")
                };
                say(&format!(
                    "=== {} {bridge} {flow} {states:?}\n--- Open vSwitch\n{}\n--- ours\n{}",
                    node.name,
                    around(&wanted),
                    around(&ours)
                ));
            }
        }
    }
    say(&format!(
        "{}: {count} packets, {left} left or were tracked, longest trace {longest}, {different} different",
        node.name
    ));
    Ok((left, different))
}

/// Compares the wanted number of random packets, divided by `share`, in equal parts for the nodes.
fn compare_all(nodes: &[Node], share: usize) -> Result<(), Failed> {
    let programs = Programs::installed(std::env::var_os("OPENFLOW_ROOT").map(Into::into));
    let count = (number("OPENFLOW_PACKETS", 2_000) / share).div_ceil(nodes.len());
    let (mut left, mut different) = (0, 0);
    for (at, node) in nodes.iter().enumerate() {
        let (l, d) = compare(node, node, &programs, count, number("OPENFLOW_SEED", 1) as u64 + at as u64)?;
        (left, different) = (left + l, different + d);
    }
    assert!(
        left * 8 > count * nodes.len(),
        "only {left} packets of {} reached anything",
        count * nodes.len()
    );
    assert_eq!(different, 0);
    Ok(())
}

#[test]
#[ignore = "needs Open vSwitch: cargo xtask test"]
fn random_packets_go_where_open_vswitch_sends_them() -> Result<(), Failed> {
    compare_all(&Node::all()?, 1)
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn random_packets_of_the_lab_go_where_open_vswitch_sends_them() -> Result<(), Failed> {
    // The OVN of this machine wrote these flows; other versions wrote the recorded ones.
    let nodes = ["ovn-worker", "ovn-worker2"].map(Node::of_lab).into_iter().collect::<Result<Vec<_>, _>>()?;
    compare_all(&nodes, 4)
}

#[test]
#[ignore = "needs Open vSwitch: cargo xtask test"]
fn a_changed_flow_is_a_difference() -> Result<(), Failed> {
    let programs = Programs::installed(std::env::var_os("OPENFLOW_ROOT").map(Into::into));
    let node = Node::all()?.pop().ok_or("no node")?;
    let changed = node.with_flows(|flows| flows.replace("resubmit(,8)", "resubmit(,9)"));
    let (_, different) = compare(&node, &changed, &programs, 50, 1)?;
    assert!(different > 0, "no trace differs");
    Ok(())
}
