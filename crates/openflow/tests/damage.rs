//! Damaged dumps: the evaluation reports the damage or an unknown fate, and does not send a packet elsewhere.

mod common;
#[path = "common/node.rs"]
mod node;

use common::Failed;
use node::{Node, ask};
use openflow::{Bridge, End};
use packet::CtState;
use proptest::prelude::*;
use std::collections::BTreeSet;

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

/// A packet to a service, whose backend a group chooses.
const TO_SERVICE: &str = "tcp,in_port=4,dl_src=0a:58:0a:f4:00:04,dl_dst=0a:58:0a:f4:00:01,nw_src=10.244.0.4,nw_dst=10.96.0.10,nw_ttl=64,tp_src=40000,tp_dst=80";

/// Returns the node without the lines of a dump that fit.
fn without(node: &Node, dump: &str, fits: impl Fn(&str) -> bool) -> Node {
    let mut changed = Node(node.0.clone());
    for (path, text) in &mut changed.0 {
        if path.ends_with(dump) {
            *text = text.lines().filter(|line| !fits(line)).map(|line| format!("{line}\n")).collect();
        }
    }
    changed
}

#[test]
fn a_missing_group_is_named() -> Result<(), Failed> {
    let node = Node::read()?;
    let ask = |node: &Node| ask(&node.switch(), "br-int", TO_SERVICE, &[CtState::NEW]).map(|it| it.ends());
    let whole = ask(&node)?;
    let groups = node.0.iter().find(|(path, _)| path.ends_with("OpenFlow15_dump-groups_br-int"));
    let ids = groups
        .into_iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.trim().strip_prefix("group_id=")?.split(',').next().map(str::to_owned));
    let (mut asked, mut named) = (0, 0);
    for id in ids {
        let prefix = format!("group_id={id},");
        let found = ask(&without(&node, "OpenFlow15_dump-groups_br-int", |line| line.contains(&prefix)))?;
        let wanted = End::Unknown(format!("group {id} was not collected or does not exist"));
        assert!(found == whole || found.contains(&wanted), "group {id}: {found:?}");
        asked += 1;
        named += usize::from(found.contains(&wanted));
    }
    assert!(asked > 1 && named > 0, "{asked} groups, {named} named");
    Ok(())
}

#[test]
fn a_missing_table_is_named_where_the_packet_ends_in_it() -> Result<(), Failed> {
    let node = Node::read()?;
    let mut ended = 0;
    for packet in [FLOW, TO_SERVICE] {
        let whole = ask(&node.switch(), "br-int", packet, &[CtState::NEW])?;
        let tables: BTreeSet<u8> =
            whole.passes.iter().flat_map(|pass| &pass.steps).map(|step| step.table).collect();
        for table in tables {
            let text = format!("table={table},");
            let changed = without(&node, "OpenFlow15_dump-flows_br-int", |line| line.contains(&text));
            let switch = changed.switch();
            let bridge = switch.bridge("br-int").ok_or("no bridge")?;
            assert!(!bridge.has_flow_in(table), "table {table}");
            let found = ask(&switch, "br-int", packet, &[CtState::NEW])?.ends();
            let misses: Vec<u8> = found.iter().filter_map(End::miss).map(|place| place.table).collect();
            ended += usize::from(misses.contains(&table));
            let same = found == whole.ends();
            assert!(same || misses.contains(&table) || is_unknown(&found), "table {table}: {found:?}");
        }
    }
    assert!(ended > 10, "{ended}");
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
