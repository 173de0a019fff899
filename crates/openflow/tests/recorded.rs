//! Compares the output of the real `ofproto/trace` on a node with the kernel's datapath with the evaluation of the
//! flows that were recorded there.

mod common;
#[path = "common/node.rs"]
mod node;

use common::{Failed, testdata};
use node::{Node, ask};
use openflow::{Bridge, eval::Outcome};
use packet::CtState;

const NEW: CtState = CtState::NEW;

/// Returns a trace without the parts that differ by design: the recirculation numbers, which a switch counts; the
/// megaflow; the datapath actions; the handling of tunnels; translations without a new address.
fn plain(trace: &str) -> Vec<String> {
    let other = [
        "Megaflow: ",
        "Datapath actions: ",
        "Actions: ",
        "-> output to ",
        "Replacing src/dst",
        "Initial flow: ",
        "Modified flow: ",
    ];
    let number = |line: &str| {
        ["recirc_id=0x", "recirc(0x"].iter().fold(line.to_owned(), |line, before| {
            let mut parts = line.split(before);
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |line, part| {
                line + before + part.trim_start_matches(|c: char| c.is_ascii_hexdigit())
            })
        })
    };
    let lines = trace.lines().filter(|line| !line.is_empty());
    lines.filter(|line| !other.iter().any(|it| line.trim_start().starts_with(it))).map(number).collect()
}

#[test]
fn the_evaluation_equals_the_recorded_traces() -> Result<(), Failed> {
    let node = Node::read()?;
    let switch = node.switch();
    for bridge in ["br-int", "br-ex"] {
        assert_eq!(switch.bridge(bridge).map(Bridge::notes), Some([].as_slice()), "{bridge}");
    }
    for file in ["trace-cross.txt", "trace-same.txt"] {
        let theirs = std::fs::read_to_string(testdata().join("kernel-datapath").join(file))?;
        let flow = theirs.lines().next().and_then(|line| line.strip_prefix("Flow: ")).ok_or("no flow")?;
        let ours = ask(&switch, "br-int", flow, &[NEW])?;
        let (ours_text, theirs) = (plain(&ours.to_string()), plain(&theirs));
        assert!(theirs.len() > 150, "{file}: {} lines", theirs.len());
        for (ours, theirs) in ours_text.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{file}");
        }
        assert_eq!(ours_text.len(), theirs.len(), "{file}");
        // The packet leaves through the pod's port, or through the tunnel to the other node.
        let left = ours.passes.iter().flat_map(|pass| &pass.outcomes).filter_map(|it| match it {
            Outcome::Port { port, .. } => Some(port.clone()),
            Outcome::Tunnel { to: Some(to), .. } => Some(to.to_string()),
            _ => None,
        });
        let wanted = if file == "trace-cross.txt" { "172.18.0.3" } else { "96603d4dfddd0a0" };
        assert_eq!(left.collect::<Vec<_>>(), [wanted], "{file}");
    }
    Ok(())
}

/// The trace follows every possible state of a connection, and each bucket of a group without a chosen bucket.
#[test]
fn what_is_unknown_is_a_branch() -> Result<(), Failed> {
    let node = Node::read()?;
    let switch = node.switch();
    let to_service = "tcp,in_port=4,dl_src=0a:58:0a:f4:00:04,dl_dst=0a:58:0a:f4:00:01,nw_src=10.244.0.4,nw_dst=10.96.0.10,nw_ttl=64,tp_src=40000,tp_dst=80";
    let ends = |flow: &str, assumed: &[CtState]| -> Result<(usize, String), Failed> {
        let trace = ask(&switch, "br-int", flow, assumed)?;
        Ok((trace.passes.len(), trace.to_string()))
    };
    let (chosen, text) = ends(&format!("{to_service},dp_hash=1"), &[NEW])?;
    assert!(text.contains("-> using bucket 1\n") && text.contains("nat(dst=10.244.1.5:8080)"), "{text}");
    assert!(!text.contains("    nat(dst=10.244.0.5:8080)\n"), "{text}");
    let (both, text) = ends(to_service, &[NEW])?;
    assert!(text.contains("-> one of 2 buckets: each is followed"), "{text}");
    assert!(
        text.contains("nw_dst=10.244.0.5,tp_dst=8080") && text.contains("nw_dst=10.244.1.5,tp_dst=8080"),
        "{text}"
    );
    assert!(both > chosen);
    let (states, _) = ends(&format!("{to_service},dp_hash=1"), &[NEW, CtState::EST])?;
    assert!(states > chosen);
    Ok(())
}

/// A part that is not understood ends its branch, and the branch names it: a damaged dump never leads to a port.
#[test]
fn damage_is_reported_and_ends_the_branch() -> Result<(), Failed> {
    let mut node = Node::read()?;
    for (path, text) in &mut node.0 {
        if path.ends_with("OpenFlow15_dump-flows_br-int") {
            *text = text.replacen("resubmit(,8)", "teleport(br-moon)", usize::MAX);
            text.truncate(text.len() - 20);
        }
    }
    let switch = node.switch();
    let notes = switch.bridge("br-int").map(Bridge::notes).unwrap_or_default();
    assert!(notes.iter().any(|note| note.starts_with("the dump ends within a line: ")), "{notes:?}");
    let flow =
        "tcp,in_port=4,dl_src=0a:58:0a:f4:00:04,nw_src=10.244.0.4,nw_dst=10.244.0.5,nw_ttl=64,tp_dst=80";
    let trace = ask(&switch, "br-int", flow, &[NEW])?;
    let outcomes: Vec<_> = trace.passes.iter().flat_map(|pass| &pass.outcomes).collect();
    assert_eq!(outcomes, [&Outcome::Unknown("the action teleport(br-moon) is not evaluated".into())]);
    Ok(())
}
