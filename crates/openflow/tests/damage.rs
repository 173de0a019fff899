//! Damaged dumps: the evaluation reports the damage or an unknown fate, and does not send a packet elsewhere.

mod common;
#[path = "common/node.rs"]
mod node;

use common::Failed;
use node::{Node, ask};
use openflow::{Bridge, End};
use packet::CtState;
use proptest::prelude::*;

const FLOW: &str = "tcp,in_port=4,dl_src=0a:58:0a:f4:00:04,dl_dst=0a:58:0a:f4:00:05,nw_src=10.244.0.4,nw_dst=10.244.0.5,nw_ttl=64,tp_src=40000,tp_dst=8080";

/// Returns the fates of the packet and the number of notes about the integration bridge after a change of its flows.
fn ends(node: &Node, change: impl Fn(&str) -> String) -> Result<(Vec<End>, usize), Failed> {
    ends_after(node, "OpenFlow15_dump-flows_br-int", change)
}

/// Returns the same as [`ends`] after a change of the dump with this name.
fn ends_after(node: &Node, dump: &str, change: impl Fn(&str) -> String) -> Result<(Vec<End>, usize), Failed> {
    let mut changed = Node(node.0.clone());
    for (path, text) in &mut changed.0 {
        if path.ends_with(dump) {
            *text = change(text);
        }
    }
    let switch = changed.switch();
    let notes = switch.bridge("br-int").map_or(0, |bridge| Bridge::notes(bridge).len());
    Ok((ask(&switch, "br-int", FLOW, &[CtState::NEW])?.ends(), notes))
}

fn is_unknown(ends: &[End]) -> bool {
    ends.iter().any(|end| matches!(end, End::Unknown(_)))
}

#[test]
fn damage_never_silently_changes_the_fate_of_a_packet() -> Result<(), Failed> {
    let node = Node::read()?;
    let (whole, notes) = ends(&node, str::to_owned)?;
    assert!(matches!(whole.as_slice(), [End::Port(port)] if port == "96603d4dfddd0a0"), "{whole:?}");
    assert_eq!(notes, 0);
    let dump = node.0.iter().find(|(path, _)| path.ends_with("OpenFlow15_dump-flows_br-int"));
    let length = dump.map_or(0, |(_, text)| text.len());
    let config = ProptestConfig { cases: 64, ..ProptestConfig::default() };
    proptest!(config, |(at in 0..length, letters in "[?!#@]{1,3}")| {
        // The dump ends early.
        let (_, notes) = ends(&node, |text| text.get(..at).unwrap_or(text).trim_end_matches('\n').to_owned()).unwrap();
        prop_assert!(notes > 0 || at == 0);
        // A part of the dump was overwritten.
        let broken = |text: &str| {
            let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
            format!("{before}{letters}{}", after.get(letters.len()..).unwrap_or_default())
        };
        let (found, notes) = ends(&node, broken).unwrap();
        prop_assert!(found == whole || notes > 0 || is_unknown(&found), "at {at}: {found:?}");
    });
    Ok(())
}

#[test]
fn each_dump_that_ends_early_is_noted() -> Result<(), Failed> {
    let node = Node::read()?;
    for dump in ["OpenFlow15_dump-groups_br-int", "OpenFlow15_dump-tlv-map_br-int", "fdb.show_br-int"] {
        let cut = |text: &str| text.chars().take(text.len() / 2).collect::<String>().trim_end().to_owned();
        let (_, notes) = ends_after(&node, dump, cut)?;
        assert!(notes > 0, "{dump}");
    }
    Ok(())
}

#[test]
fn a_dump_without_its_last_part_is_noted() -> Result<(), Failed> {
    let node = Node::read()?;
    let (_, notes) = ends(&node, |text| {
        let last = text.rfind("OFPST_FLOW reply").unwrap_or_default();
        text.get(..last).unwrap_or_default().to_owned()
    })?;
    assert_eq!(notes, 1);
    Ok(())
}

#[test]
fn damage_never_causes_a_panic() -> Result<(), Failed> {
    let node = Node::read()?;
    proptest!(|(from in 0usize..400_000, bytes in "[ a-z0-9_:=,()\\[\\]\\->.]{1,40}")| {
        let noise = |text: &str| {
            let (before, after) = text.split_at_checked(from % text.len().max(1)).unwrap_or((text, ""));
            format!("{before}{bytes}{after}")
        };
        _ = ends(&node, noise).unwrap();
    });
    Ok(())
}
